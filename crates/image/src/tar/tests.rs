//! Tars of other writers, and tars that nobody should have written.

use super::*;
use proptest::prelude::*;

struct Collect(Vec<u8>);

impl Tape for Collect {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut reader = Reader::new(bytes, Limits { entries: 100, extended: 4096 });
    let mut all = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut content = vec![0; entry.stored.min(1 << 20) as usize];
        let mut length = 0;
        while length < content.len() {
            length += reader.content(&mut content[length..])?;
        }
        all.push((entry, content));
    }
    Ok(all)
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o4755);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(9);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn a_file_with_all_its_fields() {
    let all = read_all(&file("a/b", b"hello")).unwrap();
    let (entry, content) = &all[0];
    assert_eq!((entry.name.as_slice(), entry.kind, entry.size), (&b"a/b"[..], Kind::File, 5));
    assert_eq!((entry.mode, entry.uid, entry.gid, entry.mtime.seconds), (0o4755, 7, 8, 9));
    assert_eq!(content, b"hello");
}

#[test]
fn long_names_of_gnu_and_pax() {
    let long = "d/".repeat(150) + "file";
    assert_eq!(read_all(&file(&long, b"x")).unwrap()[0].0.name, long.as_bytes());
    let mut builder = tar::Builder::new(Vec::new());
    let records = [
        ("path", long.as_bytes()),
        ("SCHILY.xattr.user.a", b"1\n\0"),
        ("mtime", b"5.25"),
        ("uid", b"4000000000"),
    ];
    builder.append_pax_extensions(records).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    builder.append_data(&mut header, "short", &b"y"[..]).unwrap();
    let all = read_all(&builder.into_inner().unwrap()).unwrap();
    let entry = &all[0].0;
    assert_eq!(entry.name, long.as_bytes());
    assert_eq!(entry.xattrs, [(b"user.a".to_vec(), b"1\n\0".to_vec())]);
    assert_eq!((entry.mtime, entry.uid), (Time { seconds: 5, nanos: 250_000_000 }, 4_000_000_000));
}

