//! The driver `local`: a folder, or what its options say is mounted on it while a container runs.
//!
//! The mount is in the host's table, where people look for it and where it outlives a daemon.

use super::error::Repeated;
use super::{Map, Volume, VolumeError, Volumes};
use crate::Result;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use sampan_spec::ContainerId;
use sampan_store::volumes::is_mounted;
use std::ffi::CString;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// An option that needs others.
const NEEDS: [(&str, &[&str]); 3] =
    [("o", &["device", "type"]), ("device", &["type"]), ("type", &["device"])];

/// Whether the options make sense, as Docker asks.
pub(super) fn check(name: &str, options: Option<&Map>) -> Result<()> {
    let Some(options) = options else { return Ok(()) };
    let name = || name.to_owned();
    let known = ["device", "o", "size", "type"];
    if let Some(option) = options.keys().find(|option| !known.contains(&option.as_str())) {
        return Err(VolumeError::UnknownOption { name: name(), option: option.clone() }.into());
    }
    if options.contains_key("size") {
        return Err(VolumeError::NoQuota(name()).into());
    }
    let there = NEEDS.iter().filter(|(option, _)| options.contains_key(*option));
    match there.flat_map(|(_, needed)| *needed).find(|option| !options.contains_key(**option)) {
        Some(option) => Err(VolumeError::MissingOption { name: name(), option }.into()),
        None => Ok(()),
    }
}

/// Mounts a volume for a container that starts, unless another has done so. Blocks.
pub(crate) fn mount(volumes: &Volumes, name: &str, user: &ContainerId) -> Result<()> {
    let _held = volumes.hold(name);
    let volume = volumes.get(name).ok_or_else(|| VolumeError::NotFound(name.to_owned()))?;
    if !volume.is_mount() || !volumes.mounted(name, user) {
        return Ok(());
    }
    let mounted = mount_now(volumes, &volume);
    if mounted.is_err() {
        volumes.unmounted(name, user);
    }
    mounted
}

/// A container has ended: with the last one the mount goes. Blocks.
pub(crate) fn unmount(volumes: &Volumes, name: &str, user: &ContainerId) -> Result<()> {
    let _held = volumes.hold(name);
    if volumes.unmounted(name, user) { unmount_now(volumes, name) } else { Ok(()) }
}

/// Mounts what the options say, if it is not there already. The name is held.
pub(super) fn mount_now(volumes: &Volumes, volume: &Volume) -> Result<()> {
    let path = volumes.data(&volume.name);
    let failed = |source: io::Error| crate::Error::File { verb: "look at", path: path.clone(), source };
    if is_mounted(&volumes.folder(&volume.name)).map_err(failed)? {
        return Ok(());
    }
    let option = |key: &str| volume.options.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str);
    let (kind, device) = (option("type"), option("device"));
    let wanted = Wanted::read(option("o"));
    if matches!(kind, "nfs" | "cifs") {
        check_address(option("o"), &path)?;
    }
    let failed = |source: Errno| VolumeError::Mount {
        path: path.clone(),
        what: wanted.describe(device, &path),
        source: Repeated(source.into()),
    };
    wanted.mount(device, kind, &path).map_err(failed)?;
    Ok(())
}

/// Takes away what is mounted on a volume. The name is held.
pub(super) fn unmount_now(volumes: &Volumes, name: &str) -> Result<()> {
    let path = volumes.data(name);
    loop {
        match rustix::mount::unmount(&path, UnmountFlags::DETACH) {
            // More than one may be there.
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(e) => return Err(crate::Error::file("unmount", path)(e.into())),
        }
    }
}

/// The kernel takes no names of servers.
fn check_address(options: &str, path: &Path) -> Result<()> {
    let address = options.split(',').find_map(|option| option.strip_prefix("addr="));
    match address {
        Some(address) if address.parse::<IpAddr>().is_err() => {
            Err(VolumeError::Address { path: path.to_owned(), address: address.to_owned() }.into())
        }
        _ => Ok(()),
    }
}

/// What the option `o` asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    flags: MountFlags,
    propagation: Option<MountPropagationFlags>,
    data: String,
}

/// Options that are flags of mount(2), with those that take them back.
const FLAGS: [(&str, &str, MountFlags); 11] = [
    ("ro", "rw", MountFlags::RDONLY),
    ("nosuid", "suid", MountFlags::NOSUID),
    ("nodev", "dev", MountFlags::NODEV),
    ("noexec", "exec", MountFlags::NOEXEC),
    ("sync", "async", MountFlags::SYNCHRONOUS),
    ("dirsync", "", MountFlags::DIRSYNC),
    ("noatime", "atime", MountFlags::NOATIME),
    ("nodiratime", "diratime", MountFlags::NODIRATIME),
    ("relatime", "norelatime", MountFlags::RELATIME),
    ("strictatime", "nostrictatime", MountFlags::STRICTATIME),
    ("bind", "", MountFlags::BIND),
];
const PROPAGATIONS: [(&str, MountPropagationFlags); 4] = [
    ("private", MountPropagationFlags::PRIVATE),
    ("slave", MountPropagationFlags::DOWNSTREAM),
    ("shared", MountPropagationFlags::SHARED),
    ("unbindable", MountPropagationFlags::UNBINDABLE),
];

