//! Volumes' folders: made, filled from an image, measured, and taken away.
//!
//! ```text
//! volumes/<name>/volume.json   its record (the engine's)
//!                _data/        what is in it
//!                .copy/        what an image has for it, not yet whole
//!                .copied/      the same, whole: it goes into `_data` entry by entry
//! ```

use crate::atomic::{self, Scratch};
use crate::{Error, Store, copy, snapshots, walk};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;
use sampan_spec::Digest;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of a volume's content. Format break.
pub const DATA: &str = "_data";
const COPY: &str = ".copy";
const COPIED: &str = ".copied";

/// What an image has at a path.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder(OwnedFd),
    /// Something that is no folder.
    Other,
}

/// An image's files as one tree that only can be read; `None` for an image without layers.
///
/// # Errors
/// [`Error::NoSnapshot`], or when it cannot be mounted.
pub fn view(store: &Store, chain: Option<&Digest>) -> Result<Option<OwnedFd>, Error> {
    let Some(chain) = chain else { return Ok(None) };
    let layers = snapshots::folders(store, chain)?;
    let failed = |source| Error::Read { path: layers[0].clone(), source };
    sampan_sys::overlay::read_only(&layers).map(Some).map_err(failed)
}

/// What an image's tree has at a path, whatever links say inside the tree.
///
/// # Errors
/// When it cannot be looked at; a path that leads through a file or too many links is one.
pub fn look(view: &OwnedFd, path: &str) -> Result<Found, Error> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let failed = |e: Errno| Error::Read { path: path.into(), source: e.into() };
    let found = rustix::fs::openat2(view, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
    let found = match found {
        Err(Errno::NOENT) => return Ok(Found::Nothing),
        found => found.map_err(failed)?,
    };
    let stat = rustix::fs::fstat(&found).map_err(failed)?;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(if is_folder { Found::Folder(found) } else { Found::Other })
}

/// Makes an empty volume in `folder`; one that is there already keeps what it has.
///
/// # Errors
/// When it cannot be made.
pub fn make(folder: &Path) -> Result<(), Error> {
    atomic::create_dir(folder)?;
    let path = folder.join(DATA);
    match DirBuilder::new().mode(0o755).create(&path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(Error::Write { path, source: e }),
        _ => Ok(()),
    }
}

/// Whether nothing is in a volume.
///
/// # Errors
/// When it cannot be read.
pub fn is_empty(folder: &Path) -> Result<bool, Error> {
    let path = folder.join(DATA);
    let mut entries = fs::read_dir(&path).map_err(|source| Error::Read { path, source })?;
    Ok(entries.next().is_none())
}

/// Fills an empty volume with what is in the folder `from`, and gives it that folder's attributes. Whoever is killed on the
/// way leaves it empty, or full once [`recover`] was here.
///
/// # Errors
/// When something cannot be copied; the volume is empty then.
pub fn fill(folder: &Path, from: &OwnedFd) -> Result<(), Error> {
    let copy = folder.join(COPY);
    atomic::empty_dir(&copy)?;
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    let copied = open(&copy).and_then(|to| copy::tree(from.as_fd(), to.as_fd()));
    let copied = copied.and_then(|()| sync(&copy)).and_then(|()| fs::rename(&copy, folder.join(COPIED)));
    if let Err(error) = copied {
        atomic::remove_all(&copy)?;
        return Err(failed(error));
    }
    move_in(folder).map_err(failed)
}

/// As [`fill`], but at once: for a volume that is a mount, which has no room for a second copy. Whoever is killed on the way
/// leaves a part.
///
/// # Errors
/// When something cannot be copied.
pub fn fill_mounted(folder: &Path, from: &OwnedFd) -> Result<(), Error> {
    let path = folder.join(DATA);
    let filled = open(&path).and_then(|to| copy::tree(from.as_fd(), to.as_fd()));
    filled.map_err(|source| Error::Write { path, source })
}

/// Finishes or undoes what a killed [`fill`] left.
///
/// # Errors
/// When that cannot be done.
pub fn recover(folder: &Path) -> Result<(), Error> {
    atomic::remove_all(&folder.join(COPY))?;
    if !folder.join(COPIED).exists() {
        return Ok(());
    }
    move_in(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })
}