/// A file that GNU tar wrote as sparse: `format` is one of its names.
fn gnu_sparse(format: &[&str]) -> (Vec<u8>, Vec<Chunk>) {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("f")).unwrap();
    let mut chunks = Vec::new();
    for i in 0..40 {
        file.write_all_at(&[b'a' + i as u8 % 26; 4096], i * 65536).unwrap();
        chunks.push(Chunk { offset: i * 65536, length: 4096 });
    }
    file.set_len(40 * 65536).unwrap();
    let output = std::process::Command::new("tar")
        .args(["--sparse", "--hole-detection=raw"])
        .args(format)
        .args(["-c", "-f", "-", "f"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    (output.stdout, chunks)
}

#[test]
fn sparse_files_of_every_form() {
    let pax = |version| vec!["--format=pax", version];
    for format in [
        vec!["--format=gnu"],
        pax("--sparse-version=0.0"),
        pax("--sparse-version=0.1"),
        pax("--sparse-version=1.0"),
    ] {
        let (bytes, chunks) = gnu_sparse(&format);
        let all = read_all(&bytes).unwrap();
        let (entry, content) = &all[0];
        assert_eq!(entry.name, b"f", "{format:?}");
        assert_eq!((entry.size, entry.stored), (40 * 65536, 40 * 4096), "{format:?}");
        let mut got = entry.sparse.clone().unwrap();
        got.retain(|c| c.length > 0);
        assert_eq!(got, chunks, "{format:?}");
        assert!(content.chunks(4096).enumerate().all(|(i, c)| c == [b'a' + i as u8 % 26; 4096]));
    }
}

#[test]
fn a_cut_tar_is_refused_wherever_it_is_cut() {
    let mut bytes = file("a", &[1; 700]);
    let whole = bytes.len();
    for cut in [1, 511, 513, 700, 1300, whole - 1024 - 1, whole - 600] {
        assert!(matches!(read_all(&bytes[..cut]), Err(Error::Truncated { .. })), "{cut}");
    }
    // Without the two empty blocks it ends where the source ends, as Go has it.
    bytes.truncate(whole - 1024);
    assert_eq!(read_all(&bytes).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let good = file("a", b"x");
    let with = |offset: usize, bytes: &[u8]| {
        let mut tar = good.clone();
        tar[offset..offset + bytes.len()].copy_from_slice(bytes);
        let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        tar
    };
    for (what, bytes) in [
        ("checksum", {
            let mut b = good.clone();
            b[0] ^= 1;
            b
        }),
        ("type", with(156, b"M")),
        ("size", with(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("uid", with(108, b"\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("empty name", with(0, b"\0")),
        ("link to nothing", with(156, b"2")),
        (
            "pax too long",
            with(124, b"00000010001\0")
                .into_iter()
                .enumerate()
                .map(|(i, b)| if i == 156 { b'x' } else { b })
                .collect(),
        ),
        ("garbage after the end", {
            let mut b = good.clone();
            let at = b.len() - 10;
            b[at] = 1;
            b
        }),
    ] {
        assert!(read_all(&bytes).is_err(), "{what}");
    }
    let mut many = Vec::new();
    for i in 0..101 {
        many.extend_from_slice(&file(&i.to_string(), b"")[..512]);
    }
    assert!(matches!(read_all(&many), Err(Error::TooManyEntries { limit: 100 })));
}

/// The keys that mean something, and some that do not.
fn pax_key() -> impl Strategy<Value = String> {
    let known = [
        "path",
        "linkpath",
        "size",
        "uid",
        "gid",
        "mtime",
        "GNU.sparse.name",
        "GNU.sparse.major",
        "GNU.sparse.realsize",
        "GNU.sparse.offset",
        "GNU.sparse.numbytes",
        "GNU.sparse.map",
        "SCHILY.xattr.user.a",
        "SCHILY.xattr.",
        "comment",
        "",
    ];
    proptest::sample::select(known.to_vec()).prop_map(str::to_owned)
}

/// A file behind an extended header with this body.
fn with_pax(body: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(body.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend(file("f", b"content"));
    bytes
}

proptest! {
    #[test]
    fn any_bytes_end_in_entries_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn any_header_ends_in_an_entry_or_an_error(
        changes in proptest::collection::vec((0_usize..2048, any::<u8>()), 1..20),
        kind in proptest::sample::select(b"01234567SLKxg\0".to_vec()),
    ) {
        let mut tar = file(&"n/".repeat(80), &[b'9'; 600]);
        for (offset, byte) in changes {
            tar[offset] = byte;
        }
        tar[156] = kind;
        for block in [0, 1024] {
            let mut header = tar::Header::from_byte_slice(&tar[block..block + 512]).clone();
            header.set_cksum();
            tar[block..block + 512].copy_from_slice(header.as_bytes());
        }
        let _ = read_all(&tar);
    }

    #[test]
    fn framing_and_content_are_the_whole_tar(
        files in proptest::collection::vec(("[a-z]{1,120}", proptest::collection::vec(any::<u8>(), 0..1500)), 0..6),
        trailing in 0_usize..3000,
    ) {
        let mut bytes = Vec::new();
        for (name, content) in &files {
            let tar = file(name, content);
            bytes.extend_from_slice(&tar[..tar.len() - 1024]);
        }
        bytes.extend(vec![0; 1024 + trailing]);
        let mut reader = Reader::with_tape(&bytes[..], Collect(Vec::new()), Limits::default());
        while let Some(entry) = reader.next().unwrap() {
            let mut content = vec![0; entry.stored as usize];
            reader.read_exact(&mut content).unwrap();
            reader.tape().0.extend_from_slice(&content);
        }
        prop_assert_eq!(reader.into_parts().1.0, bytes);
    }

    #[test]
    fn any_extended_header_ends_in_an_entry_or_an_error(
        records in proptest::collection::vec((pax_key(), proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
        changes in proptest::collection::vec((0_usize..400, any::<u8>()), 0..3),
    ) {
        let mut body = Vec::new();
        for (key, value) in &records {
            let rest = 3 + key.len() + value.len();
            let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        let whole = read_all(&with_pax(&body));
        let last = |key: &str| records.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value);
        if let (Ok(entries), Some(path)) = (whole, last("path"))
            && !path.is_empty()
            && last("GNU.sparse.name").is_none()
        {
            prop_assert_eq!(&entries[0].0.name, path);
        }
        for (offset, byte) in changes {
            let length = body.len().max(1);
            if let Some(at) = body.get_mut(offset % length) {
                *at = byte;
            }
        }
        let _ = read_all(&with_pax(&body));
    }
}
