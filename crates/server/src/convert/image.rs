//! Images as Docker shows them, and the filters that choose among them.

use super::inspect::DRIVER;
use crate::error::Error;
use sampan_api::Filters;
use sampan_api::body::{
    Empty, GraphDriver, ImageConfig, ImageDeleted, ImageHistory, ImageInspect, ImageMetadata, ImagePrune,
    ImageRootFs, ImageSummary, NO_TIME, Set,
};
use sampan_engine::image::{Image, Pruned, Removed, Step};
use sampan_spec::Reference;
use std::collections::BTreeMap;

/// The filters that there are.
pub(crate) const FILTERS: [&str; 6] = ["before", "dangling", "label", "reference", "since", "until"];
/// Those of `image prune`.
pub(crate) const PRUNE_FILTERS: [&str; 4] = ["dangling", "label", "label!", "until"];

/// Chooses from all images.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn choose<'i>(all: &'i [Image], filters: &Filters) -> Result<Vec<&'i Image>, Error> {
    let dangling = filters.truth("dangling")?;
    let before = created_of(all, filters, "before")?;
    let since = created_of(all, filters, "since")?;
    let until = until(filters)?;
    let patterns = filters.get("reference");
    let fits = |image: &&Image| {
        dangling.is_none_or(|dangling| is_dangling(&image.names, dangling))
            && (patterns.is_empty() || !shown_names(image, patterns).is_empty())
            && filters.labels_fit("label", &image.config.run().labels)
            && before.is_none_or(|time| seconds(image) < time)
            && since.is_none_or(|time| seconds(image) > time)
            && until.is_none_or(|time| seconds(image) <= time)
    };
    Ok(all.iter().filter(fits).collect())
}

/// Whether an image with these names fits the filter `dangling`. One that has only digests is of both kinds, as with
/// Docker: its tag went to a newer one, or it was pulled by its digest.
fn is_dangling(names: &[Reference], dangling: bool) -> bool {
    if dangling { names.iter().all(|name| name.tag.is_none()) } else { !names.is_empty() }
}

/// Which images `image prune` may take; untagged ones if nothing is said.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn prunable(filters: &Filters) -> Result<impl Fn(&Image) -> bool + use<>, Error> {
    let dangling = filters.truth("dangling")?.unwrap_or(true);
    let until = until(filters)?;
    let filters = filters.clone();
    Ok(move |image: &Image| {
        let labels = &image.config.run().labels;
        (!dangling || is_dangling(&image.names, true))
            && until.is_none_or(|time| seconds(image) <= time)
            && filters.labels_fit("label", labels)
            && (filters.get("label!").is_empty() || !filters.labels_fit("label!", labels))
    })
}

fn until(filters: &Filters) -> Result<Option<i64>, Error> {
    match filters.get("until") {
        [] => Ok(None),
        [text] => Ok(Some(sampan_api::time::seconds(text, jiff::Timestamp::now())?)),
        _ => Err(Error::Invalid("more than one until filter specified".into())),
    }
}

/// When an image says that it was made.
fn seconds(image: &Image) -> i64 {
    image.config.document().created.map_or(0, |time| time.as_second())
}

fn created_of(all: &[Image], filters: &Filters, name: &str) -> Result<Option<i64>, Error> {
    let [typed, ..] = filters.get(name) else { return Ok(None) };
    let bare = typed.strip_prefix("sha256:").unwrap_or(typed);
    let wanted = typed.parse::<Reference>().ok();
    let found = all.iter().find(|image| {
        wanted.as_ref().is_some_and(|name| image.names.contains(name))
            || image.record.id.hex().starts_with(bare)
    });
    let missing = || Error::NoSuchImage(wanted.as_ref().map_or_else(|| typed.clone(), Reference::familiar));
    found.map(|image| Some(seconds(image))).ok_or_else(missing)
}

/// An image's names of which one of the patterns fits (`golden/*`, `debian:1?`), or all where there are none.
fn shown_names<'i>(image: &'i Image, patterns: &[String]) -> Vec<&'i Reference> {
    let fits = |name: &&Reference| {
        let familiar = name.familiar();
        patterns.iter().any(|pattern| glob(pattern, &familiar) || glob(pattern, &name.name.familiar()))
    };
    if patterns.is_empty() { image.names.iter().collect() } else { image.names.iter().filter(fits).collect() }
}

/// Shell patterns: `*` and `?` stand for anything but a slash.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut states, pattern) = (vec![0], pattern.as_bytes());
    let past_stars = |states: &mut Vec<usize>| {
        let mut i = 0;
        while let Some(&at) = states.get(i) {
            if pattern.get(at) == Some(&b'*') && !states.contains(&(at + 1)) {
                states.push(at + 1);
            }
            i += 1;
        }
    };
    past_stars(&mut states);
    for byte in text.bytes() {
        let step = |at: &usize| match pattern.get(*at)? {
            b'*' => (byte != b'/').then_some(*at),
            b'?' => (byte != b'/').then_some(at + 1),
            own => (*own == byte).then_some(at + 1),
        };
        states = states.iter().filter_map(step).collect();
        states.sort_unstable();
        states.dedup();
        past_stars(&mut states);
    }
    states.contains(&pattern.len())
}

/// What one line of the list says besides what the image itself is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// How many containers use it.
    pub(crate) users: i64,
    /// The bytes that other images have, too, if that was asked for.
    pub(crate) shared: Option<u64>,
}

