//! The invariants between an image's documents and its content.
