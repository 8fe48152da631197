//! Which file a program's name means, and how a failure to execute is worded: as runc does, because Docker's clients
//! read it.

use crate::failure::{reason, stage};
use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, statat};
use rustix::io::Errno;
use sampan_spec::journal::Failure;
use std::ffi::{CStr, CString};
use std::io;

/// Finds the file of `name`: with a slash as it is, else in the directories of the environment's `PATH`.
///
/// # Errors
/// A failure of step `exec`.
pub(crate) fn find(name: &CStr, env: &[CString]) -> Result<CString, Failure> {
    if name.to_bytes().contains(&b'/') {
        return match executable(name) {
            Ok(()) => Ok(name.to_owned()),
            Err(Errno::NOENT) => {
                Err(wrong(name, Errno::NOENT, &format!("stat {}: {}", show(name), worded(Errno::NOENT))))
            }
            // runc stats a folder without an error, and then may not execute it.
            Err(Errno::ISDIR) => {
                let text = format!("{}: {}", worded(Errno::ISDIR), worded(Errno::ACCESS));
                Err(wrong(name, Errno::ISDIR, &text))
            }
            Err(e) => Err(wrong(name, e, &worded(e))),
        };
    }
    let path = env.iter().rev().find_map(|v| v.to_bytes().strip_prefix(b"PATH="));
    for folder in path.into_iter().flat_map(|p| p.split(|b| *b == b':')) {
        let folder = if folder.is_empty() { b"." } else { folder };
        let candidate = CString::new([folder, b"/", name.to_bytes()].concat()).unwrap_or_default();
        if executable(&candidate).is_ok() {
            if folder.starts_with(b"/") {
                return Ok(candidate);
            }
            let text = "cannot run executable found relative to current directory";
            return Err(wrong(name, Errno::ACCESS, text));
        }
    }
    Err(wrong(name, Errno::NOENT, "executable file not found in $PATH"))
}

fn executable(path: &CStr) -> Result<(), Errno> {
    let status = statat(CWD, path, AtFlags::empty())?;
    if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
        return Err(Errno::ISDIR);
    }
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

fn wrong(name: &CStr, errno: Errno, text: &str) -> Failure {
    Failure {
        stage: stage::EXEC.into(),
        errno: errno.raw_os_error(),
        message: format!("exec: {:?}: {text}", name.to_string_lossy()),
    }
}

/// The kernel refused to execute the file that was found.
pub(crate) fn refused(path: &CStr, error: &io::Error) -> Failure {
    Failure {
        stage: stage::EXEC.into(),
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("exec {}: {}", show(path), reason(error)),
    }
}

fn worded(errno: Errno) -> String {
    reason(&io::Error::from(errno))
}

fn show(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, path: &str, want: Result<&str, (i32, &str)>) {
        let env = [c"A=b".to_owned(), CString::new(format!("PATH={path}")).unwrap()];
        let got = find(&CString::new(name).unwrap(), &env);
        match (got, want) {
            (Ok(got), Ok(want)) => assert_eq!(got.to_str().unwrap(), want),
            (Err(got), Err((errno, text))) => assert_eq!((got.errno, got.message.as_str()), (errno, text)),
            (got, want) => panic!("{name}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn names_and_failures_as_runc_words_them() {
        check("sh", "/nonexistent:/bin", Ok("/bin/sh"));
        check("/bin/sh", "", Ok("/bin/sh"));
        check("nope", "/bin", Err((2, r#"exec: "nope": executable file not found in $PATH"#)));
        check("/nope", "/bin", Err((2, r#"exec: "/nope": stat /nope: no such file or directory"#)));
        check("/etc/passwd", "/bin", Err((13, r#"exec: "/etc/passwd": permission denied"#)));
        check("/etc", "/bin", Err((21, r#"exec: "/etc": is a directory: permission denied"#)));
        check("passwd", "/etc", Err((2, r#"exec: "passwd": executable file not found in $PATH"#)));
    }
}
