//! `--security-opt`: profiles are read here, where the user's files are; paths become fields of their own.

use crate::error::Error;
use serde_json::Value;
use std::path::Path;

/// The options as the daemon takes them, and whether no system path is to be hidden or protected.
pub(crate) fn security_options(options: &[String]) -> Result<(Vec<String>, bool), Error> {
    let (mut given, mut unconfined) = (Vec::new(), false);
    for option in options {
        if option == "systempaths=unconfined" {
            unconfined = true;
            continue;
        }
        let pair = option.split_once('=').or_else(|| option.split_once(':'));
        match pair {
            None if option != "no-new-privileges" => {
                return Err(Error::Invalid(format!("Invalid --security-opt: {option:?}")));
            }
            Some(("seccomp", profile)) if !matches!(profile, "unconfined" | "builtin") => {
                given.push(format!("seccomp={}", read(profile)?));
            }
            _ => given.push(option.clone()),
        }
    }
    Ok((given, unconfined))
}

/// A profile's file without its white space.
fn read(path: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(Path::new(path)).map_err(|source| {
        let why = crate::error::os_text(&source);
        Error::Invalid(format!("opening seccomp profile ({path}) failed: open {path}: {why}"))
    })?;
    let profile: Value = serde_json::from_str(&text)
        .map_err(|e| Error::Invalid(format!("compacting json for seccomp profile ({path}) failed: {e}")))?;
    Ok(profile.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_here() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{ \"defaultAction\" : \"SCMP_ACT_ALLOW\" }\n").unwrap();
        let options = [format!("seccomp={}", file.path().display()), "systempaths=unconfined".into()];
        let want = vec!["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}".to_owned()];
        assert_eq!(security_options(&options).unwrap(), (want, true));
        for (option, text) in [
            ("nope", "Invalid --security-opt: \"nope\""),
            (
                "seccomp=/nope",
                "opening seccomp profile (/nope) failed: open /nope: no such file or directory",
            ),
        ] {
            assert_eq!(security_options(&[option.into()]).unwrap_err().to_string(), text);
        }
    }
}
