//! Containers as `ps` shows them, and the filters that choose among them.

use super::inspect::status;
use super::network::{mode_name, networks, port_summaries};
use super::{health, mounts};
use crate::error::Error;
use regex_lite::Regex;
use sampan_api::body::{ContainerSummary, PortSummary, SummaryHostConfig, SummaryNetworkSettings};
use sampan_api::filters::FilterError;
use sampan_api::{Filters, human};
use sampan_engine::container::{Phase, Snapshot, State};
use sampan_spec::Timestamp;
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// The filters that there are.
pub(crate) const FILTERS: [&str; 14] = [
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network",
    "publish", "since", "status", "volume",
];
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/// Which containers a client wants to see.
pub(crate) struct Wanted {
    /// Those that do not run too.
    pub(crate) all: bool,
    /// Only so many of the newest, whether they run or not.
    pub(crate) limit: Option<usize>,
    /// Those that fit.
    pub(crate) filters: Filters,
    /// The ids of images that `ancestor` names.
    pub(crate) ancestors: HashSet<String>,
}

/// Chooses from all containers, which come with the newest first.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn choose<'s>(all: &'s [Snapshot], wanted: &Wanted) -> Result<Vec<&'s Snapshot>, Error> {
    let filters = &wanted.filters;
    check(filters)?;
    let patterns = |name| filters.get(name).iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
    let (names, ids) = (patterns("name"), patterns("id"));
    let before = created_of(all, filters, "before")?;
    let since = created_of(all, filters, "since")?;
    let doors = Doors { exposed: ports(filters, "expose")?, published: ports(filters, "publish")? };
    let tasks = filters.truth("is-task")?;
    let also_stopped = wanted.all
        || wanted.limit.is_some()
        || !filters.get("status").is_empty()
        || !filters.get("exited").is_empty();
    let fits = |snapshot: &&Snapshot| {
        let record = &snapshot.container;
        (also_stopped || snapshot.state.phase.is_active())
            && any(&names, |pattern| pattern.fits(&record.name) || pattern.fits(&format!("/{}", record.name)))
            && any(&ids, |pattern| pattern.fits(record.id.as_str()))
            && filters.labels_fit("label", &record.config.labels)
            && any(filters.get("status"), |word| word == status(&snapshot.state))
            && any(filters.get("network"), |word| *word == mode_name(&record.config.host.network))
            && any(filters.get("exited"), |code| exited_with(&snapshot.state, code))
            && (filters.get("ancestor").is_empty() || wanted.ancestors.contains(&record.image.to_string()))
            && doors.fit(snapshot)
            && any(filters.get("volume"), |place| mounts::has(snapshot, place))
            && any(filters.get("health"), |word| word == health::word(&snapshot.state))
            // There are no services.
            && tasks != Some(true)
            && before.is_none_or(|time| record.created < time)
            && since.is_none_or(|time| record.created > time)
    };
    Ok(all.iter().filter(fits).take(wanted.limit.unwrap_or(usize::MAX)).collect())
}

/// Whether none is asked for or one fits.
fn any<T>(values: &[T], fits: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(fits)
}

fn check(filters: &Filters) -> Result<(), FilterError> {
    if let Some(value) = filters.get("status").iter().find(|word| !STATES.contains(&word.as_str())) {
        return Err(FilterError::Status { value: value.clone(), allowed: STATES.join(", ") });
    }
    if let Some(value) = filters.get("health").iter().find(|word| !health::FILTER.contains(&word.as_str())) {
        return Err(FilterError::Health { value: value.clone(), allowed: health::FILTER.join(", ") });
    }
    match filters.get("exited").iter().find(|code| code.parse::<i32>().is_err()) {
        Some(value) => Err(FilterError::Value { name: "exited".into(), value: value.clone() }),
        None => Ok(()),
    }
}

/// Ports as `expose` and `publish` name them: `80`, `80/udp`, `8000-8010/tcp`.
struct Ports {
    range: RangeInclusive<u16>,
    protocol: String,
}

impl Ports {
    fn parse(text: &str) -> Option<Self> {
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let range = first.parse().ok()?..=last.parse().ok()?;
        (!range.is_empty()).then(|| Self { range, protocol: protocol.to_owned() })
    }

