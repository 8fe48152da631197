//! Where clients come in: unix sockets, TCP on loopback, and sockets that were handed over (sd_listen_fds(3)).

use crate::group::{GroupError, group_id};
use rustix::net::SocketAddrAny;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use sampan_api::socket::Socket;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, chown};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// The first descriptor that is handed over.
const FIRST_FD: i32 = 3;
const GROUPS: &str = "/etc/group";
/// Docker's port without TLS.
const DEFAULT_PORT: u16 = 2375;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix {
        listener: UnixListener,
        /// The file that was made for it, if it was: removed at the end.
        made: Option<PathBuf>,
    },
    Tcp(TcpListener),
}

/// The daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address has an unknown form.
    #[error("invalid host {0:?}: use unix:///PATH, tcp://127.0.0.1:PORT or fd://")]
    Host(String),
    /// Anybody who can reach a TCP socket without TLS would be root.
    #[error(
        "will not listen on {0}: without TLS, whoever reaches it is root on this machine. Use a loopback address \
         (127.0.0.1, [::1], localhost), or a unix socket through ssh"
    )]
    NotLoopback(String),
    /// Somebody listens there already.
    #[error("cannot listen on {0}: another daemon is listening there")]
    InUse(PathBuf),
    /// `fd://`, and nothing was handed over.
    #[error(
        "fd:// asks for sockets that were handed over, and there are none (is this run by the socket's systemd unit?)"
    )]
    NothingHandedOver,
    /// What was handed over cannot be used.
    #[error("the handed over descriptor {0} is no listening unix or TCP socket")]
    WrongDescriptor(i32, #[source] io::Error),
    /// The socket's group does not exist.
    #[error("cannot give the socket to group {name}")]
    Group {
        /// As it was given.
        name: String,
        /// Why.
        source: GroupError,
    },
    /// The system refused.
    #[error("cannot listen on {host}")]
    Bind {
        /// Where.
        host: String,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Opens everything that `host` stands for. `group` may use unix sockets made here.
    ///
    /// # Errors
    /// When the address is no good or cannot be listened on.
    pub(crate) fn open(host: &str, group: Option<&str>) -> Result<Vec<Self>, ListenError> {
        if let Some(path) = host.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return unix(Path::new(path), group).map(|listener| vec![listener]);
        }
        if let Some(address) = host.strip_prefix("tcp://") {
            return tcp(host, address).map(|listener| vec![listener]);
        }
        if host.starts_with("fd://") {
            return handed_over();
        }
        Err(ListenError::Host(host.to_owned()))
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Unix { listener, .. } => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { made: Some(path), .. } = self {
            // Whoever removed it before was quicker.
            let _ = fs::remove_file(path);
        }
    }
}

fn unix(path: &Path, group: Option<&str>) -> Result<Listener, ListenError> {
    let host = || format!("unix://{}", path.display());
    let fail = |source| ListenError::Bind { host: host(), source };
    let group_error = |name: &str, source| ListenError::Group { name: name.to_owned(), source };
    let group =
        group.map(|name| group_id(Path::new(GROUPS), name).map_err(|e| group_error(name, e))).transpose()?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    remove_dead(path)?;
    // Between bind and chmod nobody else may connect.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o117));
    let bound = std::os::unix::net::UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = bound.map_err(fail)?;
    if let Some(group) = group {
        chown(path, None, Some(group)).map_err(fail)?;
    }
    let listener =
        listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener)).map_err(fail)?;
    Ok(Listener::Unix { listener, made: Some(path.to_owned()) })
}

/// Removes a socket that nobody listens on any more. Anything else stays, and bind will complain.
fn remove_dead(path: &Path) -> Result<(), ListenError> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(_) => fs::remove_file(path)
            .map_err(|source| ListenError::Bind { host: format!("unix://{}", path.display()), source }),
    }
}

fn tcp(host: &str, address: &str) -> Result<Listener, ListenError> {
    let fail = |source| ListenError::Bind { host: host.to_owned(), source };
    let address = parse_tcp(address).ok_or_else(|| match address.trim_end_matches('/') {
        "" => ListenError::Host(host.to_owned()),
        _ => ListenError::NotLoopback(host.to_owned()),
    })?;
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback(host.to_owned()));
    }
    let listener = std::net::TcpListener::bind(address).map_err(fail)?;
    let listener =
        listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)).map_err(fail)?;
    Ok(Listener::Tcp(listener))
}

/// `127.0.0.1:2375`, `[::1]`, `localhost:80`. Other names are not resolved: they would not be loopback.
fn parse_tcp(text: &str) -> Option<SocketAddr> {
    let text = text.trim_end_matches('/');
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some((ip, DEFAULT_PORT).into());
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, port.parse().ok()?),
        None => (text, DEFAULT_PORT),
    };
    (name == "localhost").then_some((Ipv4Addr::LOCALHOST, port).into())
}