impl Wanted {
    fn read(text: &str) -> Self {
        let mut wanted = Self { flags: MountFlags::empty(), propagation: None, data: String::new() };
        for option in text.split(',').filter(|option| !matches!(*option, "" | "defaults")) {
            if !wanted.take(option) {
                let comma = if wanted.data.is_empty() { "" } else { "," };
                wanted.data += &format!("{comma}{option}");
            }
        }
        wanted
    }

    /// Whether an option is none of the file system's own.
    fn take(&mut self, option: &str) -> bool {
        if option == "rbind" {
            self.flags |= MountFlags::BIND | MountFlags::REC;
            return true;
        }
        if let Some((sets, _, flag)) =
            FLAGS.iter().find(|(sets, clears, _)| option == *sets || option == *clears)
        {
            self.flags.set(*flag, option == *sets);
            return true;
        }
        let (plain, all) = match option.strip_prefix('r') {
            Some(plain) => (plain, MountPropagationFlags::REC),
            None => (option, MountPropagationFlags::empty()),
        };
        let found = PROPAGATIONS.iter().find(|(name, _)| *name == plain);
        self.propagation = found.map(|(_, flag)| *flag | all).or(self.propagation);
        found.is_some()
    }

    fn mount(&self, device: &str, kind: &str, path: &Path) -> rustix::io::Result<()> {
        let data = CString::new(self.data.as_str()).map_err(|_| Errno::INVAL)?;
        let flags = self.flags;
        rustix::mount::mount(device, path, kind, flags, Some(data.as_c_str()))?;
        let rest = || -> rustix::io::Result<()> {
            if flags.contains(MountFlags::BIND | MountFlags::RDONLY) {
                // A bind mount takes other flags only afterwards (mount(2), "Creating a bind mount").
                rustix::mount::mount_remount(path, flags, c"")?;
            }
            self.propagation.map_or(Ok(()), |flags| rustix::mount::mount_change(path, flags))
        };
        rest().inspect_err(|_| {
            // The error that is returned says more than that of an unmount.
            let _ = rustix::mount::unmount(path, UnmountFlags::DETACH);
        })
    }

    fn describe(&self, device: &str, path: &Path) -> String {
        let flags = self.flags.bits();
        let flags = if flags == 0 { String::new() } else { format!(", flags: {flags:#x}") };
        let data = if self.data.is_empty() { String::new() } else { format!(", data: {}", self.data) };
        format!("{device}:{}{flags}{data}", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_as_docker_does() {
        let text = |options: &[(&str, &str)]| {
            let options: Map = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            check("x", Some(&options)).err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")]), "");
        assert_eq!(text(&[("foo", "bar")]), "create x: invalid option: \"foo\"");
        assert_eq!(text(&[("type", "tmpfs")]), "create x: missing required option: \"device\"");
        assert_eq!(text(&[("device", "/tmp")]), "create x: missing required option: \"type\"");
        assert_eq!(text(&[("o", "size=1m")]), "create x: missing required option: \"device\"");
        assert_eq!(text(&[("size", "1m")]), "create x: quota size requested but no quota support");
    }

    #[test]
    fn mount_options_are_sorted_and_described() {
        let wanted = Wanted::read("size=1m,ro,noexec,exec,defaults,uid=5,rshared");
        assert_eq!((wanted.flags, wanted.data.as_str()), (MountFlags::RDONLY, "size=1m,uid=5"));
        assert_eq!(wanted.propagation, Some(MountPropagationFlags::SHARED | MountPropagationFlags::REC));
        assert_eq!(wanted.describe("tmpfs", Path::new("/v")), "tmpfs:/v, flags: 0x1, data: size=1m,uid=5");
        assert_eq!(Wanted::read("bind").describe("/a", Path::new("/v")), "/a:/v, flags: 0x1000");
        assert_eq!(Wanted::read("").describe("a", Path::new("/v")), "a:/v");
    }

    #[test]
    fn servers_have_numbers() {
        let path = Path::new("/v");
        assert!(check_address("addr=10.0.0.1,rw", path).is_ok());
        assert!(check_address("rw", path).is_ok());
        let text = check_address("rw,addr=nas.local", path).unwrap_err().to_string();
        assert!(text.contains("error resolving passed in network volume address: nas.local"), "{text}");
    }

    #[test]
    fn a_mount_stays_while_a_container_needs_it() {
        let root = tempfile::tempdir().unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")];
        let request = super::super::CreateRequest {
            name: Some("ab".into()),
            options: Some(options.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            ..Default::default()
        };
        super::super::create_now(&volumes, request, None).unwrap();
        let is_mounted = || is_mounted(&volumes.folder("ab")).unwrap();
        let [one, two] = [1, 2].map(|n| ContainerId::from_bytes([n; 32]));
        mount(&volumes, "ab", &one).unwrap();
        mount(&volumes, "ab", &two).unwrap();
        assert!(is_mounted());
        unmount(&volumes, "ab", &one).unwrap();
        unmount(&volumes, "ab", &one).unwrap();
        assert!(is_mounted());
        unmount(&volumes, "ab", &two).unwrap();
        assert!(!is_mounted());
    }
}
