//! Walking trees.
