//! Limits of each process (getrlimit(2)).

use crate::container::Ulimit;
use sampan_spec::oci::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType};

const KINDS: [(&str, PosixRlimitType); 16] = [
    ("as", PosixRlimitType::RlimitAs),
    ("core", PosixRlimitType::RlimitCore),
    ("cpu", PosixRlimitType::RlimitCpu),
    ("data", PosixRlimitType::RlimitData),
    ("fsize", PosixRlimitType::RlimitFsize),
    ("locks", PosixRlimitType::RlimitLocks),
    ("memlock", PosixRlimitType::RlimitMemlock),
    ("msgqueue", PosixRlimitType::RlimitMsgqueue),
    ("nice", PosixRlimitType::RlimitNice),
    ("nofile", PosixRlimitType::RlimitNofile),
    ("nproc", PosixRlimitType::RlimitNproc),
    ("rss", PosixRlimitType::RlimitRss),
    ("rtprio", PosixRlimitType::RlimitRtprio),
    ("rttime", PosixRlimitType::RlimitRttime),
    ("sigpending", PosixRlimitType::RlimitSigpending),
    ("stack", PosixRlimitType::RlimitStack),
];

/// Whether there is such a limit.
pub(crate) fn is_known(name: &str) -> bool {
    KINDS.iter().any(|(known, _)| *known == name)
}

/// The limits, -1 as the kernel's infinity. Their names were checked when the container was created.
pub(super) fn rlimits(limits: &[Ulimit]) -> Vec<PosixRlimit> {
    let value = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    let limit = |limit: &Ulimit| {
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == limit.name)?;
        let built = PosixRlimitBuilder::default().typ(*kind).soft(value(limit.soft)).hard(value(limit.hard));
        built.build().ok()
    };
    limits.iter().filter_map(limit).collect()
}
