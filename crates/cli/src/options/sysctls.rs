//! `--sysctl net.ipv4.ip_forward=1`: those of a container's own name spaces.

/// A value is no kernel parameter, or one of the whole machine. The text is Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sysctl '{0}' is not allowed")]
pub(crate) struct SysctlError(String);

const NAMES: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
const FAMILIES: [&str; 2] = ["net.", "fs.mqueue."];

/// Reads `name=value`.
pub(crate) fn sysctl(text: &str) -> Result<(String, String), SysctlError> {
    let pair = text
        .split_once('=')
        .filter(|(name, _)| NAMES.contains(name) || FAMILIES.iter().any(|family| name.starts_with(family)));
    let (name, value) = pair.ok_or_else(|| SysctlError(text.to_owned()))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_of_name_spaces() {
        assert_eq!(sysctl("net.core.somaxconn=5").unwrap(), ("net.core.somaxconn".into(), "5".into()));
        for bad in ["nope", "kernel.panic=1", "net.core.somaxconn"] {
            assert_eq!(sysctl(bad).unwrap_err().to_string(), format!("sysctl '{bad}' is not allowed"));
        }
    }
}
