//! `cargo xtask vm`: a script in a virtual machine with a stock Debian, its own kernel and systemd.
//!
//! Development machines differ from users' machines: other kernels, other cgroup versions, no systemd. QEMU emulates the
//! processor (no KVM is asked for), so that this runs wherever tests run. Everything is kept in `$SAMPAN_VM_DIR`, or in
//! `vm` below cargo's target folder:
//!
//! ```text
//! host/       QEMU, unpacked from its packages, where the host has none
//! debian12/   vmlinuz, initrd.img and root.img: built once, and again when the recipe beside them is another
//! run-<pid>/  one run: the disk with the programs and the script, and the console's output
//! ```

mod image;
mod machine;
mod qemu;

use crate::command::{check, command, find, target};
use crate::debian::{DEBIAN_12, DEBIAN_13, Release};
use crate::{run as build, setup};
use anyhow::{Context, Result, ensure};
use image::Image;
use machine::{Disk, End, Machine};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Each gets a machine of its own.
const SCRIPTS: &[&str] = &[include_str!("smoke.sh")];
const CUTS: &str = include_str!("cuts.sh");
/// How often the power is cut, and how long after the script's wish at most.
const POWER_CUTS: u32 = 12;
const GRACE: Duration = Duration::from_secs(12);
/// A run that takes longer hangs; a busy machine takes a fifth of it.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs all scripts of ours, or the one in this file, as root in fresh machines. They find the programs in `/share`.
///
/// # Errors
/// When a machine does not come up, or a script does not end with status 0 in time.
pub(crate) fn run(script: Option<&Path>) -> Result<()> {
    match script {
        Some(path) => {
            let script =
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            on(DEBIAN_12, &[&script])
        }
        None => on(DEBIAN_12, SCRIPTS),
    }
}

/// Runs all scripts of ours in the release after the usual one.
///
/// # Errors
/// As [`run`].
pub(crate) fn debian13(_: Option<u32>) -> Result<()> {
    on(DEBIAN_13, SCRIPTS)
}

fn on(release: Release, scripts: &[&str]) -> Result<()> {
    let began = Instant::now();
    let place = Place::open()?;
    let image = image::ensure(&place.folder, release)?;
    eprintln!("the image is there after {} s", began.elapsed().as_secs());
    for script in scripts {
        let end = place.boot(&image, &place.share(script)?, Disk::Thrown, Duration::ZERO)?;
        eprintln!("the machine's script ended after {} s", began.elapsed().as_secs());
        ensure!(end == End::Status(0), "the script failed in the virtual machine: {end:?}");
    }
    Ok(())
}

/// Cuts a machine's power again and again while containers are made and removed in it. Each boot begins with the check of
/// what the cut has left.
///
/// # Errors
/// When something is not as it should be after a cut.
pub(crate) fn power_cuts(cuts: Option<u32>) -> Result<()> {
    let cuts = cuts.unwrap_or(POWER_CUTS);
    let place = Place::open()?;
    let image = image::ensure(&place.folder, DEBIAN_12)?;
    let share = place.share(CUTS)?;
    let disk = place.run.join("root.img");
    check(command("cp").arg("--sparse=always").arg(&image.root).arg(&disk))?;
    for cut in 0..=cuts {
        // Spread over the time that a round of the script takes.
        let grace = GRACE * (cut * 7 % POWER_CUTS) / POWER_CUTS;
        let end = place.boot(&image, &share, Disk::Kept(disk.clone()), grace)?;
        ensure!(end == End::Cut, "after {cut} cuts: {end:?}");
        println!("cut {cut} after {} ms", grace.as_millis());
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

    fn boot(&self, image: &Image, share: &Path, disk: Disk, grace: Duration) -> Result<End> {
        let machine = Machine { qemu: qemu::find(&self.folder)?, image, share, disk };
        machine.run(&self.run.join("console"), LIMIT, grace)
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
