//! `sampan system ...`, a file a verb.

mod df;
mod prune;
mod service;

pub(super) use df::Df;
pub(super) use prune::Prune;
pub(super) use service::{Install, Keep, StopContainers, Uninstall};
