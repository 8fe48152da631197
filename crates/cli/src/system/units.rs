//! The systemd units (systemd.unit(5)), the same for an installed engine and for one that is started on demand.
//!
//! `sampan.socket` holds the listening socket, so that clients can connect while no daemon runs. `sampan.service` is the
//! daemon, which may be killed and replaced without its containers. `sampan-containers.service` is where the containers
//! live: it is delegated, outlives emptiness, and stopping it (the daemon first) is what stops them at shutdown.

use std::path::Path;

/// The socket's unit.
pub(crate) const SOCKET: &str = "sampan.socket";
/// The daemon's unit.
pub(crate) const SERVICE: &str = "sampan.service";
/// The containers' unit.
pub(crate) const CONTAINERS: &str = "sampan-containers.service";
/// Where the engine listens.
pub(crate) const SOCKET_PATH: &str = "/run/sampan.sock";
/// Where Docker's clients look for an engine.
pub(crate) const DOCKER_SOCKET: &str = "/run/docker.sock";
/// The group that may use Docker's socket.
pub(crate) const DOCKER_GROUP: &str = "docker";
/// In the socket's unit: the group was made for it, and goes with it.
pub(crate) const GROUP_MARK: &str = "X-SampanMadeGroup=yes";

/// What the units are made for.
pub(crate) struct Units<'a> {
    /// The program.
    pub sampan: &'a Path,
    /// Listen on Docker's socket too.
    pub docker_socket: bool,
    /// The group `docker` did not exist before.
    pub made_group: bool,
}

impl Units<'_> {
    /// Names and texts.
    pub(crate) fn all(&self) -> [(&'static str, String); 3] {
        [(CONTAINERS, self.containers()), (SOCKET, self.socket()), (SERVICE, self.service())]
    }

    fn containers(&self) -> String {
        format!(
            "[Unit]
Description=Sampan containers
After=network.target local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop={sampan} system stop-containers
TimeoutStopSec=infinity
Delegate=yes
TasksMax=infinity
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
",
            sampan = quoted(self.sampan)
        )
    }

    fn socket(&self) -> String {
        let mark = if self.made_group { format!("{GROUP_MARK}\n") } else { String::new() };
        let docker = if self.docker_socket {
            format!("ListenStream={DOCKER_SOCKET}\nSocketGroup={DOCKER_GROUP}\n")
        } else {
            String::new()
        };
        format!(
            "[Unit]
Description=Sampan engine's socket
{mark}
[Socket]
ListenStream={SOCKET_PATH}
{docker}SocketMode=0660
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"
        )
    }

    fn service(&self) -> String {
        format!(
            "[Unit]
Description=Sampan container engine
Requires={SOCKET} {CONTAINERS}
After={SOCKET} {CONTAINERS} network.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={sampan} daemon -H fd://
KillMode=process
Restart=always
TasksMax=infinity

[Install]
WantedBy=multi-user.target
",
            sampan = quoted(self.sampan)
        )
    }
}

/// A path as a unit's command line takes it (systemd.service(5), "Command lines").
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%").replace('$', "$$").replace('\\', "\\\\");
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let units =
            Units { sampan: Path::new("/usr/local/bin/sampan"), docker_socket: true, made_group: true };
        let text: Vec<_> = units.all().iter().map(|(name, text)| format!("# {name}\n{text}")).collect();
        insta::assert_snapshot!(text.join("\n"));
        let plain = Units { docker_socket: false, made_group: false, ..units };
        assert!(!plain.socket().contains("docker") && !plain.socket().contains("X-"));
    }

    #[test]
    fn paths_are_quoted() {
        assert_eq!(quoted(Path::new("/a b/%x\"$")), "\"/a b/%%x\\\"$$\"");
    }
}
