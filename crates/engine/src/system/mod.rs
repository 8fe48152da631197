//! The engine itself: what it is, and what it has.

mod info;

pub use info::{Info, Limitable, info};
