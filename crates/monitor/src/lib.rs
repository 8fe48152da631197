//! From a process to its supervision: the monitor of one container, and the keeper of the daemon.

pub mod keep;
