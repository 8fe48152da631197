//! What a container has changed in its image's files: its writable layer against the layers below (`docker diff`).

use crate::Error;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sampan_spec::bundle::RootFs;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its absolute path in the container.
    pub path: PathBuf,
    /// What became of it.
    pub kind: ChangeKind,
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It, or what is in it, is not what it was.
    Modified,
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
}

/// All changes, by path. `made` are paths that the runtime makes to mount something there: empty ones are no changes.
///
/// # Errors
/// When a layer cannot be read.
pub fn changes(root: &RootFs, made: &[&str]) -> Result<Vec<Change>, Error> {
    let RootFs::Overlay { lower, upper, .. } = root else { return Ok(Vec::new()) };
    let failed = |path: &Path, source| Error::Read { path: path.to_owned(), source };
    let open =
        |path: &PathBuf| rustix::fs::open(path, FOLDER, Mode::empty()).map_err(|e| failed(path, e.into()));
    let layers = lower.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut comparison = Comparison { made, changes: Vec::new() };
    let upper_folder = open(upper)?;
    let root = Place { path: PathBuf::from("/"), folder: &upper_folder, below: &layers };
    comparison.folder(&root).map_err(|source| failed(upper, source))?;
    comparison.changes.sort();
    comparison.changes.dedup_by(|a, b| a.path == b.path);
    Ok(comparison.changes)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder of the writable layer, and what it is laid over, topmost first.
struct Place<'a> {
    path: PathBuf,
    folder: &'a OwnedFd,
    below: &'a [OwnedFd],
}

struct Comparison<'a> {
    made: &'a [&'a str],
    changes: Vec<Change>,
}

impl Comparison<'_> {
    /// Compares what is in a folder. Says whether its own list of names is another now.
    fn folder(&mut self, place: &Place<'_>) -> io::Result<bool> {
        let mut renamed = false;
        for name in names(place.folder)? {
            let Some(stat) = stat(place.folder.as_fd(), &name)? else { continue };
            let path = place.path.join(OsStr::from_bytes(&name));
            let old = visible(place.below, &name)?;
            renamed |= match (is_whiteout(&stat), old) {
                (true, None) => false,
                (true, Some(_)) => self.note(path, ChangeKind::Deleted),
                (false, old) => self.thing(place, &name, path, (&stat, old.as_ref()))?,
            };
        }
        Ok(renamed)
    }

    /// A thing that the writable layer has. Says whether it was not there before.
    fn thing(
        &mut self,
        place: &Place<'_>,
        name: &[u8],
        path: PathBuf,
        (new, old): (&Stat, Option<&Stat>),
    ) -> io::Result<bool> {
        let is_made = path.to_str().is_some_and(|path| self.made.contains(&path));
        if kind(new) != FileType::Directory {
            // A file that is made to be mounted over is empty.
            if is_made && (new.st_size == 0 || old.is_some()) {
                return Ok(false);
            }
            let added = old.is_none();
            self.note(path, if added { ChangeKind::Added } else { ChangeKind::Modified });
            return Ok(added);
        }
        let folder = rustix::fs::openat(place.folder, name, FOLDER, Mode::empty())?;
        let below = if is_opaque(&folder) { Vec::new() } else { folders_below(place.below, name)? };
        let inside = Place { path: path.clone(), folder: &folder, below: &below };
        let mut differs = self.folder(&inside)?;
        if below.is_empty() && old.is_some() {
            differs |= self.hidden(place, &inside, name)?;
        }
        match old {
            None if is_made && !differs => Ok(false),
            None => Ok(self.note(path, ChangeKind::Added)),
            Some(old) => {
                if differs || (!is_made && is_other(new, old)) {
                    self.note(path, ChangeKind::Modified);
                }
                Ok(false)
            }
        }
    }

    /// What a folder that was made anew no longer has.
    fn hidden(&mut self, place: &Place<'_>, inside: &Place<'_>, name: &[u8]) -> io::Result<bool> {
        let mut any = false;
        let below = folders_below(place.below, name)?;
        for layer in &below {
            for old in names(layer)? {
                let is_gone =
                    stat(inside.folder.as_fd(), &old)?.is_none() && visible(&below, &old)?.is_some();
                if is_gone {
                    any |= self.note(inside.path.join(OsStr::from_bytes(&old)), ChangeKind::Deleted);
                }
            }
        }
        Ok(any)
    }

    fn note(&mut self, path: PathBuf, kind: ChangeKind) -> bool {
        self.changes.push(Change { path, kind });
        true
    }
}

