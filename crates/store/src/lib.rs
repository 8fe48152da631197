//! Things at rest: images, their layers, names and blobs, containers' writable layers, and records of any kind.
//!
//! Everything blocks and may be called from many threads at once. An object on disk is one file or folder that is made
//! complete under `tmp/` and renamed into place, so that a process killed at any moment leaves nothing half-done;
//! what is in memory is an index rebuilt by scanning. Verbs are free functions over a [`Store`]:
//!
//! - images: [`intake`] (from registries), [`load::load`], [`import::import`], [`builtin::ensure`]; [`images::list`], [`images::resolve`],
//!   [`images::get`]; [`names::tag`], [`remove::untag`], [`remove::delete`], [`remove::remove`]; [`gc::collect`]
//! - containers: [`rw::create`], [`snapshots::rootfs`], [`rw::remove`], [`rw::size`], [`lookup::read_file`], [`diff::changes`]
//! - volumes: [`volumes::make`], [`volumes::fill`], [`volumes::discard`]
//! - any object: [`records::Directory`]

mod atomic;
pub mod blobs;
pub mod builtin;
mod commit;
mod copy;
pub mod diff;
mod error;
mod extract;
pub mod gc;
pub mod images;
pub mod import;
mod index;
pub mod ingest;
pub mod intake;
mod layout;
mod lease;
pub mod load;
pub mod lookup;
pub mod names;
pub mod records;
pub mod remove;
pub mod rw;
mod skeleton;
pub mod snapshots;
mod spool;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unpack;
pub mod volumes;
mod walk;

pub use commit::Replaced;
pub use error::{Error, LayerError};
pub use extract::{ApplyError, Refusal};
pub use ingest::Ingest;
pub use intake::Intake;
pub use lease::{Lease, lease};
pub use store::{Damaged, Store};
pub use unpack::Layer;
