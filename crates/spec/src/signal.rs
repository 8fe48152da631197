//! Signals by number and name (signal(7)).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A signal that can be sent to a process: 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(i32);

/// A string or number names no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid signal: {0}")]
pub struct ParseSignalError(pub String);

/// The names in the order of their numbers, from 1: x86, arm and most others share them.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const ALIASES: [(&str, i32); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];
/// glibc keeps 32 and 33 for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl Signal {
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGHUP.
    pub const HUP: Self = Self(1);

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Signal {
    type Error = ParseSignalError;
    fn try_from(number: i32) -> Result<Self, ParseSignalError> {
        if (1..=RTMAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(ParseSignalError(number.to_string()))
        }
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.0
    }
}

impl FromStr for Signal {
    type Err = ParseSignalError;

    /// Takes a number, or a name with or without `SIG`, in any case: `9`, `KILL`, `sigkill`, `RTMIN+3`.
    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        let fail = || ParseSignalError(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Self::try_from(number).map_err(|_| fail());
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        named(name).or_else(|| realtime(name)).map(Self).ok_or_else(fail)
    }
}

fn named(name: &str) -> Option<i32> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, number)| *number);
    alias.or_else(|| NAMES.iter().position(|n| *n == name).map(|i| i as i32 + 1))
}

fn realtime(name: &str) -> Option<i32> {
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        if rest.is_empty() {
            RTMIN
        } else {
            RTMIN + rest.strip_prefix('+')?.parse::<u8>().ok().map(i32::from)?
        }
    } else {
        let rest = name.strip_prefix("RTMAX")?;
        if rest.is_empty() {
            RTMAX
        } else {
            RTMAX - rest.strip_prefix('-')?.parse::<u8>().ok().map(i32::from)?
        }
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize - 1) {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 >= RTMIN => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_name_and_number() {
        for (text, want) in [
            ("9", Some(9)),
            ("KILL", Some(9)),
            ("sigkill", Some(9)),
            ("SIGTERM", Some(15)),
            ("SYS", Some(31)),
            ("RTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("0", None),
            ("65", None),
            ("NOPE", None),
            ("RTMIN+31", None),
            ("RTMAX+1", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Signal>().ok().map(Signal::number), want, "{text}");
        }
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
        assert_eq!(Signal(37).to_string(), "SIGRTMIN+3");
    }
}
