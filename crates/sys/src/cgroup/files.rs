//! Folders and values in cgroup file systems.

use super::{CgroupError, Hierarchy};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) fn read(file: &Path) -> Result<String, CgroupError> {
    fs::read_to_string(file).map_err(|source| CgroupError::Read { file: file.into(), source })
}

/// Writes a value in one piece to a file that exists.
pub(super) fn write(file: &Path, value: &str) -> Result<(), CgroupError> {
    let written = OpenOptions::new().write(true).open(file).and_then(|mut f| f.write_all(value.as_bytes()));
    written.map_err(|source| CgroupError::Write { file: file.into(), value: value.into(), source })
}

/// A file that takes several values, each in one piece.
pub(super) struct Values {
    path: PathBuf,
    file: File,
}

impl Values {
    pub(super) fn open(path: PathBuf) -> Result<Self, CgroupError> {
        match OpenOptions::new().write(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CgroupError::Write { file: path, value: String::new(), source }),
        }
    }

    pub(super) fn write(&self, value: &str) -> Result<(), CgroupError> {
        (&self.file).write_all(value.as_bytes()).map_err(|source| CgroupError::Write {
            file: self.path.clone(),
            value: value.into(),
            source,
        })
    }
}

pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.split_ascii_whitespace().any(|w| w == word)
}

/// The number behind `key` in a file of `key number` lines.
pub(super) fn number_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Makes a folder of version 2 below `root` and lets every controller of a parent reach its child.
pub(super) fn make_unified(root: &Path, folder: &Path) -> Result<(), CgroupError> {
    let mut parents: Vec<&Path> = folder.ancestors().skip(1).take_while(|p| p.starts_with(root)).collect();
    parents.reverse();
    for (i, parent) in parents.iter().enumerate() {
        if i > 0 {
            make(parent)?;
        }
        delegate(parent)?;
    }
    make(folder)
}

/// Enables what is available in `parent` and not yet enabled for its children. A controller that cannot be enabled is
/// missed only by a limit that needs it, and reported there.
fn delegate(parent: &Path) -> Result<(), CgroupError> {
    let available = read(&parent.join("cgroup.controllers"))?;
    let file = parent.join("cgroup.subtree_control");
    let enabled = read(&file)?;
    let missing = available.split_ascii_whitespace().filter(|c| !has_word(&enabled, c));
    let all: Vec<String> = missing.map(|c| format!("+{c}")).collect();
    if all.is_empty() || write(&file, &all.join(" ")).is_ok() {
        return Ok(());
    }
    for one in all {
        if let Err(CgroupError::Write { source, .. }) = write(&file, &one)
            && source.kind() == io::ErrorKind::NotFound
        {
            return make_error(parent, source);
        }
    }
    Ok(())
}

/// Makes a folder of version 1 below `root`.
pub(super) fn make_v1(root: &Path, own: &Hierarchy) -> Result<(), CgroupError> {
    let is_cpuset = own.controllers.iter().any(|c| c == "cpuset");
    if !is_cpuset {
        return match fs::create_dir_all(&own.folder) {
            Ok(()) => Ok(()),
            Err(source) => make_error(&own.folder, source),
        };
    }
    make_cpuset(root, &own.folder)
}

/// A new cpuset of version 1 is empty, and no process may enter it: it gets its parent's values.
fn make_cpuset(root: &Path, folder: &Path) -> Result<(), CgroupError> {
    let parent = folder.parent().unwrap_or(root);
    match make(folder) {
        Err(CgroupError::Make { source, .. })
            if source.kind() == io::ErrorKind::NotFound && parent != root =>
        {
            make_cpuset(root, parent)?;
            make(folder)?;
        }
        made => made?,
    }
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let own = folder.join(name);
        if read(&own)?.trim().is_empty() {
            let inherited = parent.join(name);
            if parent != root && read(&inherited)?.trim().is_empty() {
                make_cpuset(root, parent)?;
            }
            write(&own, read(&inherited)?.trim())?;
        }
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => make_error(folder, source),
    }
}

fn make_error(folder: &Path, source: io::Error) -> Result<(), CgroupError> {
    Err(CgroupError::Make { path: folder.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_numbers() {
        let text = "low 0\noom 1\noom_kill 12\n";
        assert_eq!(number_of(text, "oom_kill"), Some(12));
        assert_eq!(number_of(text, "oom"), Some(1));
        assert_eq!(number_of(text, "kill"), None);
        assert!(has_word("cpu memory\n", "memory") && !has_word("cpuset", "cpu"));
    }
}
