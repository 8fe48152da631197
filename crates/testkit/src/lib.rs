//! What tests share: a real daemon in a network of its own, clients that drive it, images made on the spot, and a list of
//! everything a daemon may leave behind.
//!
//! Everything here panics where a test should fail, and cleans up when it is dropped, also after a panic.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and tells why")]

mod ask;
mod client;
mod daemon;
mod image;
mod leaks;
mod network;
mod process;
pub mod registry;
mod session;

pub use ask::Answer;
pub use client::{Cli, Output};
pub use daemon::{Daemon, Programs};
pub use image::{docker_archive, root_file_system, tar_of};
pub use network::Network;
pub use process::{eventually, pids_mentioning, soon, within};
pub use session::Session;

/// The programs that cargo has built for this package's integration tests.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::Programs {
            sampan: env!("CARGO_BIN_EXE_sampan").into(),
            runtime: env!("CARGO_BIN_EXE_sampan-runtime").into(),
        }
    };
}

/// The folder where `cargo xtask setup` puts what tests need and no package brings: `tools`, in cargo's target folder.
#[macro_export]
macro_rules! tools {
    () => {
        // This is TARGET/ARCHITECTURE/tmp.
        ::std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("../../tools")
    };
}
