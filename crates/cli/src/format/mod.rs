//! How things are shown to people.

pub(crate) mod duration;
pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod ports;
pub(crate) mod table;
pub(crate) mod template;
pub(crate) mod text;
