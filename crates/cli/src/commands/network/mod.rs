//! `sampan network ...`, a file a verb.

mod ls;

pub(super) use ls::Ls;
