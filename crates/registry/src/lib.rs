//! The client's side of the distribution protocol (OCI distribution specification 1.1; Docker's registry protocol 2).
//!
//! A [`Registry`] is one repository at the addresses where it may be had: mirrors first, and TLS before plain HTTP where
//! that is allowed at all. [`manifests::get`] finds out which of them answers, [`blobs::open`] streams content from there and
//! goes on where a broken transfer ended. Digests of manifests are verified here; those of blobs by whoever keeps them,
//! since only he sees all bytes of one that is resumed.
//!
//! Errors are worded as Docker's users know them.

mod authorization;
pub mod blobs;
mod challenge;
mod dial;
mod endpoint;
mod error;
pub mod login;
pub mod manifests;
mod problem;
mod redirect;
mod registry;
mod request;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod transport;

pub use endpoint::{Config, Insecure, Mirror, ParseInsecureError, ParseMirrorError};
pub use error::{DialError, Error};
pub use problem::{Problem, Problems};
pub use registry::{Credentials, Registry, open};
