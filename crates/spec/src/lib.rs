//! The vocabulary of Sampan: typed ids, digests, references, sizes, durations, signals, error kinds, and the three contracts
//! between its processes: the bundle, the journal and the monitor's protocol.
//!
//! Nothing here does I/O or knows a system call; every other crate may depend on it.

mod digest;
mod duration;
mod error;
mod failure;
mod id;
mod platform;
mod reference;
mod signal;
mod size;

pub mod bundle;
pub mod health;
pub mod journal;
pub mod monitor;
pub mod oci;
pub mod stream;

pub use digest::{Digest, ParseDigestError};
pub use duration::{ParseDurationError, format_duration, parse_duration};
pub use error::{ErrorKind, with_sources};
pub use id::{ClientId, ContainerId, ExecId, NetworkId, ParseIdError};
pub use jiff::Timestamp;

pub use platform::{ParsePlatformError, Platform};
pub use reference::{ImageName, ParseReferenceError, Reference, Tag};
pub use signal::{ParseSignalError, Signal};
pub use size::{ParseSizeError, format_binary_size, format_size, long_size, parse_decimal_size, parse_size};
