//! Limits of each process (getrlimit(2)).

use crate::container::Ulimit;
use sampan_spec::oci::{PosixRlimit, PosixRlimitType};

const KINDS: [(&str, PosixRlimitType); 16] = [
    ("as", PosixRlimitType::As),
    ("core", PosixRlimitType::Core),
    ("cpu", PosixRlimitType::Cpu),
    ("data", PosixRlimitType::Data),
    ("fsize", PosixRlimitType::Fsize),
    ("locks", PosixRlimitType::Locks),
    ("memlock", PosixRlimitType::Memlock),
    ("msgqueue", PosixRlimitType::Msgqueue),
    ("nice", PosixRlimitType::Nice),
    ("nofile", PosixRlimitType::Nofile),
    ("nproc", PosixRlimitType::Nproc),
    ("rss", PosixRlimitType::Rss),
    ("rtprio", PosixRlimitType::Rtprio),
    ("rttime", PosixRlimitType::Rttime),
    ("sigpending", PosixRlimitType::Sigpending),
    ("stack", PosixRlimitType::Stack),
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
        Some(PosixRlimit { typ: *kind, soft: value(limit.soft), hard: value(limit.hard) })
    };
    limits.iter().filter_map(limit).collect()
}
