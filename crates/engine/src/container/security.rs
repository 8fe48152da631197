//! `--security-opt`: what a container may do, read from what the user said.

use super::HostConfig;
use super::seccomp::Profile;
use crate::{Error, Result};

/// The wishes, sorted. What is for SELinux means nothing where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Security {
    /// Executing a program never adds privileges (prctl(2), PR_SET_NO_NEW_PRIVS).
    pub(crate) no_new_privileges: bool,
    /// Its control groups are mounted writable.
    pub(crate) writable_cgroups: bool,
    /// The system call filter.
    pub(crate) seccomp: Seccomp,
    /// An AppArmor profile by name.
    pub(crate) apparmor: Option<String>,
}

/// Which system calls are let through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seccomp {
    #[default]
    Default,
    Unconfined,
    /// A profile of the user's as JSON.
    Profile(String),
}

/// Sorts the wishes.
///
/// # Errors
/// When one is unknown, or a profile is none.
pub(crate) fn parse(options: &[String]) -> Result<Security> {
    let mut security = Security::default();
    options.iter().try_for_each(|option| take(&mut security, option))?;
    Ok(security)
}

/// A container's wishes. They were checked when it was created.
pub(crate) fn of(host: &HostConfig) -> Security {
    parse(&host.security_opt).unwrap_or_default()
}

/// Whether this host's kernel keeps to AppArmor profiles.
pub(crate) fn has_apparmor() -> bool {
    std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with('Y'))
}

fn take(security: &mut Security, option: &str) -> Result<()> {
    let wrong = |number: u8| Error::InvalidParameter(format!("invalid --security-opt {number}: {option:?}"));
    match option {
        "no-new-privileges" => {
            security.no_new_privileges = true;
            return Ok(());
        }
        "disable" => return Ok(()),
        _ => {}
    }
    let pair = option.split_once('=').or_else(|| option.split_once(':'));
    let (key, value) = pair.ok_or_else(|| wrong(1))?;
    match key {
        "label" => {}
        "apparmor" => security.apparmor = Some(value.to_owned()),
        "seccomp" => security.seccomp = seccomp(value)?,
        "no-new-privileges" => security.no_new_privileges = boolean(value).ok_or_else(|| wrong(2))?,
        "writable-cgroups" => security.writable_cgroups = boolean(value).ok_or_else(|| wrong(2))?,
        _ => return Err(wrong(2)),
    }
    Ok(())
}

fn seccomp(value: &str) -> Result<Seccomp> {
    match value {
        "unconfined" => Ok(Seccomp::Unconfined),
        "builtin" | "default" | "" => Ok(Seccomp::Default),
        json => match Profile::parse(json) {
            Ok(_) => Ok(Seccomp::Profile(json.to_owned())),
            Err(e) => Err(Error::InvalidParameter(format!("decoding seccomp profile failed: {e}"))),
        },
    }
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> std::result::Result<Security, String> {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        parse(&options).map_err(|e| e.to_string())
    }

    #[test]
    fn wishes() {
        let all =
            read(&["no-new-privileges:true", "apparmor=x", "seccomp=unconfined", "label=disable"]).unwrap();
        assert!(all.no_new_privileges && all.seccomp == Seccomp::Unconfined);
        assert_eq!(all.apparmor.as_deref(), Some("x"));
        assert!(read(&["no-new-privileges"]).unwrap().no_new_privileges);
        for (option, number) in
            [("nope", 1), ("nope=1", 2), ("no-new-privileges=x", 2), ("systempaths=foo", 2)]
        {
            assert_eq!(read(&[option]).unwrap_err(), format!("invalid --security-opt {number}: {option:?}"));
        }
        assert!(read(&["seccomp={}x"]).unwrap_err().starts_with("decoding seccomp profile failed: "));
        let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}"#;
        let seccomp = read(&[&format!("seccomp={profile}")]).unwrap().seccomp;
        assert_eq!(seccomp, Seccomp::Profile(profile.into()));
    }
}
