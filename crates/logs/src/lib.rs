//! What a container leaves on disk while it runs: its [`journal`], and its output in its [`log`].
//!
//! Both are written by the monitor only, which never waits for a disk: nothing here syncs. What reads them is the daemon,
//! and the monitor for clients that follow.

pub mod journal;
pub mod log;
#[cfg(test)]
mod testing;
