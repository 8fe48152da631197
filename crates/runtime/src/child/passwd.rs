//! The home directory of a user, from the container's own `/etc/passwd` (passwd(5)).

use rustix::fs::{CWD, Mode, OFlags};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;

/// A longer file is not read to its end.
const LENGTH_MAX: u64 = 1 << 20;
const NO_HOME: &str = "/";

/// `HOME=` and the user's directory; `/` if the user has none.
pub(super) fn home_variable(uid: u32) -> CString {
    let home = read().and_then(|text| home(&text, uid)).unwrap_or_else(|| NO_HOME.into());
    CString::new(format!("HOME={home}")).unwrap_or_default()
}

/// The container's file can be anything: a pipe must not make us wait.
fn read() -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, "/etc/passwd", flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LENGTH_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn home(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, id, _, _, home, ..] = fields[..] else { return None };
        (id.parse() == Ok(uid) && !home.is_empty()).then(|| home.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn homes() {
        let passwd = "# c\nroot:x:0:0:root:/root:/bin/sh\nbroken:x\nu:x:1000:1000::/home/u:\nn:x:5:5:::\n";
        for (uid, want) in [(0, Some("/root")), (1000, Some("/home/u")), (5, None), (7, None)] {
            assert_eq!(home(passwd, uid).as_deref(), want, "{uid}");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in "[a-z0-9:\n]{0,200}", uid in 0..20u32) {
            home(&text, uid);
        }
    }
}
