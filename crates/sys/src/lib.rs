//! Linux as safe functions: what the standard library and `rustix` do not offer, or offer only as unsafe.
//!
//! This is the only crate with `unsafe`. It knows nothing of containers, images or configuration formats.
#![allow(unsafe_code, reason = "this crate exists to hold it")]

pub mod bpf;
pub mod cgroup;
pub mod datagram;
pub mod heap;
pub mod host;
pub mod memfd;
pub mod mount;
pub mod netlink;
pub mod nft;
pub mod overlay;
pub mod process;
pub mod scheduling;
pub mod seccomp;
pub mod signals;
pub mod socket;
