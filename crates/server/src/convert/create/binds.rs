//! Folders and files of the host.

use super::{Error, invalid};
use sampan_engine::container::Bind;

pub(super) fn binds(all: Vec<String>) -> Result<Vec<Bind>, Error> {
    let mut binds: Vec<Bind> = Vec::with_capacity(all.len());
    for text in all {
        let bind = bind(&text)?;
        if binds.iter().any(|other| other.destination == bind.destination) {
            return invalid(format!("Duplicate mount point: {}", bind.destination));
        }
        binds.push(bind);
    }
    Ok(binds)
}

fn bind(text: &str) -> Result<Bind, Error> {
    let wrong = || Error::Invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts[..] {
        [source, destination] => (source, destination, ""),
        [source, destination, options] => (source, destination, options),
        [path] if path.starts_with('/') => {
            return Err(Error::unsupported(format!("HostConfig.Binds with an anonymous volume ({path})")));
        }
        _ => return Err(wrong()),
    };
    if source.is_empty() || destination.is_empty() {
        return Err(wrong());
    }
    if !source.starts_with('/') {
        return Err(no_path(source));
    }
    let options: Vec<String> =
        options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
    let unknown = |option: &&String| !MODES.contains(&option.as_str());
    let several = ["ro", "rw"].iter().all(|mode| options.iter().any(|option| option == mode));
    if several || options.iter().any(|option| unknown(&option)) {
        return invalid(format!("invalid mode: {}", options.join(",")));
    }
    let destination = destination.trim_end_matches('/');
    let destination = if destination.is_empty() { "/" } else { destination };
    Ok(Bind { source: source.to_owned(), destination: destination.to_owned(), options })
}

/// What may stand behind the second colon. `z` and `Z` relabel for SELinux, which means nothing where there is none.
const MODES: [&str; 15] = [
    "ro",
    "rw",
    "z",
    "Z",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "consistent",
    "cached",
    "delegated",
    "nocopy",
    "bind",
];

fn no_path(source: &str) -> Error {
    let word = |b: u8| b.is_ascii_alphanumeric();
    let mut bytes = source.bytes();
    let is_name = source.len() > 1
        && bytes.next().is_some_and(word)
        && bytes.all(|b| word(b) || matches!(b, b'_' | b'.' | b'-'));
    if is_name {
        return Error::unsupported(format!("HostConfig.Binds with a named volume ({source})"));
    }
    Error::Invalid(format!(
        "create {source}: {source:?} includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    ))
}
