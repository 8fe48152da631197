//! `--mount`: fields of key and value, separated by commas, as one line of CSV (RFC 4180). And `--tmpfs`.

use super::volumes::clean;
use sampan_api::body::{BindOptions, Mount, TmpfsOptions, VolumeOptions};
use sampan_spec::parse_size;
use std::path::Path;

/// A `--mount` makes no sense. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MountError {
    #[error("EOF")]
    Empty,
    #[error("parse error on line 1, column {0}: extraneous or missing \" in quoted-field")]
    Quoted(usize),
    #[error("parse error on line 1, column {0}: bare \" in non-quoted-field")]
    Quote(usize),
    #[error("invalid field '{0}' must be a key=value pair")]
    NoValue(String),
    #[error("unexpected key '{key}' in '{field}'")]
    UnknownKey { key: String, field: String },
    #[error("invalid value for {key}: {value}")]
    Value { key: String, value: String },
    #[error(
        "invalid value for {key}: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
    )]
    Recursion { key: String, value: String },
    #[error("type is required")]
    NoType,
    #[error("target is required")]
    NoTarget,
    #[error("cannot mix '{options}-*' options with mount type '{kind}'")]
    Mixed { options: &'static str, kind: String },
    #[error("option 'bind-recursive={0}' requires 'readonly' to be specified in conjunction")]
    NotReadOnly(&'static str),
    #[error(
        "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
    )]
    NotPrivate,
}

/// Keys that stand for `true` without a value.
const FLAGS: [&str; 4] = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive"];

/// Reads one `--mount`.
pub(crate) fn mount(text: &str) -> Result<Mount, MountError> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut mount = Mount { r#type: "volume".into(), ..Mount::default() };
    for field in fields(text)? {
        take(&mut mount, &field, &here)?;
    }
    check(&mount)?;
    Ok(mount)
}

fn take(mount: &mut Mount, field: &str, here: &Path) -> Result<(), MountError> {
    let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
    let key = key.to_lowercase();
    if value.is_none() && !FLAGS.contains(&key.as_str()) {
        return Err(MountError::NoValue(field.to_owned()));
    }
    let text = value.unwrap_or_default();
    let wrong = || MountError::Value { key: key.clone(), value: text.to_owned() };
    let truth = || value.map_or(Some(true), crate::flags::parse_bool).ok_or_else(wrong);
    match key.as_str() {
        "type" => mount.r#type = text.to_lowercase(),
        "source" | "src" => mount.source = source(text, here),
        "target" | "dst" | "destination" => mount.target = text.to_owned(),
        "readonly" | "ro" => mount.read_only = truth()?,
        "consistency" => mount.consistency = text.to_lowercase(),
        "bind-propagation" => bind(mount).propagation = text.to_lowercase(),
        "bind-nonrecursive" => bind(mount).non_recursive = truth()?,
        "bind-recursive" if text == "enabled" => {}
        "bind-recursive" => recursion(bind(mount), &key, text)?,
        "volume-subpath" => volume(mount).subpath = text.to_owned(),
        "volume-nocopy" => volume(mount).no_copy = truth()?,
        "volume-label" => insert(&mut volume(mount).labels, text),
        "volume-driver" => volume(mount).driver_config.get_or_insert_default().name = text.to_owned(),
        "volume-opt" => insert(&mut volume(mount).driver_config.get_or_insert_default().options, text),
        "tmpfs-size" => {
            let size = parse_size(text).ok().and_then(|size| i64::try_from(size).ok());
            tmpfs(mount).size_bytes = size.ok_or_else(wrong)?;
        }
        "tmpfs-mode" => tmpfs(mount).mode = u32::from_str_radix(text, 8).map_err(|_| wrong())?,
        _ => return Err(MountError::UnknownKey { key, field: field.to_owned() }),
    }
    Ok(())
}

/// A path that starts with a dot is taken from `here`.
fn source(text: &str, here: &Path) -> String {
    if text == "." || text.starts_with("./") { clean(&here.join(text)) } else { text.to_owned() }
}

