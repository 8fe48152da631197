//! `cargo xtask setup`: what the tests need from Debian or Ubuntu. Programs that are there already are left alone.

use crate::command::{cargo, check, command, find, output, target};
use crate::debian::{self, DEBIAN_12};
use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A program, or a file by its whole path, and the package that has it.
type Need = (&'static str, &'static str);

const TESTS: &[Need] = &[
    ("busybox", "busybox-static"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("docker-registry", "docker-registry"),
    ("docker-compose", "docker-compose"),
    ("slirp4netns", "slirp4netns"),
    ("python3", "python3"),
];
/// docker-py, as pip names it.
const DOCKER_PY: &str = "docker==7.2.0";
const MACHINE: &[Need] = &[("mkfs.ext4", "e2fsprogs"), ("xz", "xz-utils")];
const BOOTSTRAP: &[Need] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
];
/// What building the fuzzer needs besides cargo's own.
const FUZZER: &[Need] = &[("c++", "g++")];
/// The packages that have held Docker's client, in the order of their age; which one a release has differs.
const DOCKER_CLIENT: [&str; 2] = ["docker-cli", "docker.io"];

/// Installs what tests and virtual machine need.
pub(crate) fn setup() -> Result<()> {
    tests()?;
    install(MACHINE)
}

/// Installs what `cargo test` needs.
pub(crate) fn tests() -> Result<()> {
    install(TESTS)?;
    docker_client()?;
    docker_py()?;
    debian_root()
}

/// Installs what building a virtual machine needs.
pub(crate) fn machine() -> Result<()> {
    install(MACHINE)
}

/// Installs what making a root file system of Debian needs.
pub(crate) fn bootstrap() -> Result<()> {
    install(BOOTSTRAP)
}

/// Installs what fuzzing needs.
pub(crate) fn fuzzer() -> Result<PathBuf> {
    install(FUZZER)?;
    cargo_tool("cargo-fuzz")
}

/// Where a tool for cargo is. If there is none it is built below the target folder; unoptimised, which takes a minute.
pub(crate) fn cargo_tool(name: &str) -> Result<PathBuf> {
    if let Some(found) = find_cargo_tool(name)? {
        return Ok(found);
    }
    let folder = own_tools()?;
    // A target folder of its own: cargo locks the usual one.
    let built = folder.join("build");
    let mut command = cargo();
    command.args(["install", "--locked", "--debug", "--root"]).arg(&folder).arg("--target-dir").arg(&built);
    check(command.arg(name))?;
    fs::remove_dir_all(&built).with_context(|| format!("cannot remove {}", built.display()))?;
    Ok(folder.join("bin").join(name))
}

/// Where a tool for cargo is, if it is there: on the path, where cargo installs, or where [`cargo_tool`] does.
pub(crate) fn find_cargo_tool(name: &str) -> Result<Option<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let mut places = home.into_iter().chain([own_tools()?]).map(|folder| folder.join("bin").join(name));
    Ok(find(name).or_else(|| places.find(|file| file.is_file())))
}

/// Where tools for cargo are installed, below the target folder.
fn own_tools() -> Result<PathBuf> {
    Ok(target()?.join("tools/cargo"))
}

/// Where Docker's client is. If there is none it is unpacked from its package below the target folder: installing that package
/// would also start an engine.
pub(crate) fn docker_client() -> Result<PathBuf> {
    let folder = target()?.join("tools/docker");
    let unpacked = folder.join("usr/bin/docker");
    if let Some(found) = find("docker") {
        return Ok(found);
    }
    if !unpacked.exists() {
        update()?;
        let package = DOCKER_CLIENT
            .into_iter()
            .find(|p| command("apt-cache").args(["show", p]).output().is_ok_and(|o| o.status.success()));
        let package = package.context("no package with Docker's client is known to apt")?;
        unpack(&[package.to_owned()], &folder)?;
    }
    Ok(unpacked)
}

/// Has docker-py in a Python of its own, which tests find below the target folder.
fn docker_py() -> Result<()> {
    let folder = target()?.join("tools/python");
    let done = folder.join(DOCKER_PY);
    if done.exists() {
        return Ok(());
    }
    if output(command("python3").args(["-c", "import ensurepip"])).is_err() {
        install_packages(&["python3-venv"])?;
    }
    check(command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    check(command(folder.join("bin/pip")).args(["install", "--quiet", DOCKER_PY]))?;
    fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))
}

/// Has a root file system of Debian as a tar file, which tests find below the target folder.
fn debian_root() -> Result<()> {
    let folder = target()?.join("tools");
    let [tar, new] = ["", "-new"].map(|suffix| folder.join(format!("{}{suffix}.tar", DEBIAN_12.name)));
    if tar.exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    debian::bootstrap(DEBIAN_12, &[], &new)?;
    fs::rename(&new, &tar).context("cannot move Debian's root file system to its place")
}

/// Unpacks packages into a folder without installing them. Takes names as apt-get download does: `name` or `name=version`.
pub(crate) fn unpack(packages: &[String], folder: &Path) -> Result<()> {
    let archives = folder.join("archives");
    fs::create_dir_all(&archives).with_context(|| format!("cannot make {}", archives.display()))?;
    // As root apt would give the download to a user who may not write here.
    check(
        command("apt-get")
            .args(["-qq", "-o", "APT::Sandbox::User=root", "download"])
            .args(packages)
            .current_dir(&archives),
    )?;
    for entry in fs::read_dir(&archives).context("cannot list what was downloaded")? {
        check(command("dpkg").arg("-x").arg(entry?.path()).arg(folder))?;
    }
    fs::remove_dir_all(&archives).context("cannot remove what was downloaded")
}

/// Fetches the lists of packages, once they are needed.
pub(crate) fn update() -> Result<()> {
    check(command("apt-get").args(["-qq", "update"]))
}

fn install(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { install_packages(&missing) }
}

fn install_packages(missing: &[&str]) -> Result<()> {
    ensure!(
        find("apt-get").is_some(),
        "missing, and this is neither Debian nor Ubuntu: {}",
        missing.join(" ")
    );
    let user = output(command("id").arg("-u"))?;
    ensure!(user.trim() == "0", "missing, run as root to install it: {}", missing.join(" "));
    update()?;
    let options = ["-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "install"];
    check(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(options).args(missing))
}
