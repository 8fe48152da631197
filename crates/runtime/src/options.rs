//! Mount options (runtime specification, config.md "Linux mount options"): which are a mount's attributes, which its
//! propagation, and which the file system's own.

use sampan_spec::bundle::{COPY, SUBPATH};
use sampan_sys::mount::{Attributes, Propagation};

/// A mount's options, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `Some(recursive)` for `bind` and `rbind`.
    pub(crate) bind: Option<bool>,
    /// For the mount itself.
    pub(crate) attributes: Change,
    /// For it and all below it.
    pub(crate) recursive: Change,
    /// Propagation, and whether for all below it too.
    pub(crate) propagation: Option<(Propagation, bool)>,
    /// For a bind mount: what below its source is mounted.
    pub(crate) subpath: Option<String>,
    /// `Some(recursive)` for `idmap` and `ridmap`.
    pub(crate) idmap: Option<bool>,
    /// What a new file system covers is copied into it.
    pub(crate) copy_up: bool,
    /// For a bind mount: a copy of the file is mounted in its place.
    pub(crate) copy: bool,
    /// The file system's options.
    pub(crate) data: Vec<(String, Option<String>)>,
}

/// Attributes to set and to clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) set: Attributes,
    pub(crate) clear: Attributes,
}

/// Attributes by the option that sets and the option that clears them; with `r` before the name for all mounts below.
const ATTRIBUTES: [(&str, &str, Attributes); 9] = [
    ("ro", "rw", Attributes::READ_ONLY),
    ("nosuid", "suid", Attributes::NO_SUID),
    ("nodev", "dev", Attributes::NO_DEVICES),
    ("noexec", "exec", Attributes::NO_EXECUTE),
    ("nodiratime", "diratime", Attributes::NO_DIRECTORY_ACCESS_TIME),
    ("nosymfollow", "symfollow", Attributes::NO_SYMLINKS),
    ("noatime", "atime", Attributes::NO_ACCESS_TIME),
    ("strictatime", "nostrictatime", Attributes::STRICT_ACCESS_TIME),
    ("relatime", "norelatime", Attributes::empty()),
];

const PROPAGATIONS: [(&str, Propagation); 4] = [
    ("private", Propagation::Private),
    ("slave", Propagation::Slave),
    ("shared", Propagation::Shared),
    ("unbindable", Propagation::Unbindable),
];

/// Options that would mean something else than a new mount.
const UNSUPPORTED: [&str; 2] = ["remount", "move"];

/// Whether mounts can have identities of their own.
pub(crate) const IDMAP: bool = true;

/// All options that mean something for every file system.
pub(crate) fn names() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().flat_map(|(sets, clears, _)| [*sets, *clears]);
    let twice = attributes.chain(PROPAGATIONS.iter().map(|(name, _)| *name)).chain(["bind", "idmap"]);
    let mut all: Vec<String> = twice.flat_map(|name| [name.to_owned(), format!("r{name}")]).collect();
    all.extend(["defaults", "tmpcopyup"].map(str::to_owned));
    all.sort();
    all
}

impl Options {
    /// Sorts options. Later ones override earlier ones.
    ///
    /// # Errors
    /// The option that cannot be done.
    pub(crate) fn parse(options: &[String]) -> Result<Self, String> {
        let mut sorted = Self::default();
        for option in options {
            sorted.take(option)?;
        }
        if sorted.bind.is_some()
            && let Some((key, value)) = sorted.data.first()
        {
            return Err(value.as_ref().map_or(key.clone(), |v| format!("{key}={v}")));
        }
        Ok(sorted)
    }

