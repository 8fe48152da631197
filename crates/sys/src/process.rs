//! Processes by descriptor: clone3(2), pidfd_open(2), and a detached start that a threaded program may use.

mod child;
mod detached;
mod inherited;
mod open_files;
mod pidfd;

pub use child::{Child, Namespaces, clone, close_on_exec_from, execute, join, leave, reset_signals, unshare};
pub use detached::spawn_detached;
pub use inherited::inherited;
pub use open_files::raise_open_files;
pub use pidfd::{Ended, pidfd_open, signal, try_wait, wait};
