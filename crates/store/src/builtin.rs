//! The image that is built into the program: `hello:latest`.

use crate::images::Source;
use crate::import::{self, Request};
use crate::{Error, Store, names};
use sampan_image::{RunConfig, sha256};
use sampan_spec::{Digest, Platform, Reference, Timestamp};
use std::io;
use tar::{EntryType, Header};

/// Makes the image `hello:latest` of one static program, `/hello`, if it is not there. The same program makes the same
/// image. If the user gave the name to another image, that one keeps it.
///
/// # Errors
/// When it cannot be written.
pub fn ensure(store: &Store, program: &[u8]) -> Result<Digest, Error> {
    let tar = layer(program).map_err(|source| Error::Write { path: store.layout.tmp(), source })?;
    let name: Reference = NAME.parse().map_err(|source| Error::Reference { typed: NAME.into(), source })?;
    let run = RunConfig {
        env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
        cmd: vec!["/hello".into()],
        working_dir: "/".into(),
        ..RunConfig::default()
    };
    let mut request = Request {
        name: Some(name.clone()),
        changes: Vec::new(),
        message: "built into Sampan".into(),
        platform: Platform::host(),
        created: Timestamp::from_second(CREATED).unwrap_or(Timestamp::UNIX_EPOCH),
        max_layer: u64::MAX,
    };
    let id = import::config(&request, run.clone(), sha256(&tar))?.id().clone();
    let (is_there, owner) = {
        let index = store.index();
        let owner = index.names.get(&name).and_then(|owner| index.images.get(owner));
        (index.images.contains_key(&id), owner.map(|entry| (entry.record.id.clone(), entry.record.source)))
    };
    match owner {
        Some((owner, _)) if owner == id => return Ok(id),
        // An earlier version of this program made it.
        Some((_, Source::Builtin)) | None => {}
        Some(_) => request.name = None,
    }
    if !is_there {
        return Ok(import::make(store, &tar[..], &request, run, Source::Builtin)?.id);
    }
    if request.name.is_some() {
        names::tag(store, &id, &name)?;
    }
    Ok(id)
}

/// What the engine's own image is called.
const NAME: &str = "hello:latest";
/// The same program must make the same image whenever it does: 2026-01-01.
const CREATED: i64 = 1_767_225_600;

/// The image's tar.
fn layer(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::with_capacity(program.len() + (16 << 10)));
    let mut add = |path: &str, kind: EntryType, mode: u32, content: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(CREATED as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content)
    };
    add("etc/", EntryType::Directory, 0o755, b"")?;
    add("etc/group", EntryType::Regular, 0o644, b"root:x:0:\nnobody:x:65534:\n")?;
    add("etc/passwd", EntryType::Regular, 0o644, PASSWD)?;
    add("hello", EntryType::Regular, 0o755, program)?;
    add("tmp/", EntryType::Directory, 0o1777, b"")?;
    builder.into_inner()
}

const PASSWD: &[u8] = b"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