    fn take(&mut self, option: &str) -> Result<(), String> {
        match option {
            "defaults" => {}
            "bind" => self.bind = Some(self.bind.unwrap_or(false)),
            "rbind" => self.bind = Some(true),
            "idmap" => self.idmap = Some(self.idmap.unwrap_or(false)),
            "ridmap" => self.idmap = Some(true),
            "tmpcopyup" => self.copy_up = true,
            COPY => self.copy = true,
            _ if option.starts_with(SUBPATH) => {
                self.subpath = option.strip_prefix(SUBPATH).map(str::to_owned)
            }
            _ if UNSUPPORTED.contains(&option) => return Err(option.to_owned()),
            _ => {
                if let Some(propagation) = propagation(option) {
                    self.propagation = Some(propagation);
                } else if !self.take_attribute(option) {
                    let (key, value) = match option.split_once('=') {
                        Some((key, value)) => (key, Some(value.to_owned())),
                        None => (option, None),
                    };
                    self.data.push((key.to_owned(), value));
                }
            }
        }
        Ok(())
    }

    fn take_attribute(&mut self, option: &str) -> bool {
        if self.attributes.take(option) {
            return true;
        }
        // "relatime" is not the recursive "elatime": plain names come first.
        option.strip_prefix('r').is_some_and(|plain| self.recursive.take(plain))
    }
}

impl Change {
    /// Whether it changes nothing.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, option: &str) -> bool {
        for (sets, clears, attribute) in ATTRIBUTES {
            let field = match attribute {
                a if a.is_empty() || Attributes::ACCESS_TIME_FIELD.contains(a) => {
                    Attributes::ACCESS_TIME_FIELD
                }
                other => other,
            };
            if option == sets || option == clears {
                self.set.remove(field);
                self.clear.insert(field);
                if option == sets {
                    self.set.insert(attribute);
                }
                return true;
            }
        }
        false
    }
}

fn propagation(option: &str) -> Option<(Propagation, bool)> {
    let find = |name: &str| PROPAGATIONS.iter().find(|(n, _)| *n == name).map(|(_, p)| *p);
    find(option).map(|p| (p, false)).or_else(|| Some((find(option.strip_prefix('r')?)?, true)))
}

/// The value of `linux.rootfsPropagation`.
pub(crate) fn root_propagation(name: &str) -> Option<Propagation> {
    propagation(name).map(|(p, _)| p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(options: &[&str]) -> Result<Options, String> {
        Options::parse(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn attributes_propagation_and_data() {
        let options = parse(&["nosuid", "ro", "strictatime", "rw", "mode=755", "newinstance"]).unwrap();
        assert_eq!(options.attributes.set, Attributes::NO_SUID | Attributes::STRICT_ACCESS_TIME);
        assert!(options.attributes.clear.contains(Attributes::READ_ONLY | Attributes::ACCESS_TIME_FIELD));
        assert_eq!(options.data, [("mode".into(), Some("755".into())), ("newinstance".into(), None)]);
        let options = parse(&["rbind", "rslave", "rro", "noatime"]).unwrap();
        assert_eq!((options.bind, options.propagation), (Some(true), Some((Propagation::Slave, true))));
        assert_eq!(options.recursive.set, Attributes::READ_ONLY);
        assert_eq!(options.attributes.set, Attributes::NO_ACCESS_TIME);
        let options = parse(&["relatime"]).unwrap();
        assert!(options.recursive.is_none() && options.attributes.set.is_empty());
        assert_eq!(options.attributes.clear, Attributes::ACCESS_TIME_FIELD);
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (options, named) in [
            (vec!["remount"], "remount"),
            (vec!["bind", "size=1"], "size=1"),
            (vec!["rbind", "sync"], "sync"),
            (vec!["move"], "move"),
        ] {
            assert_eq!(parse(&options), Err(named.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_set_and_cleared_without_being_replaced(
            names in prop::collection::vec("(r?(ro|rw|nosuid|suid|noatime|relatime|strictatime|dev|nodev)|x=1)", 0..9),
        ) {
            let options = Options::parse(&names).unwrap();
            for change in [options.attributes, options.recursive] {
                let atime = change.set & Attributes::ACCESS_TIME_FIELD;
                prop_assert!(atime.bits().count_ones() <= 1);
                prop_assert!(change.clear.contains(change.set));
            }
        }
    }
}
