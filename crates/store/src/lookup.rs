//! Reading single files of a root file system that is not mounted: `/etc/passwd` for a user's name.
//!
//! The layers are looked at as overlayfs does (Documentation/filesystems/overlayfs.rst): the topmost thing of a name
//! counts, a whiteout hides those below, folders are merged down to an opaque one. A container may change its writable
//! layer meanwhile, so every look is beneath a layer's root and through no link.

use crate::Error;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use sampan_spec::bundle::RootFs;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

/// The file that a container with this root would see at `path`, following links inside the root. `None` if there is
/// no such file, or it is none that can be read (a folder, a device).
///
/// # Errors
/// When it cannot be read, or is larger than `max` bytes.
pub fn read_file(root: &RootFs, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: PathBuf::from(path), source };
    let layers = layers(root).map_err(failed)?;
    let Some((layer, real)) = resolve(&layers, path).map_err(failed)? else { return Ok(None) };
    read(layer, &real, max).map_err(failed)
}

/// Links are followed this often, as in the kernel.
const LINKS_MAX: usize = 40;
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What a path names.
enum Found<'a> {
    Nothing,
    Folder,
    Link(String),
    File(&'a OwnedFd),
}

fn layers(root: &RootFs) -> io::Result<Vec<OwnedFd>> {
    let paths: Vec<&PathBuf> = match root {
        RootFs::Overlay { lower, upper, .. } => std::iter::once(upper).chain(lower).collect(),
        RootFs::Path { path } => vec![path],
    };
    paths.into_iter().map(|path| Ok(File::open(path)?.into())).collect()
}

/// The layer and the path in it of the file that `path` leads to.
fn resolve<'a>(layers: &'a [OwnedFd], path: &str) -> io::Result<Option<(&'a OwnedFd, String)>> {
    let mut rest: Vec<String> = parts(path);
    let mut at: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        match look(layers, &at)? {
            Found::Nothing => return Ok(None),
            Found::Folder => {}
            Found::File(layer) => return Ok(rest.is_empty().then(|| (layer, at.join("/")))),
            Found::Link(target) => {
                links += 1;
                if links > LINKS_MAX {
                    return Ok(None);
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                rest.extend(parts(&target));
            }
        }
    }
    Ok(None)
}

/// The parts of a path, the last one first.
fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).rev().map(str::to_owned).collect()
}

/// What the layers have at a path whose parents are folders in the merged view.
fn look<'a>(layers: &'a [OwnedFd], at: &[String]) -> io::Result<Found<'a>> {
    let path = at.join("/");
    let mut is_folder = false;
    for layer in layers {
        let (found, hides_below) = look_in(layer, &path, at)?;
        match found {
            Found::Folder => is_folder = true,
            Found::Nothing if !hides_below => {}
            // Below a folder, anything but another folder is hidden.
            _ if is_folder => return Ok(Found::Folder),
            other => return Ok(other),
        }
        if hides_below {
            break;
        }
    }
    Ok(if is_folder { Found::Folder } else { Found::Nothing })
}

/// What one layer has at a path, and whether it hides what those below have there.
fn look_in<'a>(layer: &'a OwnedFd, path: &str, at: &[String]) -> io::Result<(Found<'a>, bool)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat2(layer, path, flags, Mode::empty(), BENEATH) {
        Ok(opened) => opened,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            return Ok((Found::Nothing, parent_hides(layer, at)?));
        }
        Err(e) => return Err(e.into()),
    };
    let stat = rustix::fs::fstat(&opened)?;
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => return Ok((Found::Folder, is_opaque(&opened) || parent_hides(layer, at)?)),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&opened, "", Vec::new())?;
            Found::Link(target.to_string_lossy().into_owned())
        }
        FileType::RegularFile => Found::File(layer),
        _ => Found::Nothing,
    };
    Ok((found, true))
}

/// Whether a folder on the way hides what the layers below have: it is opaque, or no folder at all.
fn parent_hides(layer: &OwnedFd, at: &[String]) -> io::Result<bool> {
    for length in 1..at.len() {
        let path = at[..length].join("/");
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat2(layer, &path, flags, Mode::empty(), BENEATH) {
            Ok(opened) => {
                let stat: Stat = rustix::fs::fstat(&opened)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory || is_opaque(&opened) {
                    return Ok(true);
                }
            }
            Err(Errno::NOENT) => return Ok(false),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(false)
}

fn is_opaque(folder: &OwnedFd) -> bool {
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let mut value = [0_u8; 1];
    rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut value[..])
        .is_ok_and(|n| n == 1 && value[0] == b'y')
}

fn read(layer: &OwnedFd, path: &str, max: u64) -> io::Result<Option<Vec<u8>>> {
    // What was a file may have become a pipe meanwhile: do not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat2(layer, path, flags, Mode::empty(), BENEATH) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}