/// Brings a copy to the disk: after a power cut, names without content would count as a full volume.
fn sync(copy: &Path) -> io::Result<()> {
    let is_empty = fs::read_dir(copy)?.next().is_none();
    if is_empty { Ok(()) } else { Ok(rustix::fs::syncfs(open(copy)?)?) }
}

/// Moves a whole copy into the volume. The volume's folder stays the same one: it may be mounted somewhere.
fn move_in(folder: &Path) -> io::Result<()> {
    let (copied, data) = (folder.join(COPIED), folder.join(DATA));
    let (from, to) = (open(&copied)?, open(&data)?);
    for entry in fs::read_dir(&copied)? {
        let name = entry?.file_name();
        match rustix::fs::renameat_with(&from, &name, &to, &name, RenameFlags::NOREPLACE) {
            // Somebody who uses the volume was faster; theirs counts.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
    }
    copy::attributes_of_folder(&from, &to)?;
    fs::remove_dir_all(copied)
}

fn open(folder: &Path) -> io::Result<OwnedFd> {
    Ok(File::open(folder)?.into())
}

/// The sizes of a volume's files in bytes, hard links once.
///
/// # Errors
/// When it cannot be read.
pub fn size(folder: &Path) -> Result<u64, Error> {
    let path = folder.join(DATA);
    walk::size(&path).map_err(|source| Error::Read { path, source })
}

/// A volume that was taken away. Its content goes when this is dropped, or when the store is opened next.
#[derive(Debug)]
#[must_use]
pub struct Discarded(#[expect(dead_code, reason = "its drop is what it is for")] Scratch);

/// Takes a volume away. Afterwards its name is free; a power cut may bring it back whole.
///
/// # Errors
/// When it cannot be moved away, or something is mounted on its content, which is not ours to remove; then nothing has
/// happened.
pub fn discard(store: &Store, folder: &Path) -> Result<Discarded, Error> {
    let scratch = Scratch::new(&store.layout.tmp())?;
    let failed = |source| Error::Remove { path: folder.to_owned(), source };
    if is_mounted(folder).map_err(failed)? {
        return Err(failed(io::ErrorKind::ResourceBusy.into()));
    }
    fs::rename(folder, scratch.path().join("volume")).map_err(failed)?;
    Ok(Discarded(scratch))
}

/// Whether something is mounted on a volume's content.
///
/// # Errors
/// Those of statx(2), but none if there is no content.
pub fn is_mounted(folder: &Path) -> io::Result<bool> {
    let data = folder.join(DATA);
    match rustix::fs::statx(CWD, &data, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e.into()),
        Ok(stat) => Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
    }
}

/// Removes what the making of a volume left that never had a record. `false` if there is something in it: then somebody
/// may want that.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_unfinished(folder: &Path) -> Result<bool, Error> {
    let removed =
        [folder.join(DATA), folder.to_owned()].into_iter().try_for_each(
            |path: PathBuf| match fs::remove_dir(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err((path, e)),
                _ => Ok(()),
            },
        );
    match removed {
        Err((_, e)) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err((path, source)) => Err(Error::Remove { path, source }),
        Ok(()) => Ok(true),
    }
}

