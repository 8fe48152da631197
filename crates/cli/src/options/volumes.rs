//! `-v`: `/in/container`, `source:/in/container` and `source:/in/container:options`.

use std::path::Path;

/// What one `-v` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    /// A new volume at this path.
    Anonymous(String),
    /// A folder of the host or a volume by name, as the API takes it.
    Bind(String),
}

/// A `-v` makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VolumeError {
    #[error("invalid empty volume spec")]
    Empty,
    #[error("invalid spec: {0}: empty section between colons")]
    EmptySection(String),
    #[error("invalid spec: {0}: too many colons")]
    TooManyColons(String),
}

/// Reads one `-v`; a source that starts with a dot is taken from `here`. The daemon knows the options.
pub(crate) fn volume(text: &str, here: &Path) -> Result<Volume, VolumeError> {
    if text.is_empty() {
        return Err(VolumeError::Empty);
    }
    let parts: Vec<&str> = text.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(VolumeError::EmptySection(text.to_owned()));
    }
    match parts[..] {
        [path] => Ok(Volume::Anonymous(path.to_owned())),
        [_, _, _, _, ..] => Err(VolumeError::TooManyColons(text.to_owned())),
        [source, ref rest @ ..] => {
            let source = if source.starts_with('.') { clean(&here.join(source)) } else { source.to_owned() };
            Ok(Volume::Bind(format!("{source}:{}", rest.join(":"))))
        }
        [] => Err(VolumeError::Empty),
    }
}

/// An absolute path without `.` and `..`, by its text alone.
pub(crate) fn clean(path: &Path) -> String {
    use std::path::Component;
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy()),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let bind = |text: &str| Ok(Volume::Bind(text.to_owned()));
        for (text, want) in [
            ("/data", Ok(Volume::Anonymous("/data".into()))),
            ("/a:/b", bind("/a:/b")),
            ("/a:/b:ro", bind("/a:/b:ro")),
            ("name:/b", bind("name:/b")),
            (".:/b", bind("/home/me:/b")),
            ("./x/../y:/b:ro,z", bind("/home/me/y:/b:ro,z")),
            ("../x:/b", bind("/home/x:/b")),
            ("../../../x:/b", bind("/x:/b")),
            ("", Err("invalid empty volume spec")),
            ("::", Err("invalid spec: ::: empty section between colons")),
            (":/b", Err("invalid spec: :/b: empty section between colons")),
            ("a:b:c:d", Err("invalid spec: a:b:c:d: too many colons")),
        ] {
            let got = volume(text, Path::new("/home/me")).map_err(|e| e.to_string());
            assert_eq!(got, want.map_err(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a./:]{0,16}") {
            if let Ok(Volume::Bind(bind)) = volume(&text, Path::new("/home/me")) {
                let parts: Vec<&str> = bind.split(':').collect();
                prop_assert!(matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty()), "{}", bind);
                prop_assert!(!text.starts_with('.') || parts[0].starts_with('/'), "{}", bind);
            }
        }
    }
}
