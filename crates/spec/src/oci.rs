//! A container's configuration as the OCI's runtime specification 1.3 defines it (config.md), and the state that hooks
//! and callers read (runtime.md).
//!
//! Names are the specification's, and so is their meaning: it is not told again here. Whatever may be missing is an
//! `Option`, lists too, so that `null` is read as well. What is not known is passed over, as the specification asks; a
//! value that is none of those listed is an error which names it.
#![allow(missing_docs, reason = "the fields are the specification's")]

mod capability;
mod linux;
mod process;
mod resources;
mod seccomp;

pub use capability::Capability;
pub use linux::*;
pub use process::*;
pub use resources::*;
pub use seccomp::*;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Declares objects: the fields before the `;` must be there, those behind it may be missing.
macro_rules! objects {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$must_meta:meta])* $must:ident: $must_type:ty,)* ;
            $($(#[$may_meta:meta])* $may:ident: $may_type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$must_meta])* pub $must: $must_type,)*
            $($(#[$may_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $may: Option<$may_type>,)*
        }
    )*};
}

/// Declares enumerations, each value with its word.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($value:ident = $word:literal,)* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $value,)* }

        impl $name {
            /// All values, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$value,)*];

            /// The word that stands for it in a configuration.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }
    )*};
}

use {objects, words};

/// The specification's version that configurations and states of ours name.
pub const VERSION: &str = "1.3.0";

objects! {
    /// `config.json`.
    #[derive(Default)]
    Spec {
        #[serde(rename = "ociVersion", default)]
        version: String,
        ;
        process: Process,
        root: Root,
        hostname: String,
        domainname: String,
        mounts: Vec<Mount>,
        hooks: Hooks,
        annotations: BTreeMap<String, String>,
        linux: Linux,
        /// For other systems than Linux: only whether it is there matters.
        solaris: Foreign,
        windows: Foreign,
        vm: Foreign,
        zos: Foreign,
        freebsd: Foreign,
    }

    #[derive(Default)]
    Root { path: PathBuf, ; readonly: bool, }

    #[derive(Default)]
    Mount {
        destination: PathBuf,
        ;
        #[serde(rename = "type")]
        typ: String,
        source: PathBuf,
        options: Vec<String>,
        uid_mappings: Vec<LinuxIdMapping>,
        gid_mappings: Vec<LinuxIdMapping>,
    }

    #[derive(Default)]
    Hooks {
        ;
        prestart: Vec<Hook>,
        create_runtime: Vec<Hook>,
        create_container: Vec<Hook>,
        start_container: Vec<Hook>,
        poststart: Vec<Hook>,
        poststop: Vec<Hook>,
    }

    #[derive(Default)]
    Hook {
        path: PathBuf,
        ;
        args: Vec<String>,
        env: Vec<String>,
        /// Seconds.
        timeout: i64,
    }

    /// What hooks read on their standard input, and callers of `state`.
    State {
        oci_version: String,
        id: String,
        status: ContainerState,
        pid: i32,
        bundle: PathBuf,
        ;
        annotations: BTreeMap<String, String>,
    }
}

words! {
    /// Where a container is in its life; `paused` is not in the specification, but everywhere.
    ContainerState {
        Creating = "creating",
        Created = "created",
        Running = "running",
        Paused = "paused",
        Stopped = "stopped",
    }
}

impl Hooks {
    /// All lists, in the order in which their turn comes.
    pub fn lists(&self) -> [&[Hook]; 6] {
        let Self { prestart, create_runtime, create_container, start_container, poststart, poststop } = self;
        [prestart, create_runtime, create_container, start_container, poststart, poststop]
            .map(|list| list.as_deref().unwrap_or_default())
    }
}

/// A part of a configuration that is not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {}

#[cfg(test)]
mod tests;
