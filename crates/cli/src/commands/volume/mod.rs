//! `sampan volume ...`, a file a verb.

mod create;
pub(super) mod ls;
pub(super) mod prune;
mod rm;

pub(super) use create::Create;
pub(super) use ls::Ls;
pub(super) use prune::Prune;
pub(super) use rm::Rm;
