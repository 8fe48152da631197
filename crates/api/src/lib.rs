//! The Engine API as a contract: versions, endpoints, bodies, filters, the framing of streams, and a typed client.
//!
//! The server and the command line share these types; nothing here knows an engine. Names and shapes are those of
//! Docker's Engine API 1.51. Bodies are read as Go reads them: `null` is the same as a field that is not there.

pub mod body;
pub mod endpoint;
pub mod filters;
pub mod human;
pub mod json;
pub mod query;
pub mod socket;
pub mod stdcopy;
pub mod time;
pub mod version;

mod client;
mod error;

pub use client::{
    Address, Body, ByteStream, Client, DEFAULT_HOST, Hijacked, JsonLines, ParseAddressError, Pending,
};
pub use endpoint::Operation;
pub use error::{Error, Result};
pub use filters::Filters;
pub use http::Method;
pub use version::ApiVersion;

/// The content type of a stream of which stdout and stderr are told apart by frames ([`stdcopy`]).
pub const MULTIPLEXED_STREAM: &str = "application/vnd.docker.multiplexed-stream";
/// The content type of a stream without frames (or, before version 1.42, of any).
pub const RAW_STREAM: &str = "application/vnd.docker.raw-stream";
