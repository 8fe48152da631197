//! The machine's disk: a stock Debian with its cloud kernel, and a unit that runs the script of the shared disk.

use super::make_disk;
use crate::command::{check, command, output};
use crate::debian::{self, Release};
use crate::setup;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Docker and ufw are there but off, until a script wants to live beside them.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "libpam-systemd",
    "apparmor",
    "kmod",
    "procps",
    "iproute2",
    "nftables",
    "busybox-static",
    "iptables",
    "ufw",
    "docker.io",
];
/// What the root file system needs before its own modules are there. The cloud kernel has ext4 built in.
const EARLY_MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];
const SIZE_MIB: u32 = 6144;
/// The file beside an image that tells what it was made of.
const RECIPE: &str = "recipe";

const INIT: &str = include_str!("init.sh");
const AGENT: &str = include_str!("agent.sh");
const AGENT_UNIT: &str = "[Unit]\nDescription=Runs the script of the shared disk\nAfter=multi-user.target\n\
                          [Service]\nExecStart=/usr/local/lib/agent\nTasksMax=infinity\n\
                          [Install]\nWantedBy=graphical.target\n";
const CUSTOMIZE: &str = include_str!("customize.sh");

/// What QEMU boots.
pub(crate) struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// Its first file system.
    pub initrd: PathBuf,
    /// The disk: an ext4 file system.
    pub root: PathBuf,
}

/// The image of this release in `folder`; builds it if it is not there, or was made in another way. Building needs root.
pub(crate) fn ensure(folder: &Path, release: Release) -> Result<Image> {
    let place = folder.join(release.name);
    let recipe = [&PACKAGES.join(" "), INIT, AGENT, AGENT_UNIT, CUSTOMIZE].join("\n");
    if fs::read_to_string(place.join(RECIPE)).ok().as_ref() != Some(&recipe) {
        let work = folder.join(format!("{}-{}", release.name, std::process::id()));
        build(&work, release).inspect_err(|_| drop(fs::remove_dir_all(&work)))?;
        write(&work.join(RECIPE), &recipe, 0o644)?;
        drop(fs::remove_dir_all(&place));
        fs::rename(&work, &place).context("cannot move the image to its place")?;
    }
    let [kernel, initrd, root] = ["vmlinuz", "initrd.img", "root.img"].map(|file| place.join(file));
    Ok(Image { kernel, initrd, root })
}

fn build(work: &Path, release: Release) -> Result<()> {
    setup::machine()?;
    let root = work.join("root");
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    debian::bootstrap(release, PACKAGES, &root)?;
    write(&root.join("usr/local/lib/agent"), AGENT, 0o755)?;
    write(&root.join("etc/systemd/system/agent.service"), AGENT_UNIT, 0o644)?;
    check(command("chroot").arg(&root).args(["sh", "-c", CUSTOMIZE, "sh", release.name]))?;
    let version = only_entry(&root.join("lib/modules"))?;
    fs::copy(root.join(format!("boot/vmlinuz-{version}")), work.join("vmlinuz")).context("no kernel")?;
    initrd(work, &root, &version)?;
    make_disk(&root, &work.join("root.img"), "root", SIZE_MIB)?;
    fs::remove_dir_all(&root).context("cannot remove what the image was made of")
}

/// Makes the first file system: busybox, the modules in the order in which they are to be loaded, and `init.sh`.
fn initrd(work: &Path, root: &Path, version: &str) -> Result<()> {
    let tree = work.join("initrd");
    for folder in ["bin", "modules", "dev", "root"] {
        fs::create_dir_all(tree.join(folder)).context("cannot make the first file system")?;
    }
    fs::copy(root.join("bin/busybox"), tree.join("bin/busybox")).context("no busybox")?;
    write(&tree.join("init"), INIT, 0o755)?;
    let depends = ["modprobe", "-S", version, "--all", "--show-depends"];
    let listed = output(command("chroot").arg(root).args(depends).args(EARLY_MODULES))?;
    let modules = listed.lines().filter_map(|line| line.strip_prefix("insmod /"));
    for (number, module) in modules.enumerate() {
        let to = tree.join(format!("modules/{number:02}"));
        unpacked(&root.join(module.trim()), &to).with_context(|| format!("no module {module}"))?;
    }
    let pack = "find . | ./bin/busybox cpio -o -H newc >../initrd.img";
    check(command("sh").args(["-c", pack]).current_dir(&tree))?;
    fs::remove_dir_all(&tree).context("cannot remove what the first file system was made of")
}

/// Copies a module; busybox loads none that is compressed.
fn unpacked(module: &Path, to: &Path) -> Result<()> {
    if module.extension().is_some_and(|extension| extension == "xz") {
        let to = fs::File::create(to).context("cannot make the file")?;
        return check(command("xz").args(["--decompress", "--stdout"]).arg(module).stdout(to));
    }
    fs::copy(module, to).context("cannot copy")?;
    Ok(())
}

fn only_entry(folder: &Path) -> Result<String> {
    let entry = fs::read_dir(folder).context("no modules")?.next().context("no kernel is installed")?;
    Ok(entry?.file_name().to_string_lossy().into_owned())
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context("cannot set the mode")
}
