//! Events in Docker's shape, and which of them a client wants.

use sampan_api::Filters;
use sampan_api::body::{Actor, Event as Shown};
use sampan_engine::event::{Event, Kind};

/// The filters that there are. Some are about what this engine has none of: then nothing fits.
pub(crate) const FILTERS: [&str; 14] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];
/// All that happens, happens here.
const SCOPE: &str = "local";
/// Filters that name one of a kind.
const OF_A_KIND: [(&str, &str); 8] = [
    ("config", "config"),
    ("container", "container"),
    ("daemon", "daemon"),
    ("network", "network"),
    ("node", "node"),
    ("plugin", "plugin"),
    ("service", "service"),
    ("volume", "volume"),
];

/// Whether a client wants to hear of it.
pub(crate) fn fits(event: &Event, filters: &Filters) -> bool {
    let kind = event.kind.name();
    let any = |name: &str, fits: &dyn Fn(&str) -> bool| {
        filters.get(name).is_empty() || filters.get(name).iter().any(|value| fits(value))
    };
    // What was executed stands behind a colon.
    let action = event.action.split(':').next().unwrap_or_default();
    any("event", &|value| value == event.action || value == action)
        && any("type", &|value| value == kind)
        && any("scope", &|value| value == SCOPE)
        && OF_A_KIND.iter().all(|(name, of)| any(name, &|value| kind == *of && is_named(event, value)))
        && any("secret", &|_| false)
        && any("image", &|value| is_of_image(event, value))
        && filters.labels_fit("label", &event.attributes)
}

/// By its whole id, the beginning of that, or its name.
fn is_named(event: &Event, value: &str) -> bool {
    let name = event.attributes.get("name").map(String::as_str);
    let bare = value.strip_prefix('/').unwrap_or(value);
    event.id == value || name == Some(bare) || (!value.is_empty() && event.id.starts_with(value))
}

/// An image's own events, and those of containers that were made of it; with and without the tag.
fn is_of_image(event: &Event, value: &str) -> bool {
    let (id, name) = match event.kind {
        Kind::Image => (event.id.as_str(), event.attributes.get("name")),
        Kind::Container => ("", event.attributes.get("image")),
        Kind::Network | Kind::Volume => return false,
    };
    let same = |text: &str| text == value || without_tag(text) == value;
    same(id) || name.is_some_and(|name| same(name))
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// A line.
pub(crate) fn event(event: &Event) -> Shown {
    let mut shown = Shown {
        r#type: event.kind.name().to_owned(),
        action: event.action.clone(),
        actor: Actor { id: event.id.clone(), attributes: event.attributes.clone() },
        scope: SCOPE.to_owned(),
        time: event.time.as_second(),
        time_nano: i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX),
        ..Shown::default()
    };
    if matches!(event.kind, Kind::Container | Kind::Image) {
        shown.status.clone_from(&event.action);
        shown.id.clone_from(&event.id);
    }
    if event.kind == Kind::Container {
        shown.from = event.attributes.get("image").cloned().unwrap_or_default();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::Timestamp;

    fn event_of(kind: Kind, action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let time = Timestamp::new(5, 7).unwrap();
        Event { number: 1, time, kind, action: action.into(), id: id.into(), attributes, entry: None }
    }

    #[test]
    fn filters_choose_as_dockers() {
        let container = event_of(
            Kind::Container,
            "exec_create: sh -c x",
            "abcdef",
            &[("name", "web"), ("image", "a/b:1"), ("l", "v")],
        );
        let image = event_of(Kind::Image, "tag", "sha256:12", &[("name", "a/b:1")]);
        let network =
            event_of(Kind::Network, "connect", "n1", &[("name", "bridge"), ("container", "abcdef")]);
        for (filters, want) in [
            (r"{}", [true, true, true]),
            (r#"{"type":["container"]}"#, [true, false, false]),
            (r#"{"type":["container","image"]}"#, [true, true, false]),
            (r#"{"container":["web"]}"#, [true, false, false]),
            (r#"{"container":["abc"]}"#, [true, false, false]),
            (r#"{"container":["bc"]}"#, [false, false, false]),
            (r#"{"event":["exec_create"]}"#, [true, false, false]),
            (r#"{"event":["exec_create: sh -c x","tag"]}"#, [true, true, false]),
            (r#"{"image":["a/b"]}"#, [true, true, false]),
            (r#"{"image":["a/b:1"]}"#, [true, true, false]),
            (r#"{"image":["a"]}"#, [false, false, false]),
            (r#"{"label":["l"]}"#, [true, false, false]),
            (r#"{"label":["l=w"]}"#, [false, false, false]),
            (r#"{"network":["bridge"]}"#, [false, false, true]),
            (r#"{"scope":["local"]}"#, [true, true, true]),
            (r#"{"scope":["swarm"]}"#, [false, false, false]),
            (r#"{"daemon":["x"]}"#, [false, false, false]),
            (r#"{"volume":["bridge"]}"#, [false, false, false]),
        ] {
            let filters = Filters::parse(filters).unwrap();
            assert_eq!(
                [&container, &image, &network].map(|event| fits(event, &filters)),
                want,
                "{filters:?}"
            );
        }
    }

    #[test]
    fn lines_have_dockers_shape() {
        let shown = event(&event_of(Kind::Container, "die", "c", &[("image", "i"), ("exitCode", "0")]));
        assert_eq!(
            serde_json::to_string(&shown).unwrap(),
            r#"{"status":"die","id":"c","from":"i","Type":"container","Action":"die","Actor":{"ID":"c","Attributes":{"exitCode":"0","image":"i"}},"scope":"local","time":5,"timeNano":5000000007}"#
        );
        let shown = event(&event_of(Kind::Network, "connect", "n", &[]));
        assert_eq!(
            serde_json::to_string(&shown).unwrap(),
            r#"{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{}},"scope":"local","time":5,"timeNano":5000000007}"#
        );
    }
}