    fn has(&self, number: u16, protocol: &str) -> bool {
        self.range.contains(&number) && self.protocol == protocol
    }
}

/// The containers' ports and the host's that are asked for; one of any of them is enough, as with Docker.
struct Doors {
    exposed: Vec<Ports>,
    published: Vec<Ports>,
}

impl Doors {
    fn fit(&self, snapshot: &Snapshot) -> bool {
        let fits = |port: &PortSummary| {
            self.exposed.iter().any(|ports| ports.has(port.private_port, &port.r#type))
                || port
                    .public_port
                    .is_some_and(|number| self.published.iter().any(|ports| ports.has(number, &port.r#type)))
        };
        self.exposed.is_empty() && self.published.is_empty() || port_summaries(snapshot).iter().any(fits)
    }
}

fn ports(filters: &Filters, name: &str) -> Result<Vec<Ports>, FilterError> {
    let wrong = |value: &str| FilterError::Value { name: name.to_owned(), value: value.to_owned() };
    filters.get(name).iter().map(|text| Ports::parse(text).ok_or_else(|| wrong(text))).collect()
}

/// Whether something is mounted at or from this place.
fn created_of(all: &[Snapshot], filters: &Filters, name: &str) -> Result<Option<Timestamp>, Error> {
    let [typed, ..] = filters.get(name) else { return Ok(None) };
    let bare = typed.strip_prefix('/').unwrap_or(typed);
    let by_name = all.iter().find(|snapshot| snapshot.container.name == bare);
    let found =
        by_name.or_else(|| all.iter().find(|snapshot| snapshot.container.id.as_str().starts_with(bare)));
    let missing = || Error::Engine(sampan_engine::Error::NoSuchContainer(typed.clone()));
    found.map(|snapshot| Some(snapshot.container.created)).ok_or_else(missing)
}

fn exited_with(state: &State, code: &str) -> bool {
    matches!(state.phase, Phase::Exited(exit) if code.parse() == Ok(exit.code))
}

/// A regular expression, or the text itself where it is none.
pub(super) struct Pattern(String, Option<Regex>);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned(), Regex::new(text).ok())
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        self.0 == name || self.1.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

/// One line of the list.
pub(crate) fn summary(snapshot: &Snapshot, now: Timestamp) -> ContainerSummary {
    let record = &snapshot.container;
    ContainerSummary {
        id: record.id.to_string(),
        names: vec![format!("/{}", record.name)],
        image: record.config.image.clone(),
        image_id: record.image.to_string(),
        command: command(&record.config.command()),
        created: record.created.as_second(),
        ports: port_summaries(snapshot),
        labels: record.config.labels.clone(),
        state: status(&snapshot.state).to_owned(),
        status: status_text(&snapshot.state, now),
        host_config: SummaryHostConfig { network_mode: mode_name(&record.config.host.network) },
        network_settings: SummaryNetworkSettings { networks: networks(snapshot) },
        mounts: mounts::points(snapshot),
        ..ContainerSummary::default()
    }
}

/// Program and arguments, those with a space in quotes.
fn command(words: &[String]) -> String {
    let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let mut words = words.iter();
    let program = words.next().cloned();
    program.into_iter().chain(words.map(quoted)).collect::<Vec<_>>().join(" ")
}

fn status_text(state: &State, now: Timestamp) -> String {
    let since = |time: Option<Timestamp>| {
        let seconds = time.map_or(0, |time| now.as_second() - time.as_second());
        human::duration(u64::try_from(seconds).unwrap_or(0))
    };
    let (up, down) = (since(state.summary.started), since(state.summary.finished));
    let code = state.summary.exit.map_or(0, |exit| exit.code);
    match state.phase {
        Phase::Exited(_) if state.summary.started.is_none() => "Created".into(),
        Phase::Created => "Created".into(),
        Phase::Running { .. } => format!("Up {up}{}", health::remark(state)),
        Phase::Paused { .. } => format!("Up {up} (Paused)"),
        Phase::Restarting => format!("Restarting ({code}) {down} ago"),
        Phase::Exited(_) => format!("Exited ({code}) {down} ago"),
        Phase::Removing => "Removal In Progress".into(),
        Phase::Dead => "Dead".into(),
    }
}

#[cfg(test)]
mod tests;
