//! From a process to its supervision: the monitor of one container, its relay, and the keeper of the daemon.
//!
//! The monitor is one thread around poll(2). It owns its container from the bundle to the last client: process 1 and
//! what is executed beside it, their streams, the log, the journal, restarts. A daemon may talk to it and may die at any
//! time; nothing here waits for one, and nothing here syncs a disk.
//!
//! | file | concern |
//! |---|---|
//! | `monitor`, `events` | the loop: what to wait for, whom to tell, when it is over |
//! | `connection`, `requests` | daemons: frames in and out, one function per request |
//! | `client`, `clients`, `waiters` | connections of users that were handed over |
//! | `process`, `streams`, `detach` | standard streams between processes, log and clients |
//! | `container`, `start`, `stop` | process 1's life |
//! | `exec`, `health` | other processes |
//! | `ports`, `relay` | published ports: kept from before its start to its end; what arrives by IPv6 |
//! | `record`, `output`, `packer`, `oom` | journal, log, memory |

mod bundle;
mod client;
mod clients;
mod connection;
mod container;
mod detach;
mod events;
mod exec;
#[cfg(fuzzing)]
pub mod fuzzing;
mod health;
pub mod keep;
mod monitor;
mod oom;
mod output;
mod packer;
mod ports;
mod process;
mod record;
pub mod relay;
mod requests;
mod start;
mod stop;
mod streams;
mod waiters;

pub use bundle::BundleError;
pub use monitor::{MonitorError, run};
pub use packer::{PACK_LOG, pack_log};
