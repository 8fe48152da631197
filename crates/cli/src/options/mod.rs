//! Values of flags that are more than a word: each parser is pure, and refuses in Docker's words.

pub(crate) mod cpus;
pub(crate) mod devices;
pub(crate) mod env;
pub(crate) mod filter;
pub(crate) mod hosts;
pub(crate) mod mounts;
pub(crate) mod networks;
pub(crate) mod numbers;
pub(crate) mod ports;
pub(crate) mod security;
pub(crate) mod sysctls;
pub(crate) mod ulimits;
pub(crate) mod volumes;