fn handed_over() -> Result<Vec<Listener>, ListenError> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
    let ours = number("LISTEN_PID").is_none_or(|pid| u32::try_from(pid) == Ok(std::process::id()));
    match number("LISTEN_FDS") {
        Some(count) if ours && count > 0 => {
            (FIRST_FD..FIRST_FD.saturating_add(count)).map(inherited).collect()
        }
        _ => Err(ListenError::NothingHandedOver),
    }
}

fn inherited(number: i32) -> Result<Listener, ListenError> {
    let wrong = |error: io::Error| ListenError::WrongDescriptor(number, error);
    let socket = own_descriptor(number).map_err(wrong)?;
    let listening = rustix::net::sockopt::socket_acceptconn(&socket).map_err(|e| wrong(e.into()))?;
    if !listening {
        return Err(wrong(io::ErrorKind::NotConnected.into()));
    }
    let address = rustix::net::getsockname(&socket).map_err(|e| wrong(e.into()))?;
    if address.address_family() == rustix::net::AddressFamily::UNIX {
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true).map_err(wrong)?;
        let listener = UnixListener::from_std(listener).map_err(wrong)?;
        return Ok(Listener::Unix { listener, made: None });
    }
    refuse_far(address).map_err(|far| far.map_or_else(|e| wrong(e.into()), ListenError::NotLoopback))?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true).map_err(wrong)?;
    Ok(Listener::Tcp(TcpListener::from_std(listener).map_err(wrong)?))
}

/// A TCP socket that is handed over is held to the same rule as one made here.
fn refuse_far(address: SocketAddrAny) -> Result<(), Result<String, rustix::io::Errno>> {
    let address = SocketAddr::try_from(address).map_err(Err)?;
    if address.ip().is_loopback() { Ok(()) } else { Err(Ok(format!("tcp://{address}"))) }
}

/// A descriptor that this process was started with, as an owned one (a duplicate, by pidfd_getfd(2) on ourselves).
fn own_descriptor(number: i32) -> io::Result<OwnedFd> {
    let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap_or(0)).ok_or(io::ErrorKind::NotFound)?;
    let process = rustix::process::pidfd_open(own, PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_loopback_is_listened_on() {
        for (text, want) in [
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("127.0.0.1", Some("127.0.0.1:2375")),
            ("[::1]:80/", Some("[::1]:80")),
            ("[::1]", Some("[::1]:2375")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("localhost", Some("127.0.0.1:2375")),
            ("example.org:80", None),
            ("localhost:port", None),
        ] {
            assert_eq!(parse_tcp(text).map(|a| a.to_string()).as_deref(), want, "{text}");
        }
        for host in ["tcp://0.0.0.0:2375", "tcp://192.0.2.1:1", "tcp://example.org"] {
            assert!(matches!(Listener::open(host, None), Err(ListenError::NotLoopback(_))), "{host}");
        }
        for host in ["http://x", "unix://relative", "tcp://", ""] {
            assert!(matches!(Listener::open(host, None), Err(ListenError::Host(_))), "{host}");
        }
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/x.sock");
        let host = format!("unix://{}", path.display());
        let first = Listener::open(&host, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(Listener::open(&host, None), Err(ListenError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        Listener::open(&host, None).unwrap();
        assert!(matches!(Listener::open(&host, Some("no such group")), Err(ListenError::Group { .. })));
    }

    #[tokio::test]
    async fn handed_over_sockets_are_told_apart() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(inherited(tcp.as_raw_fd()).unwrap(), Listener::Tcp(_)));
        let folder = tempfile::tempdir().unwrap();
        let unix = std::os::unix::net::UnixListener::bind(folder.path().join("x")).unwrap();
        assert!(matches!(inherited(unix.as_raw_fd()).unwrap(), Listener::Unix { made: None, .. }));
        let far = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(matches!(inherited(far.as_raw_fd()), Err(ListenError::NotLoopback(_))));
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(matches!(inherited(stream.as_raw_fd()), Err(ListenError::WrongDescriptor(..))));
        assert!(matches!(inherited(9999), Err(ListenError::WrongDescriptor(..))));
    }

    proptest! {
        #[test]
        fn any_address_is_read_or_refused(text in "(localhost)?[0-9.:\\[\\]/]{0,16}") {
            if let Some(address) = parse_tcp(&text) {
                prop_assert_eq!(parse_tcp(&address.to_string()), Some(address));
            }
        }
    }
}
