//! `cargo xtask vm`: a script in a virtual machine with a stock Debian 12, its own kernel and systemd.
//!
//! Development machines differ from users' machines: other kernels, other cgroup versions, no systemd. QEMU emulates the
//! processor (no KVM is asked for), so that this runs wherever tests run. Everything is kept in `$SAMPAN_VM_DIR`, or in
//! `vm` below cargo's target folder:
//!
//! ```text
//! host/       QEMU, unpacked from its packages, where the host has none
//! debian12/   vmlinuz, initrd.img and root.img: built once
//! run-<pid>/  one run: the disk with the programs and the script, and the console's output
//! ```

mod image;
mod machine;
mod qemu;

use crate::command::{check, command, find, target};
use crate::{run as build, setup};
use anyhow::{Context, Result, bail};
use machine::Machine;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SMOKE: &str = include_str!("smoke.sh");
/// A run that takes longer hangs; a busy machine takes a fifth of it.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs the smoke test, or the script in this file, as root in a fresh machine. Both find the programs in `/share`.
///
/// # Errors
/// When the machine does not come up, or the script does not end with status 0 in time.
pub(crate) fn run(script: Option<&Path>) -> Result<()> {
    let script = match script {
        Some(path) => fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => SMOKE.to_owned(),
    };
    let began = Instant::now();
    let place = Place::open()?;
    let image = image::ensure(&place.folder)?;
    eprintln!("the image is there after {} s", began.elapsed().as_secs());
    let share = place.share(&script)?;
    let machine = Machine { qemu: qemu::find(&place.folder)?, image: &image, share: &share };
    let status = machine.run(&place.run.join("console"), LIMIT)?;
    eprintln!("the machine's script ended with {status} after {} s", began.elapsed().as_secs());
    if status != 0 {
        bail!("the script failed in the virtual machine");
    }
    Ok(())
}

/// The folder of all machines, and that of this run, which goes away with this value.
struct Place {
    folder: PathBuf,
    run: PathBuf,
}

impl Place {
    fn open() -> Result<Self> {
        let folder = match std::env::var_os("SAMPAN_VM_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => target()?.join("vm"),
        };
        let run = folder.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
        Ok(Self { folder, run })
    }

    /// Makes the disk that the guest mounts at `/share`: the programs, the script, and Docker's client if there is one.
    fn share(&self, script: &str) -> Result<PathBuf> {
        let (tree, disk) = (self.run.join("share"), self.run.join("share.img"));
        let programs = build::build()?;
        fs::create_dir_all(&tree).with_context(|| format!("cannot make {}", tree.display()))?;
        for (from, name) in [(&programs.sampan, "sampan"), (&programs.runtime, "sampan-runtime")] {
            copy(from, &tree.join(name))?;
        }
        if let Ok(docker) = setup::docker_client() {
            copy(&docker, &tree.join("docker"))?;
        }
        fs::write(tree.join("script"), script).context("cannot write the script")?;
        make_disk(&tree, &disk, "share", 512)?;
        Ok(disk)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.run) {
            eprintln!("cannot remove {}: {error}", self.run.display());
        }
    }
}

/// Makes an ext4 file system of this label with what is in `tree`, `size` MiB large and sparse.
fn make_disk(tree: &Path, disk: &Path, label: &str, size: u32) -> Result<()> {
    let mkfs = find("mkfs.ext4").context("no mkfs.ext4: cargo xtask setup installs it")?;
    let mut command = command(mkfs);
    command.args(["-q", "-F", "-m", "0", "-L", label, "-d"]).arg(tree).arg(disk).arg(format!("{size}M"));
    check(&mut command)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
