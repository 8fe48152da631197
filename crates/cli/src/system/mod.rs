//! What the command line does to the host: a daemon on demand, the units, the end of all containers.

pub(crate) mod install;
pub(crate) mod on_demand;
pub(crate) mod stop_containers;
pub(crate) mod systemd;
pub(crate) mod undo;
pub(crate) mod uninstall;
pub(crate) mod units;
