//! Puts a tar's entries into a layer's folder, one after the other.

use super::record::{KEPT, Recorder};
use super::tree::{self, OpenError, Plain, Tree};
use super::{ApplyError, Refusal, attributes, files};
use crate::walk;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sampan_image::tar::{Chunk, Entry, Kind, Reader, Time, Whiteout, whiteout};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// What is not a file has no content; a stray byte or two is passed over and recorded.
const STRAY_MAX: u64 = 64 << 10;
const BUFFER: usize = 256 << 10;

pub(super) struct Place {
    layer: PathBuf,
    tree: Tree,
    /// The folder for what is replaced, and how many things are in it.
    kept: Option<OwnedFd>,
    kept_count: u64,
    /// The folders' times: set at the end, since what is put into a folder changes its time.
    times: BTreeMap<Vec<u8>, Time>,
    left: u64,
    max: u64,
    size: u64,
    /// Whether something was replaced: then `size` is too large.
    replaced: bool,
    buffer: Vec<u8>,
}

/// Why one entry could not be placed; its name is added by [`Place::entry`].
enum Failure {
    Refused(Refusal),
    System(io::Error),
    TooLarge,
    Tar(sampan_image::tar::Error),
}

impl From<Refusal> for Failure {
    fn from(reason: Refusal) -> Self {
        Self::Refused(reason)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::System(errno.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Refused(reason) => Self::Refused(reason),
            OpenError::System(errno) => errno.into(),
        }
    }
}

impl Place {
    /// Makes `fs/` in a layer's folder.
    pub(super) fn new(layer: &Path, max: u64) -> io::Result<Self> {
        let root = files(layer);
        fs::DirBuilder::new().mode(0o755).create(&root)?;
        let tree = Tree::open(&root)?;
        rustix::fs::fchmod(tree.root(), Mode::from_raw_mode(0o755))?;
        Ok(Self {
            layer: layer.to_owned(),
            tree,
            kept: None,
            kept_count: 0,
            times: BTreeMap::new(),
            left: max,
            max,
            size: 0,
            replaced: false,
            buffer: vec![0; BUFFER],
        })
    }

    /// Puts one entry into its place; its content is read from `reader`.
    pub(super) fn entry<R: Read>(
        &mut self,
        entry: &Entry,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), ApplyError> {
        let name = || String::from_utf8_lossy(&entry.name).into_owned();
        self.place(entry, reader).map_err(|failure| match failure {
            Failure::Refused(reason) => ApplyError::Refused { entry: name(), reason },
            Failure::System(source) => ApplyError::Write { entry: name(), source },
            Failure::TooLarge => ApplyError::TooLarge { entry: name(), limit: self.max },
            Failure::Tar(source) => ApplyError::Tar(source),
        })
    }

    /// Sets the folders' times, the innermost first: the size of all files.
    pub(super) fn finish(self) -> io::Result<u64> {
        for (path, time) in self.times.iter().rev() {
            let path: &[u8] = if path.is_empty() { b"." } else { path };
            tree::set_time(self.tree.root(), path, *time)?;
        }
        if self.replaced { walk::size(&files(&self.layer)) } else { Ok(self.size) }
    }

