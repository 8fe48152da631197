//! What is there, in memory.

/// The index of a store.
#[derive(Debug)]
pub(crate) struct Index;
