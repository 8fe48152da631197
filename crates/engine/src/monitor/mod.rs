//! The daemon's end of a monitor's socket, and the connections of clients that are handed through it.

mod connection;
mod handover;

pub(crate) use connection::{CallError, Connection, Entries, Prepared};
pub use handover::Handover;
