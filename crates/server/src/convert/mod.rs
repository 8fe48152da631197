//! Docker's shapes to the engine's values and back: pure functions, a file per direction.

pub(crate) mod create;
pub(crate) mod event;
pub(crate) mod exec;
mod health;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod networks;
pub(crate) mod pull;
pub(crate) mod registries;
pub(crate) mod stats;
pub(crate) mod unsupported;
pub(crate) mod volume;

#[cfg(test)]
mod sample;