fn names(folder: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn stat(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        // It went away meanwhile: the container may be running.
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// What layers show at a name, unless one of them has a whiteout there.
fn visible(layers: &[OwnedFd], name: &[u8]) -> io::Result<Option<Stat>> {
    for layer in layers {
        if let Some(stat) = stat(layer.as_fd(), name)? {
            return Ok(Some(stat).filter(|stat| !is_whiteout(stat)));
        }
    }
    Ok(None)
}

/// The folders of that name that are merged, topmost first.
fn folders_below(layers: &[OwnedFd], name: &[u8]) -> io::Result<Vec<OwnedFd>> {
    let mut folders = Vec::new();
    for layer in layers {
        match rustix::fs::openat(layer, name, FOLDER, Mode::empty()) {
            Ok(folder) => {
                let ends_here = is_opaque(&folder);
                folders.push(folder);
                if ends_here {
                    break;
                }
            }
            Err(Errno::NOENT) => {}
            // A file, a link or a whiteout hides those below.
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(folders)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_opaque(folder: &OwnedFd) -> bool {
    let mut value = [0_u8; 1];
    rustix::fs::fgetxattr(folder, "trusted.overlay.opaque", &mut value[..])
        .is_ok_and(|length| length == 1 && value[0] == b'y')
}

/// Whether a folder itself is another now. Its time says nothing, as with Docker.
fn is_other(new: &Stat, old: &Stat) -> bool {
    let attributes = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
    attributes(new) != attributes(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    struct Layers(tempfile::TempDir);

    impl Layers {
        fn new() -> Self {
            let layers = Self(tempfile::tempdir().unwrap());
            for name in ["upper", "top", "base"] {
                fs::create_dir(layers.at(name)).unwrap();
            }
            layers
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn file(&self, path: &str, text: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            fs::write(self.at(path), text).unwrap();
        }

        fn gone(&self, path: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            let root = fs::File::open(self.0.path()).unwrap();
            rustix::fs::mknodat(root, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        }

        fn opaque(&self, path: &str) {
            fs::create_dir_all(self.at(path)).unwrap();
            let set = rustix::fs::setxattr(
                self.at(path),
                "trusted.overlay.opaque",
                b"y",
                rustix::fs::XattrFlags::empty(),
            );
            set.unwrap();
        }

        fn changes(&self, made: &[&str]) -> Vec<String> {
            let root = RootFs::Overlay {
                lower: vec![self.at("top"), self.at("base")],
                upper: self.at("upper"),
                work: self.at("work"),
                volatile: false,
            };
            let letter = |change: &Change| match change.kind {
                ChangeKind::Modified => "C",
                ChangeKind::Added => "A",
                ChangeKind::Deleted => "D",
            };
            let all = changes(&root, made).unwrap();
            all.iter().map(|change| format!("{} {}", letter(change), change.path.display())).collect()
        }
    }

    #[test]
    fn files_and_folders() {
        let layers = Layers::new();
        layers.file("base/etc/passwd", "old");
        layers.file("base/etc/group", "old");
        layers.file("base/etc/hidden", "old");
        layers.gone("top/etc/hidden");
        layers.file("base/usr/lib/a", "old");
        assert!(layers.changes(&[]).is_empty());
        layers.file("upper/etc/passwd", "new");
        layers.gone("upper/etc/group");
        layers.file("upper/etc/hidden", "new");
        layers.file("upper/new/deep/file", "new");
        layers.file("upper/usr/lib/a", "new");
        assert_eq!(
            layers.changes(&[]),
            [
                "C /etc",
                "D /etc/group",
                "A /etc/hidden",
                "C /etc/passwd",
                "A /new",
                "A /new/deep",
                "A /new/deep/file",
                "C /usr/lib/a"
            ]
        );
        fs::set_permissions(layers.at("upper/usr"), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(layers.changes(&[]).contains(&"C /usr".to_owned()));
    }

    #[test]
    fn a_folder_that_was_made_anew_has_lost_what_was_in_it() {
        let layers = Layers::new();
        layers.file("base/d/a", "old");
        layers.file("top/d/b", "old");
        layers.file("top/d/c", "old");
        layers.opaque("upper/d");
        layers.file("upper/d/b", "new");
        assert_eq!(layers.changes(&[]), ["C /d", "D /d/a", "A /d/b", "D /d/c"]);
    }

    #[test]
    fn what_the_runtime_makes_is_no_change() {
        let layers = Layers::new();
        layers.file("base/etc/passwd", "old");
        layers.file("upper/etc/hosts", "");
        fs::create_dir(layers.at("upper/proc")).unwrap();
        let made = ["/proc", "/etc/hosts"];
        assert!(layers.changes(&made).is_empty());
        layers.file("upper/proc/x", "");
        layers.file("upper/etc/other", "");
        assert_eq!(layers.changes(&made), ["C /etc", "A /etc/other", "A /proc", "A /proc/x"]);
    }
}
