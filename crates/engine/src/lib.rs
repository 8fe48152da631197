//! The domain of Sampan: containers, images, volumes and their network, as verbs on an [`Engine`].
//!
//! A module per noun, a file per verb. Nothing here knows HTTP or a command line, and no verb assumes that its caller is
//! on the same machine. A container is an immutable record plus one task that owns its phase ([`container`]); a verb with
//! more than one step says how each is undone ([`steps`]).

mod blocking;
mod boot;
mod clean_up;
mod engine;
mod error;
mod host;
mod monitor;
mod paths;
mod recover;
mod runtime;
mod sandbox;
mod shared;
mod steps;

pub mod container;
pub mod event;
pub mod image;
pub mod network;
pub mod system;
pub mod volume;

pub use clean_up::clean_up;
pub use engine::{Engine, Options};
pub use error::{Error, Result};
pub use monitor::Handover;