fn bind(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut VolumeOptions {
    let options = mount.volume_options.get_or_insert_default();
    options.driver_config.get_or_insert_default();
    options
}

fn tmpfs(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

fn insert(map: &mut Option<std::collections::BTreeMap<String, String>>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    map.get_or_insert_default().insert(key.to_owned(), value.to_owned());
}

fn recursion(options: &mut BindOptions, key: &str, text: &str) -> Result<(), MountError> {
    match text {
        "disabled" => options.non_recursive = true,
        "writable" => options.read_only_non_recursive = true,
        "readonly" => options.read_only_force_recursive = true,
        _ => return Err(MountError::Recursion { key: key.to_owned(), value: text.to_owned() }),
    }
    Ok(())
}

fn check(mount: &Mount) -> Result<(), MountError> {
    if mount.r#type.is_empty() {
        return Err(MountError::NoType);
    }
    if mount.target.is_empty() {
        return Err(MountError::NoTarget);
    }
    let given = [
        ("volume", mount.volume_options.is_some()),
        ("bind", mount.bind_options.is_some()),
        ("tmpfs", mount.tmpfs_options.is_some()),
    ];
    if let Some((options, _)) = given.iter().find(|(kind, given)| *given && *kind != mount.r#type) {
        return Err(MountError::Mixed { options, kind: mount.r#type.clone() });
    }
    let Some(bind) = &mount.bind_options else { return Ok(()) };
    match (bind.read_only_non_recursive, bind.read_only_force_recursive) {
        (true, _) if !mount.read_only => Err(MountError::NotReadOnly("writable")),
        (_, true) if !mount.read_only => Err(MountError::NotReadOnly("readonly")),
        (_, true) if bind.propagation != "rprivate" => Err(MountError::NotPrivate),
        _ => Ok(()),
    }
}

/// The fields of one line of CSV.
pub(super) fn fields(text: &str) -> Result<Vec<String>, MountError> {
    if text.is_empty() {
        return Err(MountError::Empty);
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let column = text.len() - rest.len() + 1;
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, column + 1, text.len() + 1)?,
            None => plain_field(rest, column)?,
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// A field, and what follows its comma.
type Field<'t> = (String, Option<&'t str>);

fn plain_field(text: &str, column: usize) -> Result<Field<'_>, MountError> {
    let (field, after) = text.split_once(',').map_or((text, None), |(field, after)| (field, Some(after)));
    match field.find('"') {
        Some(at) => Err(MountError::Quote(column + at)),
        None => Ok((field.to_owned(), after)),
    }
}

/// A field whose first quotation mark was read; two stand for one in it.
fn quoted_field(text: &str, column: usize, end: usize) -> Result<Field<'_>, MountError> {
    let mut field = String::new();
    let mut rest = text;
    while let Some((part, after)) = rest.split_once('"') {
        field.push_str(part);
        let column = column + text.len() - after.len();
        match after.as_bytes().first() {
            None => return Ok((field, None)),
            Some(b',') => return Ok((field, Some(&after[1..]))),
            Some(b'"') => {
                field.push('"');
                rest = &after[1..];
            }
            Some(_) => return Err(MountError::Quoted(column - 1)),
        }
    }
    Err(MountError::Quoted(end))
}

/// `--tmpfs PATH[:OPTIONS]`.
pub(crate) fn in_memory(text: &str) -> (String, String) {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    (path.to_owned(), options.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, want: &str) {
        let got = match mount(text) {
            Ok(mount) => serde_json::to_string(&mount).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn fields_become_options() {
        check(
            "type=bind,src=/tmp,dst=/x,bind-propagation=rprivate,readonly",
            r#"{"Type":"bind","Source":"/tmp","Target":"/x","ReadOnly":true,"BindOptions":{"Propagation":"rprivate"}}"#,
        );
        check(
            "type=volume,src=v,dst=/x,volume-label=a=b,volume-opt=type=tmpfs,volume-driver=local,volume-nocopy",
            r#"{"Type":"volume","Source":"v","Target":"/x","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"DriverConfig":{"Name":"local","Options":{"type":"tmpfs"}}}}"#,
        );
        check(
            "volume-nocopy=false,dst=/x",
            r#"{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{}}}"#,
        );
        check(
            "type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700",
            r#"{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"SizeBytes":1048576,"Mode":448}}"#,
        );
        check(
            "TYPE=BIND,SRC=/tmp,DST=/x,RO=1,bind-recursive=writable",
            r#"{"Type":"bind","Source":"/tmp","Target":"/x","ReadOnly":true,"BindOptions":{"ReadOnlyNonRecursive":true}}"#,
        );
        check(
            r#"type=bind,"src=/a,b""c",dst=/x,bind-nonrecursive"#,
            r#"{"Type":"bind","Source":"/a,b\"c","Target":"/x","BindOptions":{"NonRecursive":true}}"#,
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_as_docker_does() {
        for (text, want) in [
            ("", "EOF"),
            ("foo", "invalid field 'foo' must be a key=value pair"),
            ("type=bind,dst=/x,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
            ("type=bind,dst=/x,readonly=maybe", "invalid value for readonly: maybe"),
            ("type=tmpfs,src=/x", "target is required"),
            ("type=,dst=/x", "type is required"),
            ("type=volume,dst=/x,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'volume'"),
            ("type=bind,dst=/x,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("type=tmpfs,dst=/x,tmpfs-size=zz", "invalid value for tmpfs-size: zz"),
            ("type=tmpfs,dst=/x,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            (
                "type=bind,dst=/x,bind-recursive=foo",
                "invalid value for bind-recursive: foo (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
            ),
            (
                "type=bind,src=/tmp,dst=/x,bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
            ),
            (
                "type=bind,\"src=/tmp,dst=/x",
                "parse error on line 1, column 27: extraneous or missing \" in quoted-field",
            ),
            ("type=b\"ind", "parse error on line 1, column 7: bare \" in non-quoted-field"),
        ] {
            check(text, want);
        }
    }

    #[test]
    fn a_source_that_starts_with_a_dot_is_here() {
        let here = Path::new("/home/me");
        for (text, want) in [("./x", "/home/me/x"), (".", "/home/me"), (".x", ".x"), ("v", "v"), ("/a", "/a")]
        {
            assert_eq!(source(text, here), want);
        }
    }

    #[test]
    fn tmpfs_options_follow_the_first_colon() {
        assert_eq!(in_memory("/x"), ("/x".into(), String::new()));
        assert_eq!(in_memory("/x:size=1m,mpol=bind:0"), ("/x".into(), "size=1m,mpol=bind:0".into()));
    }

    proptest! {
        #[test]
        fn a_line_of_csv_is_read_back(fields_in in prop::collection::vec("[a-z=,\" ]{0,6}", 1..5)) {
            let quoted: Vec<String> =
                fields_in.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            prop_assert_eq!(fields(&quoted.join(",")), Ok(fields_in));
        }

        #[test]
        fn garbage_is_refused_or_read(text in "\\PC{0,30}|[a-z\",=]{0,30}") {
            let _ = mount(&text);
        }
    }
}