    fn place<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R, Recorder>) -> Result<(), Failure> {
        let path = Plain::new(&entry.name)?;
        if path.is_root() {
            if entry.kind != Kind::Directory {
                return Err(Refusal::Root.into());
            }
            return self.attributes_of_folder(&path, entry);
        }
        match whiteout(path.split().1) {
            Err(_) => Err(Refusal::Whiteout.into()),
            Ok(Some(meaning)) => self.whiteout(&path, meaning, entry),
            Ok(None) => self.thing(&path, entry, reader),
        }
    }

    fn whiteout(&mut self, path: &Plain, meaning: Whiteout<'_>, entry: &Entry) -> Result<(), Failure> {
        if entry.stored > STRAY_MAX {
            return Err(Refusal::Content.into());
        }
        let folder = match meaning {
            Whiteout::Meta => return Ok(()),
            Whiteout::Opaque | Whiteout::File(_) => self.tree.folder(path.split().0)?,
        };
        let Whiteout::File(gone) = meaning else { return Ok(tree::make_opaque(folder)?) };
        match tree::stat(folder, gone)? {
            None => Ok(tree::make_whiteout(folder, gone)?),
            // A whiteout means the layers below only, wherever in the tar it stands: what this layer has itself stays,
            // and a folder of it must not show what the others have in theirs.
            Some(stat) if tree::kind(&stat) == FileType::Directory => {
                let path = path.beside(gone);
                Ok(tree::make_opaque(self.tree.folder(path.bytes())?)?)
            }
            Some(_) => Ok(()),
        }
    }

    fn thing<R: Read>(
        &mut self,
        path: &Plain,
        entry: &Entry,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), Failure> {
        let (parent, base) = path.split();
        if entry.kind == Kind::HardLink {
            return self.hard_link(path, entry, reader);
        }
        let existing = tree::stat(self.tree.folder(parent)?, base)?;
        if entry.kind == Kind::Directory {
            self.make_folder(path, existing.as_ref(), reader)?;
            return self.attributes_of_folder(path, entry);
        }
        if let Some(stat) = &existing {
            self.displace(path, stat, reader)?;
        }
        match entry.kind {
            Kind::File => self.file(path, entry, reader),
            Kind::Symlink => {
                self.size = self.size.saturating_add(entry.link.len() as u64);
                let folder = self.tree.folder(parent)?;
                rustix::fs::symlinkat(&entry.link[..], folder, base)?;
                Ok(attributes::set(folder, base, entry)?)
            }
            _ => {
                let folder = self.tree.folder(parent)?;
                attributes::make_node(folder, base, entry)?;
                Ok(attributes::set(folder, base, entry)?)
            }
        }
    }

    fn make_folder<R: Read>(
        &mut self,
        path: &Plain,
        existing: Option<&Stat>,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), Failure> {
        let (parent, base) = path.split();
        if existing.is_some_and(|stat| tree::kind(stat) == FileType::Directory) {
            return Ok(());
        }
        if let Some(stat) = existing {
            self.displace(path, stat, reader)?;
        }
        rustix::fs::mkdirat(self.tree.folder(parent)?, base, Mode::from_raw_mode(0o700))?;
        if existing.is_some_and(tree::is_whiteout) {
            tree::make_opaque(self.tree.folder(path.bytes())?)?;
        }
        Ok(())
    }

    fn attributes_of_folder(&mut self, path: &Plain, entry: &Entry) -> Result<(), Failure> {
        self.times.insert(path.bytes().to_vec(), entry.mtime);
        let folder = self.tree.folder(path.bytes())?;
        Ok(attributes::set_of_folder(folder, entry)?)
    }

    fn file<R: Read>(
        &mut self,
        path: &Plain,
        entry: &Entry,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), Failure> {
        self.left = self.left.checked_sub(entry.stored).ok_or(Failure::TooLarge)?;
        self.size = self.size.saturating_add(entry.size);
        let (parent, base) = path.split();
        let folder = self.tree.folder(parent)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(folder, base, flags, Mode::from_raw_mode(0o600))?);
        let whole = [Chunk { offset: 0, length: entry.stored }];
        for chunk in entry.sparse.as_deref().unwrap_or(&whole) {
            copy(reader, &file, *chunk, &mut self.buffer)?;
            reader.tape().content(path.bytes(), chunk.offset, chunk.length)?;
        }
        if entry.sparse.is_some() {
            file.set_len(entry.size)?;
        }
        Ok(attributes::set_of_file(&file, entry)?)
    }

    /// Links to what the layer has. Attributes are the target's: a tar repeats them.
    fn hard_link<R: Read>(
        &mut self,
        path: &Plain,
        entry: &Entry,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), Failure> {
        let target = Plain::new(&entry.link).map_err(|_| Refusal::LinkOut)?;
        let missing = |errno| match errno {
            Errno::NOENT | Errno::NOTDIR => Failure::Refused(Refusal::LinkTarget),
            other => OpenError::from(other).into(),
        };
        let (folder, target_base) = target.split();
        let from = self.tree.open_folder(folder).map_err(missing)?;
        let Some(stat) = tree::stat(from.as_fd(), target_base).map_err(missing)? else {
            return Err(Refusal::LinkTarget.into());
        };
        if target.is_root() || tree::kind(&stat) == FileType::Directory || tree::is_whiteout(&stat) {
            return Err(Refusal::LinkTarget.into());
        }
        let (parent, base) = path.split();
        let existing = tree::stat(self.tree.folder(parent)?, base)?;
        match &existing {
            Some(same) if (same.st_dev, same.st_ino) == (stat.st_dev, stat.st_ino) => return Ok(()),
            Some(other) if target.is_within(path) => {
                debug_assert!(tree::kind(other) == FileType::Directory);
                return Err(Refusal::LinkTarget.into());
            }
            Some(other) => self.displace(path, other, reader)?,
            None => {}
        }
        let to = self.tree.folder(parent)?;
        Ok(rustix::fs::linkat(&from, target_base, to, base, AtFlags::empty())?)
    }

    /// Takes away what an entry replaces. What has content is kept beside the files: the tar has it, so its rebuilding
    /// needs it.
    fn displace<R: Read>(
        &mut self,
        path: &Plain,
        stat: &Stat,
        reader: &mut Reader<R, Recorder>,
    ) -> Result<(), Failure> {
        let (parent, base) = path.split();
        let kind = tree::kind(stat);
        self.replaced = true;
        if !matches!(kind, FileType::Directory | FileType::RegularFile) {
            return Ok(rustix::fs::unlinkat(self.tree.folder(parent)?, base, AtFlags::empty())?);
        }
        let name = self.kept_count.to_string();
        let kept = self.kept()?;
        tree::move_out(self.tree.folder(parent)?, base, kept.as_fd(), &name)?;
        reader.tape().moved(path.bytes(), self.kept_count)?;
        self.kept_count += 1;
        if kind == FileType::Directory {
            self.tree.forget();
            self.forget_times(path);
        }
        Ok(())
    }

    /// Folders that were taken away have no time to be set.
    fn forget_times(&mut self, path: &Plain) {
        let below = [path.bytes(), b"/"].concat();
        let mut after = self.times.split_off(&below);
        // `0` comes behind `/`: what sorts from there on is not below.
        let behind = after.split_off(&[path.bytes(), b"0"].concat());
        self.times.extend(behind);
        self.times.remove(path.bytes());
    }

    fn kept(&mut self) -> io::Result<OwnedFd> {
        if self.kept.is_none() {
            let path = self.layer.join(KEPT);
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            self.kept = Some(File::open(&path)?.into());
        }
        self.kept.as_ref().map_or_else(|| Err(io::ErrorKind::NotFound.into()), OwnedFd::try_clone)
    }
}

/// Copies one run of an entry's content into its file.
fn copy<R: Read>(
    reader: &mut Reader<R, Recorder>,
    file: &File,
    chunk: Chunk,
    buffer: &mut [u8],
) -> Result<(), Failure> {
    let (mut offset, end) = (chunk.offset, chunk.offset + chunk.length);
    while offset < end {
        let most = (end - offset).min(buffer.len() as u64) as usize;
        let length = reader.content(&mut buffer[..most]).map_err(Failure::Tar)?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        file.write_all_at(&buffer[..length], offset)?;
        offset += length as u64;
    }
    Ok(())
}
