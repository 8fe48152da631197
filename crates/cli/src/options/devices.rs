//! Devices and disks: `--device`, `--device-cgroup-rule`, and the limits of single disks. The texts are Docker's.

use sampan_api::body::{DeviceMapping, ThrottleDevice, WeightDevice};
use sampan_spec::parse_size;

/// A value is no device, or no limit of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeviceError {
    #[error("bad format for path: {0}")]
    Parts(String),
    #[error("bad mode specified: {0}")]
    Mode(String),
    #[error("{0} is not an absolute path")]
    NotAbsolute(String),
    #[error("invalid device cgroup format '{0}'")]
    Rule(String),
    #[error("bad format: {0}")]
    Format(String),
    #[error("bad format for device path: {0}")]
    Path(String),
    #[error("invalid weight for device: {0}")]
    Weight(String),
    #[error(
        "invalid rate for device: {0}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive \
         integer. Unit is optional and can be kb, mb, or gb"
    )]
    Bytes(String),
    #[error(
        "invalid rate for device: {0}. The correct format is <device-path>:<number>. Number must be a positive integer"
    )]
    Operations(String),
}

/// A disk's limit. clap keeps the values of each flag apart by type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub ThrottleDevice);

/// `/dev/x`, `/dev/x:/dev/y`, `/dev/x:rw` and `/dev/x:/dev/y:rw`.
pub(crate) fn device(text: &str) -> Result<DeviceMapping, DeviceError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, access) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, access] if is_access(access) => (host, host, access),
        [host, container] => (host, container, "rwm"),
        [host, container, access] if is_access(access) => (host, container, access),
        [_, _, access] => return Err(DeviceError::Mode(access.to_owned())),
        _ => return Err(DeviceError::Parts(text.to_owned())),
    };
    for path in [host, container] {
        if !path.starts_with('/') {
            return Err(DeviceError::NotAbsolute(path.to_owned()));
        }
    }
    Ok(DeviceMapping {
        path_on_host: host.to_owned(),
        path_in_container: container.to_owned(),
        cgroup_permissions: access.to_owned(),
    })
}

/// Each of `rwm` at most once.
fn is_access(text: &str) -> bool {
    let once = |letter| text.matches(letter).count() <= 1;
    !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter)) && "rwm".chars().all(once)
}

/// `c 1:3 rwm`.
pub(crate) fn device_rule(text: &str) -> Result<String, DeviceError> {
    let number = |part: &str| part == "*" || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<&str> = text.split(' ').collect();
    let good = match words[..] {
        [kind, numbers, access] => {
            let pair = numbers.split_once(':');
            matches!(kind, "a" | "b" | "c")
                && pair.is_some_and(|(major, minor)| number(major) && number(minor))
                && (1..=3).contains(&access.len())
                && access.chars().all(|letter| "rwm".contains(letter))
        }
        _ => false,
    };
    if good { Ok(text.to_owned()) } else { Err(DeviceError::Rule(text.to_owned())) }
}

/// `/dev/sda:10mb`.
pub(crate) fn rate_of_bytes(text: &str) -> Result<Rate, DeviceError> {
    let (path, rate) = split(text)?;
    let rate = parse_size(rate).map_err(|_| DeviceError::Bytes(text.to_owned()))?;
    Ok(Rate(ThrottleDevice { path, rate }))
}

/// `/dev/sda:1000`.
pub(crate) fn rate_of_operations(text: &str) -> Result<Rate, DeviceError> {
    let (path, rate) = split(text)?;
    let rate = rate.parse().map_err(|_| DeviceError::Operations(text.to_owned()))?;
    Ok(Rate(ThrottleDevice { path, rate }))
}

/// `/dev/sda:500`.
pub(crate) fn disk_weight(text: &str) -> Result<WeightDevice, DeviceError> {
    let (path, weight) = split(text)?;
    let weight = weight.parse().ok().filter(|weight| *weight == 0 || (10..=1000).contains(weight));
    Ok(WeightDevice { path, weight: weight.ok_or_else(|| DeviceError::Weight(text.to_owned()))? })
}

fn split(text: &str) -> Result<(String, &str), DeviceError> {
    let (path, value) = text.split_once(':').ok_or_else(|| DeviceError::Format(text.to_owned()))?;
    if path.starts_with("/dev/") {
        Ok((path.to_owned(), value))
    } else {
        Err(DeviceError::Path(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings() {
        let mapping = |host: &str, container: &str, access: &str| {
            Ok((host.to_owned(), container.to_owned(), access.to_owned()))
        };
        for (text, want) in [
            ("/dev/x", mapping("/dev/x", "/dev/x", "rwm")),
            ("/dev/x:/dev/y", mapping("/dev/x", "/dev/y", "rwm")),
            ("/dev/x:r", mapping("/dev/x", "/dev/x", "r")),
            ("/dev/x:/dev/y:rw", mapping("/dev/x", "/dev/y", "rw")),
            ("/dev/null:/dev/x:rwx", Err("bad mode specified: rwx")),
            ("a:b:c:d", Err("bad format for path: a:b:c:d")),
            ("/dev/null:nope", Err("nope is not an absolute path")),
        ] {
            let got = device(text).map(|m| (m.path_on_host, m.path_in_container, m.cgroup_permissions));
            assert_eq!(got.map_err(|e| e.to_string()), want.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn disks() {
        assert_eq!(rate_of_bytes("/dev/x:1mb").unwrap().0.rate, 1 << 20);
        assert_eq!(rate_of_operations("/dev/x:7").unwrap().0.rate, 7);
        assert_eq!(disk_weight("/dev/x:500").unwrap().weight, 500);
        assert_eq!(rate_of_bytes("/dev/x").unwrap_err().to_string(), "bad format: /dev/x");
        assert_eq!(disk_weight("/dev/x:5").unwrap_err().to_string(), "invalid weight for device: /dev/x:5");
        assert_eq!(disk_weight("nope:500").unwrap_err().to_string(), "bad format for device path: nope:500");
        assert!(rate_of_operations("/dev/x:-1").is_err() && rate_of_bytes("/dev/x:x").is_err());
        assert!(device_rule("c 1:* rw").is_ok());
        assert_eq!(device_rule("nope").unwrap_err().to_string(), "invalid device cgroup format 'nope'");
    }
}
