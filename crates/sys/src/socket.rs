//! Unix sockets: descriptors as messages (unix(7), cmsg(3)), paths of any length, and who is at the other end.

use rustix::io::IoSlice;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The kernel takes at most this many descriptors in one message (`SCM_MAX_FD`).
pub const FDS_MAX: usize = 253;
/// `sun_path` holds this many bytes and a NUL.
const PATH_MAX: usize = 107;
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Whether a socket keeps message boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes (`SOCK_STREAM`).
    Stream,
    /// Messages (`SOCK_SEQPACKET`).
    Packets,
}

/// The process at the other end when it connected, as the kernel noted it (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its pid in the caller's pid name space; 0 if it has none there.
    pub pid: i32,
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
}

/// Sends `bytes`, and `fds` with the first of them. Returns how many bytes went out. No SIGPIPE.
///
/// # Errors
/// Those of sendmsg(2); EINVAL for more than [`FDS_MAX`] descriptors, or descriptors without bytes on a stream.
pub fn send_with_fds(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = vec![MaybeUninit::uninit(); space_for(fds.len())];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if fds.len() > FDS_MAX || (!fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parts = [IoSlice::new(bytes)];
    loop {
        match rustix::net::sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Receives bytes and up to `max` descriptors, which are close-on-exec. No bytes means the end.
///
/// # Errors
/// Those of recvmsg(2); `InvalidData` if more descriptors or a longer packet came than there was room for.
pub fn recv_with_fds(socket: impl AsFd, buffer: &mut [u8], max: usize) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = vec![MaybeUninit::uninit(); space_for(max)];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            received => break received?,
        }
    };
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if fds.len() > max || message.flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((message.bytes, fds))
}

/// The room that the kernel needs to pass `fds` descriptors.
fn space_for(fds: usize) -> usize {
    if fds == 0 { 0 } else { rustix::cmsg_space!(ScmRights(fds)) }
}

/// Two connected sockets, close-on-exec.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair(kind: Kind) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind.raw(), SocketFlags::CLOEXEC, None)?)
}

/// A listening stream socket at `path`, which must not exist. Close-on-exec.
///
/// # Errors
/// Those of socket(2), bind(2), listen(2), and of opening the path's folder where the path is long.
pub fn bind_unix(path: &Path) -> io::Result<OwnedFd> {
    bind_unix_as(path, Kind::Stream)
}

/// As [`bind_unix`], of either kind.
///
/// # Errors
/// As [`bind_unix`].
pub fn bind_unix_as(path: &Path, kind: Kind) -> io::Result<OwnedFd> {
    let socket = unix_socket(kind)?;
    let (address, _folder) = address_of(path)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A stream socket connected to the one at `path`. Close-on-exec.
///
/// # Errors
/// Those of socket(2), connect(2), and of opening the path's folder where the path is long.
pub fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    connect_unix_as(path, Kind::Stream)
}

/// As [`connect_unix`], of either kind.
///
/// # Errors
/// As [`connect_unix`].
pub fn connect_unix_as(path: &Path, kind: Kind) -> io::Result<OwnedFd> {
    let socket = unix_socket(kind)?;
    let (address, _folder) = address_of(path)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// Takes the next connection of a listening socket. Close-on-exec, blocking.
///
/// # Errors
/// Those of accept4(2).
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?)
}

/// How much of what was sent the other end has not taken yet: 0 once it has read everything (`SIOCOUTQ`). A unix socket
/// counts the memory that it takes, not the bytes; TCP what was not acknowledged.
///
/// # Errors
/// Those of ioctl(2).
pub fn not_taken(socket: impl AsFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the request writes an int, to a place that lives through the call.
    match unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) } {
        0 => Ok(usize::try_from(count).unwrap_or(0)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Who connected, or who had made the pair.
///
/// # Errors
/// Those of getsockopt(2).
pub fn peer_cred(socket: impl AsFd) -> io::Result<Peer> {
    let mut cred = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to live variables of the given length. Asked directly, because `rustix` holds the pid as
    // non-zero, which it is not for a process of another pid name space.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer { pid: cred.pid, uid: cred.uid, gid: cred.gid })
}

impl Kind {
    fn raw(self) -> SocketType {
        match self {
            Self::Stream => SocketType::STREAM,
            Self::Packets => SocketType::SEQPACKET,
        }
    }
}

fn unix_socket(kind: Kind) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, kind.raw(), SocketFlags::CLOEXEC, None)?)
}

/// A path that does not fit into an address is reached through its folder's descriptor, which must stay open meanwhile.
fn address_of(path: &Path) -> io::Result<(SocketAddrUnix, Option<OwnedFd>)> {
    use rustix::fs::{Mode, OFlags};
    if path.as_os_str().len() <= PATH_MAX {
        return Ok((SocketAddrUnix::new(path)?, None));
    }
    let name: &OsStr = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((SocketAddrUnix::new(short)?, Some(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    #[test]
    fn descriptors_travel_with_bytes() {
        let (a, b) = pair(Kind::Stream).unwrap();
        let mut files: Vec<File> = (0..3).map(|_| tempfile::tempfile().unwrap()).collect();
        files[2].write_all(b"third").unwrap();
        let fds: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        assert_eq!(send_with_fds(&a, b"xyz", &fds).unwrap(), 3);
        let mut buffer = [0; 8];
        let (n, mut got) = recv_with_fds(&b, &mut buffer, 3).unwrap();
        assert_eq!((n, got.len()), (3, 3));
        let mut third = File::from(got.remove(2));
        third.rewind().unwrap();
        let mut text = String::new();
        third.read_to_string(&mut text).unwrap();
        assert_eq!(text, "third");
    }

    #[test]
    fn as_many_descriptors_as_the_kernel_takes() {
        let (a, b) = pair(Kind::Packets).unwrap();
        let fds = vec![a.as_fd(); FDS_MAX];
        send_with_fds(&a, b"x", &fds).unwrap();
        assert_eq!(recv_with_fds(&b, &mut [0; 1], FDS_MAX).unwrap().1.len(), FDS_MAX);
        let more = vec![a.as_fd(); FDS_MAX + 1];
        assert!(send_with_fds(&a, b"x", &more).is_err());
    }

    #[test]
    fn too_many_descriptors_are_an_error_not_a_leak() {
        let (a, b) = pair(Kind::Stream).unwrap();
        send_with_fds(&a, b"x", &[a.as_fd(); 9]).unwrap();
        assert_eq!(recv_with_fds(&b, &mut [0; 1], 1).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_end_is_no_bytes() {
        let (a, b) = pair(Kind::Packets).unwrap();
        drop(a);
        assert_eq!(recv_with_fds(&b, &mut [0; 1], 0).unwrap().0, 0);
    }

    #[test]
    fn paths_of_any_length() {
        let folder = tempfile::tempdir().unwrap();
        for deep in [1, 12] {
            let mut path = folder.path().to_owned();
            (0..deep).for_each(|_| path.push("a-name-of-nineteen-."));
            std::fs::create_dir_all(&path).unwrap();
            path.push("s");
            let listener = bind_unix(&path).unwrap();
            let client = connect_unix(&path).unwrap();
            let server = accept(&listener).unwrap();
            assert_eq!(peer_cred(&server).unwrap().pid, std::process::id() as i32);
            send_with_fds(&client, b"x", &[]).unwrap();
            assert_eq!(recv_with_fds(&server, &mut [0; 1], 0).unwrap().0, 1);
        }
    }
}
