//! From a request to a verb and back, a file per noun.

pub(crate) mod archive;
pub(crate) mod container;
pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod image;
mod logs;
pub(crate) mod network;
mod pull;
pub(crate) mod stats;
mod stream;
pub(crate) mod system;
pub(crate) mod usage;
pub(crate) mod volume;
