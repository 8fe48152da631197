//! From a bundle to a process: an OCI runtime (runtime specification 1.2) as a library of blocking functions, for
//! programs with one thread.
//!
//! # A start, as a script
//! The same numbers stand in the code of both sides.
//!
//! | | parent | child |
//! |---|---|---|
//! | 1 | [`prepare`]: read the configuration, refuse what cannot be done, make the cgroup | |
//! | 2 | clone into new name spaces and the cgroup of version 2 | |
//! | 3 | | enter the cgroups of version 1, join name spaces, raise `lo`, send *ready* |
//! | 4 | [`Prepared::mount`]: make the root and the volumes as detached mounts, send them | |
//! | 5 | | attach them, make `/dev`, `/proc`, ... |
//! | | hooks, where there are any, between two *hooks* | |
//! | | | pivot, open the terminal, send *mounted* |
//! | 6 | [`Prepared::start`]: send *go* | |
//! | 7 | | set sysctls, user, capabilities, directory, seccomp; execute |
//! | 8 | the socket closes at execution: [`Running`] | |
//!
//! A child that fails sends a [`Failure`] instead. What the configuration asks for and this runtime cannot do is a
//! failure that names it.

mod apart;
mod child;
pub mod cli;
mod exec;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hooks;
mod identity;
pub mod init;
mod launch;
mod limits;
mod options;
mod plan;
mod rootfs;
mod seccomp;
mod wire;

pub use exec::{ExecProcess, ExecTarget, exec};
pub use launch::{Prepared, Running, Sandbox, prepare};
pub use sampan_spec::journal::Failure;

use sampan_spec::bundle::RootFs;
use sampan_spec::oci;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// Sets limits of a container that runs; what is not in `resources` stays.
///
/// # Errors
/// What is not supported, or what the kernel refuses: limits that were set before that stay set.
pub fn update(cgroup: &sampan_sys::cgroup::Cgroup, resources: &oci::LinuxResources) -> Result<(), Failure> {
    let limits = limits::limits(resources)?;
    cgroup.limit(&limits).map_err(|error| limits::cgroup_failure(&error))
}

/// A root file system as a detached mount, without a process in it.
///
/// # Errors
/// What could not be mounted.
pub fn root(rootfs: &RootFs) -> Result<OwnedFd, Failure> {
    rootfs::root(rootfs)
}

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The container's id: names its keyring, and its cgroup where the configuration names none.
    pub id: &'a str,
    /// The bundle's folder: relative sources of mounts are below it.
    pub bundle: &'a Path,
    /// The bundle's `config.json`.
    pub config: &'a oci::Spec,
    /// What the root file system is made of, instead of the configuration's `root.path`.
    pub rootfs: &'a RootFs,
    /// The process's standard streams.
    pub stdio: Stdio<'a>,
    /// What an earlier run of the same container left: its network name space and cgroup are used again.
    pub sandbox: Option<&'a Sandbox>,
    /// Open a NETLINK_ROUTE socket in the network name space for the caller.
    pub want_netlink: bool,
    /// SIGKILL for the process when the calling thread ends.
    pub die_with_parent: bool,
    /// What the caller has otherwise than usual.
    pub unusual: Unusual,
}

/// What a caller may have otherwise than usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unusual {
    /// So many descriptors from 3 on, which the caller was started with, are the process's too.
    pub preserve_fds: u32,
    /// The root is changed by chroot(2): pivot_root(2) refuses where `/` is a ramdisk.
    pub no_pivot: bool,
    /// The process stays in the caller's session keyring.
    pub no_new_keyring: bool,
}

/// A process's standard streams.
#[derive(Clone, Copy, Debug)]
pub enum Stdio<'a> {
    /// Three descriptors, which become 0, 1 and 2.
    Pipes {
        /// Standard input.
        stdin: BorrowedFd<'a>,
        /// Standard output.
        stdout: BorrowedFd<'a>,
        /// Standard error.
        stderr: BorrowedFd<'a>,
    },
    /// A new terminal of the container's own devpts; the caller gets its master.
    Terminal {
        /// Rows and columns; else the configuration's `consoleSize`, else 0 and 0.
        size: Option<(u16, u16)>,
    },
}