/// One line of the list.
pub(crate) fn summary(image: &Image, usage: Usage, filters: &Filters) -> ImageSummary {
    let names = shown_names(image, filters.get("reference"));
    let labels = image.config.run().labels.clone();
    ImageSummary {
        id: image.record.id.to_string(),
        repo_tags: Some(tags(names.iter().copied())),
        repo_digests: Some(digests(names.iter().copied())),
        created: seconds(image),
        size: size(image),
        shared_size: usage.shared.map_or(-1, bytes),
        labels: (!labels.is_empty()).then_some(labels),
        containers: usage.users,
        ..ImageSummary::default()
    }
}

fn tags<'n>(names: impl Iterator<Item = &'n Reference>) -> Vec<String> {
    names.filter(|name| name.digest.is_none()).map(Reference::familiar).collect()
}

fn digests<'n>(names: impl Iterator<Item = &'n Reference>) -> Vec<String> {
    names.filter(|name| name.digest.is_some()).map(Reference::familiar).collect()
}

fn size(image: &Image) -> i64 {
    bytes(image.size)
}

/// A size as the API has it.
pub(crate) fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The body of `GET /images/{name}/json`.
pub(crate) fn inspect(image: &Image) -> ImageInspect {
    let document = image.config.document();
    ImageInspect {
        id: image.record.id.to_string(),
        repo_tags: tags(image.names.iter()),
        repo_digests: digests(image.names.iter()),
        comment: document.comment.clone(),
        created: document.created.map(|time| time.to_string()).unwrap_or_default(),
        docker_version: document.docker_version.clone(),
        author: document.author.clone(),
        config: config(image),
        architecture: document.architecture.clone(),
        variant: document.variant.clone(),
        os: document.os.clone(),
        size: size(image),
        graph_driver: GraphDriver { data: Some(chain(image)), name: DRIVER.into() },
        root_fs: ImageRootFs {
            r#type: "layers".into(),
            layers: image.config.diff_ids().iter().map(ToString::to_string).collect(),
        },
        metadata: ImageMetadata { last_tag_time: NO_TIME.into() },
        ..ImageInspect::default()
    }
}

/// What the storage driver knows the image by.
fn chain(image: &Image) -> BTreeMap<String, String> {
    image.chain.iter().map(|chain| ("ChainID".to_owned(), chain.to_string())).collect()
}

fn config(image: &Image) -> ImageConfig {
    let run = image.config.run();
    let list = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let set = |names: Vec<&String>| -> Option<Set> {
        (!names.is_empty()).then(|| names.into_iter().map(|name| (name.clone(), Empty {})).collect())
    };
    ImageConfig {
        cmd: list(&run.cmd),
        entrypoint: list(&run.entrypoint),
        env: list(&run.env),
        exposed_ports: set(run.exposed_ports.keys().collect()),
        labels: (!run.labels.is_empty()).then(|| run.labels.clone()),
        on_build: list(&run.on_build),
        stop_signal: run.stop_signal.clone(),
        user: run.user.clone(),
        volumes: set(run.volumes.keys().collect()),
        working_dir: run.working_dir.clone(),
    }
}

/// The body of `GET /images/{name}/history`.
pub(crate) fn history(image: &Image, steps: &[Step]) -> Vec<ImageHistory> {
    let line = |step: &Step| ImageHistory {
        id: step.image.as_ref().map_or_else(|| "<missing>".to_owned(), ToString::to_string),
        created: step.entry.created.map_or(0, |time| time.as_second()),
        created_by: step.entry.created_by.clone(),
        tags: step.image.as_ref().map(|_| tags(image.names.iter())).filter(|tags| !tags.is_empty()),
        size: bytes(step.size),
        comment: step.entry.comment.clone(),
    };
    steps.iter().map(line).collect()
}

/// The body of `POST /images/prune`.
pub(crate) fn pruned(pruned: &Pruned) -> ImagePrune {
    let all: Vec<ImageDeleted> = pruned.removed.iter().flat_map(removed).collect();
    ImagePrune { images_deleted: (!all.is_empty()).then_some(all), space_reclaimed: pruned.bytes }
}

/// The body of `DELETE /images/{name}`.
pub(crate) fn removed(removed: &Removed) -> Vec<ImageDeleted> {
    let untagged =
        removed.untagged.iter().map(|name| ImageDeleted { untagged: Some(name.familiar()), deleted: None });
    let deleted =
        removed.deleted.iter().map(|id| ImageDeleted { untagged: None, deleted: Some(id.to_string()) });
    untagged.chain(deleted).collect()
}

#[cfg(test)]
mod tests {
    use super::{glob, is_dangling};

    #[test]
    fn an_image_without_a_tag_dangles() {
        let digest = format!("a@sha256:{}", "0a".repeat(32));
        for (names, yes, no) in [
            (vec![], true, false),
            (vec!["a:1"], false, true),
            (vec![digest.as_str()], true, true),
            (vec!["a:1", &digest], false, true),
        ] {
            let parsed: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
            assert_eq!((is_dangling(&parsed, true), is_dangling(&parsed, false)), (yes, no), "{names:?}");
        }
    }

    #[test]
    fn patterns_stop_at_slashes() {
        for (pattern, text, want) in [
            ("golden/busybox:1", "golden/busybox:1", true),
            ("golden/*", "golden/busybox:1", true),
            ("golden*", "golden/busybox:1", false),
            ("*/busy*:?", "golden/busybox:1", true),
            ("", "", true),
            ("*", "", true),
            ("**a*", "bba", true),
            ("a", "ab", false),
            ("a*****************************b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