/// The folder that a path below a volume's content names, for a container that gets only that part of it. Links lead
/// nowhere outside the volume.
///
/// # Errors
/// What openat2(2) says.
pub fn part(folder: &Path, path: &str) -> io::Result<OwnedFd> {
    let data = open(&folder.join(DATA))?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(&data, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A volume, and a folder with two entries and mode 0750 to fill it from.
    fn bed() -> (tempfile::TempDir, PathBuf, OwnedFd) {
        let root = tempfile::tempdir().unwrap();
        let (volume, from) = (root.path().join("vol"), root.path().join("from"));
        make(&volume).unwrap();
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("b"), "b").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o750)).unwrap();
        let from = open(&from).unwrap();
        (root, volume, from)
    }

    #[test]
    fn a_volume_is_filled_and_stays_the_same_folder() {
        let (_root, volume, from) = bed();
        let inode = fs::metadata(volume.join(DATA)).unwrap().ino();
        assert!(is_empty(&volume).unwrap());
        fill(&volume, &from).unwrap();
        assert!(!is_empty(&volume).unwrap());
        let data = fs::metadata(volume.join(DATA)).unwrap();
        assert_eq!((data.ino(), data.mode() & 0o7777), (inode, 0o750));
        assert_eq!(names(&volume.join(DATA)), ["a", "b"]);
        assert_eq!(names(&volume), [DATA]);
        assert_eq!(size(&volume).unwrap(), 1);
        make(&volume).unwrap();
        assert_eq!(names(&volume.join(DATA)), ["a", "b"]);
    }

    /// Where the file system says of a file's blocks that they have no place on the disk yet.
    fn waits_for_the_disk(path: &Path) -> bool {
        let extents = std::process::Command::new("filefrag").arg("-v").arg(path).output().unwrap();
        String::from_utf8_lossy(&extents.stdout).contains("delalloc")
    }

    #[test]
    fn what_fills_a_volume_is_on_the_disk() {
        let (root, volume, _) = bed();
        let (from, written) = (root.path().join("more"), root.path().join("more/x"));
        fs::create_dir(&from).unwrap();
        fs::write(&written, vec![1; 1 << 20]).unwrap();
        let tells = waits_for_the_disk(&written);
        fill(&volume, &open(&from).unwrap()).unwrap();
        assert!(!waits_for_the_disk(&volume.join("_data/x")), "{tells}");
    }

    #[test]
    fn a_fill_that_was_cut_short_is_undone_or_finished() {
        let (_root, volume, from) = bed();
        fs::create_dir(volume.join(COPY)).unwrap();
        fs::write(volume.join(COPY).join("half"), "").unwrap();
        recover(&volume).unwrap();
        assert_eq!(names(&volume), [DATA]);
        assert!(is_empty(&volume).unwrap());

        fill(&volume, &from).unwrap();
        // As if it had been killed after the first entry.
        fs::create_dir(volume.join(COPIED)).unwrap();
        fs::set_permissions(volume.join(COPIED), fs::Permissions::from_mode(0o701)).unwrap();
        fs::rename(volume.join(DATA).join("b"), volume.join(COPIED).join("b")).unwrap();
        recover(&volume).unwrap();
        assert_eq!(names(&volume.join(DATA)), ["a", "b"]);
        assert_eq!(fs::metadata(volume.join(DATA)).unwrap().mode() & 0o7777, 0o701);
        assert_eq!(names(&volume), [DATA]);
    }

    #[test]
    fn a_part_stays_in_its_volume() {
        let (root, volume, _) = bed();
        fs::create_dir_all(volume.join("_data/in/side")).unwrap();
        symlink("in", volume.join("_data/near")).unwrap();
        symlink(root.path(), volume.join("_data/far")).unwrap();
        symlink("../..", volume.join("_data/up")).unwrap();
        for (path, fits) in
            [("in/side", true), ("near/side", true), ("far/from", false), ("up/from", false), ("no", false)]
        {
            assert_eq!(part(&volume, path).is_ok(), fits, "{path}");
        }
    }

    #[test]
    fn what_has_no_record_goes_only_if_nothing_is_in_it() {
        let (_root, volume, _) = bed();
        fs::write(volume.join("_data/x"), "").unwrap();
        assert!(!remove_unfinished(&volume).unwrap());
        fs::remove_file(volume.join("_data/x")).unwrap();
        assert!(remove_unfinished(&volume).unwrap());
        assert!(!volume.exists());
        assert!(remove_unfinished(&volume).unwrap());
    }

    #[test]
    fn a_mount_is_not_discarded() {
        let (root, volume, _) = bed();
        let store = Store::open(&root.path().join("store")).unwrap();
        let data = volume.join(DATA);
        fs::write(root.path().join("from/precious"), "").unwrap();
        rustix::mount::mount_bind(root.path().join("from"), &data).unwrap();
        let refused = discard(&store, &volume);
        rustix::mount::unmount(&data, rustix::mount::UnmountFlags::DETACH).unwrap();
        assert!(matches!(refused, Err(Error::Remove { .. })), "{refused:?}");
        assert!(root.path().join("from/precious").exists());
        drop(discard(&store, &volume).unwrap());
        assert!(!volume.exists());
    }
}
