//! Where things lie.
//!
//! ```text
//! <data-root>/containers/<id>/container.json   the record           (with --rm: in the exec-root)
//!                             journal          what happened to it  (with --rm: in the exec-root)
//!                             rw/              its writable layer
//!                             log/<id>-json.log  or local.log
//!             volumes/<name>/                  see `sampan_store::volumes`
//! <data-root>/events                           what happened
//! <exec-root>/containers/<id>/                 the bundle, see `sampan_spec::bundle`
//!                             endpoint.json    its place in a network while it runs
//!                             monitor.log      what its monitor had to say
//! ```

use sampan_spec::{ContainerId, bundle};
use std::path::{Path, PathBuf};

/// The two roots.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) data_root: PathBuf,
    pub(crate) exec_root: PathBuf,
}

/// One container's files.
#[derive(Clone, Debug)]
pub(crate) struct ContainerPaths {
    /// On disk: writable layer and log.
    pub(crate) home: PathBuf,
    /// Record and journal.
    pub(crate) records: PathBuf,
    /// The bundle.
    pub(crate) bundle: PathBuf,
    pub(crate) id: ContainerId,
}

/// A record's file name.
pub(crate) const RECORD: &str = "container.json";

impl Paths {
    pub(crate) fn homes(&self) -> PathBuf {
        self.data_root.join("containers")
    }

    /// What happened, see `event::file`.
    pub(crate) fn events(&self) -> PathBuf {
        self.data_root.join("events")
    }

    pub(crate) fn bundles(&self) -> PathBuf {
        self.exec_root.join("containers")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.data_root.join("volumes")
    }

    /// A container's files; those of one that removes itself are kept in memory as far as possible.
    pub(crate) fn container(&self, id: &ContainerId, removes_itself: bool) -> ContainerPaths {
        let home = self.homes().join(id.as_str());
        let bundle = self.bundles().join(id.as_str());
        let records = if removes_itself { bundle.clone() } else { home.clone() };
        ContainerPaths { home, records, bundle, id: id.clone() }
    }
}

impl ContainerPaths {
    pub(crate) fn record(&self) -> PathBuf {
        self.records.join(RECORD)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.records.join("journal")
    }

    pub(crate) fn json_log(&self) -> PathBuf {
        self.home.join("log").join(format!("{}-json.log", self.id))
    }

    pub(crate) fn local_log(&self) -> PathBuf {
        self.home.join("log").join("local.log")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.bundle.join(bundle::SOCKET)
    }

    pub(crate) fn endpoint(&self) -> PathBuf {
        self.bundle.join("endpoint.json")
    }

    pub(crate) fn monitor_log(&self) -> PathBuf {
        self.bundle.join("monitor.log")
    }

    pub(crate) fn names_file(&self, name: &str) -> PathBuf {
        self.bundle.join(name)
    }
}

/// The parts of a bundle that are made anew for each launch.
pub(crate) fn is_runtime_file(path: &Path) -> bool {
    !matches!(path.file_name().and_then(|n| n.to_str()), Some(RECORD | "journal"))
}
