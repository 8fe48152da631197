//! `--ulimit nofile=1024:2048`.

use super::numbers::{NumberError, integer};
use sampan_api::body::Ulimit;

/// A value is no limit of processes. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UlimitError {
    #[error("invalid ulimit argument: {0}")]
    Form(String),
    #[error("invalid ulimit type: {0}")]
    Name(String),
    #[error("too many limit value arguments - {0}, can only have up to two, `soft[:hard]`")]
    TooMany(String),
    #[error("ulimit soft limit must be less than or equal to hard limit: {0} > {1}")]
    Order(String, i64),
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// Those of getrlimit(2).
const NAMES: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Reads `name=soft[:hard]`; -1 is no limit.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, UlimitError> {
    let (name, limits) = text.split_once('=').ok_or_else(|| UlimitError::Form(text.to_owned()))?;
    if !NAMES.contains(&name) {
        return Err(UlimitError::Name(name.to_owned()));
    }
    let (soft, hard) = match limits.split(':').collect::<Vec<_>>()[..] {
        [both] => (integer(both)?, integer(both)?),
        [soft, hard] => (integer(soft)?, integer(hard)?),
        _ => return Err(UlimitError::TooMany(limits.to_owned())),
    };
    match (soft, hard) {
        (_, -1) => {}
        (-1, _) => return Err(UlimitError::Order("unlimited".to_owned(), hard)),
        _ if soft > hard => return Err(UlimitError::Order(soft.to_string(), hard)),
        _ => {}
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, want) in [
            ("nofile=100:200", Ok((100, 200))),
            ("core=-1", Ok((-1, -1))),
            ("cpu=5:-1", Ok((5, -1))),
            ("nofile=100:50", Err("ulimit soft limit must be less than or equal to hard limit: 100 > 50")),
            ("nope=5", Err("invalid ulimit type: nope")),
            ("nofile", Err("invalid ulimit argument: nofile")),
            ("nofile=x", Err("strconv.ParseInt: parsing \"x\": invalid syntax")),
        ] {
            let got = ulimit(text).map(|limit| (limit.soft, limit.hard)).map_err(|e| e.to_string());
            assert_eq!(got, want.map_err(str::to_owned), "{text}");
        }
    }
}
