//! Groups by name: a static program cannot ask the name service, so the file itself is read (group(5)).

use std::io;
use std::path::{Path, PathBuf};

/// A group cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No line has the name.
    #[error("group {0} not found")]
    Missing(String),
}

/// The number of a group, by name or number.
///
/// # Errors
/// When the file has no such group.
pub(crate) fn group_id(file: &Path, name: &str) -> Result<u32, GroupError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| GroupError::Read { path: file.to_owned(), source })?;
    let number = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    };
    let found = text.lines().find_map(number).or_else(|| name.parse().ok());
    found.ok_or_else(|| GroupError::Missing(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_name_and_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "root:x:0:\nbroken\nbad:x:y:\ndocker:x:998:a,b\n").unwrap();
        for (name, want) in
            [("root", Some(0)), ("docker", Some(998)), ("77", Some(77)), ("bad", None), ("no", None)]
        {
            assert_eq!(group_id(file.path(), name).ok(), want, "{name}");
        }
    }
}
