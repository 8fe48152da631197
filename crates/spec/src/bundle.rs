//! The bundle: all that a monitor needs to run one container, as a folder that the daemon writes and forgets.
//!
//! ```text
//! <exec-root>/containers/<id>/
//!   config.json      the OCI runtime configuration (runtime specification 1.2, config.md)
//!   supervise.json   this module's `Supervise`
//!   monitor.sock     the monitor's socket, bound by the daemon and inherited by the monitor
//!   hostname hosts resolv.conf    bind-mounted into the container
//! ```

use crate::{ContainerId, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of [`Supervise`]: a monitor refuses any other. Format break.
pub const VERSION: u32 = 1;
/// The file name of the OCI configuration.
pub const CONFIG: &str = "config.json";
/// The file name of [`Supervise`].
pub const SUPERVISE: &str = "supervise.json";
/// The file name of the monitor's socket.
pub const SOCKET: &str = "monitor.sock";

/// A mount option in `config.json` that only this runtime knows: what follows is the folder or file below the source that is
/// mounted in its place, reached through no link that leads out of the source.
pub const SUBPATH: &str = "x-sampan.subpath=";
/// Another: a copy of the file at the source is mounted in its place, which nobody but the container has.
pub const COPY: &str = "x-sampan.copy";

/// How to keep a container: everything that is not in the OCI configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervise {
    /// [`VERSION`].
    pub version: u32,
    /// The container.
    pub id: ContainerId,
    /// What its root file system is made of.
    pub rootfs: RootFs,
    /// The journal's path. The folder exists.
    pub journal: PathBuf,
    /// Where its output goes besides the attached clients. `None`: it is not kept.
    pub log: Option<Log>,
    /// What its standard input is.
    pub stdin: Stdin,
    /// Whether the daemon configures its network name space before it starts.
    pub sandbox: Sandbox,
    /// What to do when its process ends.
    pub restart: Restart,
    /// How to stop it.
    pub stop: Stop,
    /// How to see whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// Whether the daemon removes it when it has ended (`--rm`): then clients that wait for the removal are kept until
    /// the daemon reports it.
    pub remove: bool,
}

/// A root file system, made as a detached mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RootFs {
    /// An overlay (Linux Documentation/filesystems/overlayfs.rst).
    Overlay {
        /// The layers' folders, topmost first. At least one.
        lower: Vec<PathBuf>,
        /// The writable layer.
        upper: PathBuf,
        /// Overlayfs's work folder, on the same file system as `upper`.
        work: PathBuf,
        /// Do not sync at unmount (the option `volatile`): the container goes away with its end.
        volatile: bool,
    },
    /// A folder as it is.
    Path {
        /// The folder.
        path: PathBuf,
    },
}

/// A container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How it is written.
    pub format: LogFormat,
    /// The file; older ones have `.1`, `.2`, ... behind the name. The folder exists.
    pub path: PathBuf,
    /// Rotate above this many bytes.
    pub max_size: Option<u64>,
    /// Keep this many files, the current one included.
    pub max_files: u32,
    /// Compress the older ones.
    pub compress: bool,
    /// What each line bears besides, where the format can.
    pub attributes: BTreeMap<String, String>,
}

/// The form of a log's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Docker's `json-file`: an object a line.
    JsonFile,
    /// Docker's `local`: records with their length before and behind.
    Local,
}

/// A container's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// Open as long as the container runs, whoever attaches.
    Open,
    /// Closed after the first attached client's end of input.
    Once,
}

/// Whose network a container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// The configuration names no new network name space: the host's or another container's.
    Shared,
    /// A new name space with `lo` up, and nothing else to come.
    Isolated,
    /// A new name space that the daemon configures between `Prepare` and `Start`.
    Configured,
}

/// A restart policy (`docker run --restart`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// After every end, and when the engine starts.
    Always,
    /// As `Always`, unless the user stopped it.
    UnlessStopped,
    /// After an end with an exit code other than 0.
    OnFailure {
        /// Give up after this many restarts; 0 is never.
        max_retries: u32,
    },
}

/// How to stop a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The signal that asks it to end.
    pub signal: Signal,
    /// How long it may take before SIGKILL, in seconds. `None` waits for ever.
    pub timeout: Option<u32>,
}

/// A health check. Times are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The OCI process that a probe executes.
    pub process: Box<crate::oci::Process>,
    /// From a probe's end, or the start, to the next probe.
    pub interval: u64,
    /// How long a probe may take.
    pub timeout: u64,
    /// Failures of probes begun in this time after the start do not count until one has succeeded.
    pub start_period: u64,
    /// Instead of `interval` in that time, until one has succeeded.
    pub start_interval: u64,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn supervise() -> Supervise {
        let path = |name: &str| PathBuf::from("/x").join(name);
        Supervise {
            version: VERSION,
            id: ContainerId::from_bytes([7; 32]),
            rootfs: RootFs::Overlay {
                lower: vec![path("a"), path("b")],
                upper: path("upper"),
                work: path("work"),
                volatile: true,
            },
            journal: path("journal"),
            log: Some(Log {
                format: LogFormat::JsonFile,
                path: path("log"),
                max_size: Some(1 << 20),
                max_files: 3,
                compress: true,
                attributes: [("tag".to_owned(), "t".to_owned())].into(),
            }),
            stdin: Stdin::Once,
            sandbox: Sandbox::Configured,
            restart: Restart::OnFailure { max_retries: 3 },
            stop: Stop { signal: Signal::TERM, timeout: Some(10) },
            health: Some(HealthCheck {
                process: Box::default(),
                interval: 1,
                timeout: 2,
                start_period: 0,
                start_interval: 3,
                retries: 4,
            }),
            remove: false,
        }
    }

    #[test]
    fn it_reads_back_and_nothing_unknown_passes() {
        let mut json = serde_json::to_value(supervise()).unwrap();
        assert_eq!(serde_json::from_value::<Supervise>(json.clone()).unwrap(), supervise());
        json["later"] = true.into();
        assert!(serde_json::from_value::<Supervise>(json).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_bundle_or_an_error(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut text = serde_json::to_vec(&supervise()).unwrap();
            for (at, byte) in damage {
                let at = at.index(text.len());
                text[at] = byte;
            }
            if let Ok(read) = serde_json::from_slice::<Supervise>(&text) {
                let again = serde_json::to_vec(&read).unwrap();
                prop_assert_eq!(serde_json::from_slice::<Supervise>(&again).unwrap(), read);
            }
        }
    }
}
