//! Containers.

use super::stream::{attach_stream, json_stream};
use crate::answer::{Outcome, empty, json};
use crate::convert::keys::detach_keys;
use crate::convert::list::{FILTERS, Wanted, choose, summary};
use crate::convert::{create as convert_create, inspect as convert_inspect};
use crate::error::Error;
use crate::handover::Refusal;
use crate::request::Call;
use http::StatusCode;
use sampan_api::ApiVersion;
use sampan_api::body::{
    Change, ContainerCreated, ContainerSummary, ContainersPruned, HostConfig, Processes, Updated, WaitAnswer,
    WaitError,
};
use sampan_engine::container::{self, AttachRequest, ChangeKind, Removal, Sizes, Waiting};
use sampan_spec::monitor::WaitCondition;
use sampan_spec::stream::Stream;
use sampan_spec::{Signal, Timestamp};
use serde_json::Value;
use std::collections::HashSet;

pub(crate) use super::logs::logs;

/// `POST /containers/create`.
pub(crate) async fn create(mut call: Call) -> Result<Outcome, Error> {
    let name = call.query.get("name").filter(|name| !name.is_empty());
    let name = name.map(|name| name.strip_prefix('/').unwrap_or(name).to_owned());
    let body = call.json().await?;
    let mac_warning = mac_warning(&body, call.version);
    let config = convert_create::config(body, super::system::processors())?;
    if let Some(platform) = call.platform()? {
        sampan_engine::image::check_platform(call.engine(), &config.image, &platform).await?;
    }
    let created = container::create(call.engine(), name, config).await?;
    let warnings = created.warnings.into_iter().chain(mac_warning).collect();
    Ok(json(StatusCode::CREATED, &ContainerCreated { id: created.id.to_string(), warnings }))
}

/// Since this version a hardware address belongs to a network.
const MAC_OF_NETWORK: ApiVersion = ApiVersion::new(1, 44);

fn mac_warning(body: &Value, version: ApiVersion) -> Option<String> {
    let said = body.get("MacAddress").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    (said && version >= MAC_OF_NETWORK).then(|| {
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
            .to_owned()
    })
}

/// `GET /containers/json`.
pub(crate) async fn list(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&FILTERS)?;
    let limit = call.query.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok());
    let mut ancestors = HashSet::new();
    for typed in filters.get("ancestor") {
        // An image that is not here has no containers.
        if let Ok(image) = sampan_engine::image::find(call.engine(), typed).await {
            ancestors.insert(image.record.id.to_string());
        }
    }
    let all = container::list(call.engine()).await;
    let limit = limit.filter(|limit| *limit > 0);
    let wanted = Wanted { all: call.query.flag("all"), limit, filters, ancestors };
    let now = Timestamp::now();
    let chosen = choose(&all, &wanted)?;
    let mut lines: Vec<_> = chosen.iter().map(|snapshot| summary(snapshot, now)).collect();
    name_by_links(&mut lines, &all);
    if call.query.flag("size") {
        for (line, snapshot) in lines.iter_mut().zip(chosen) {
            add_sizes(line, container::sizes(call.engine(), snapshot).await?);
        }
    }
    Ok(json(StatusCode::OK, &lines))
}

/// A container's names are also those by which others know it.
fn name_by_links(lines: &mut [ContainerSummary], all: &[container::Snapshot]) {
    for (id, name) in container::link_names(all) {
        if let Some(line) = lines.iter_mut().find(|line| line.id == id) {
            line.names.push(name);
            line.names.sort();
        }
    }
}

/// Tells the sizes of a container; that of an empty writable layer is left out.
pub(super) fn add_sizes(line: &mut ContainerSummary, sizes: Sizes) {
    line.size_rw = Some(sizes.own as i64).filter(|size| *size > 0);
    line.size_root_fs = Some(sizes.all as i64);
}

/// `GET /containers/{name}/json`.
pub(crate) async fn inspect(call: &Call) -> Result<Outcome, Error> {
    let snapshot = container::inspect(call.engine(), &call.name).await?;
    let mut body = convert_inspect::container(&snapshot);
    let links = container::links_shown(call.engine(), &snapshot.container);
    body.host_config.links = (!links.is_empty()).then_some(links);
    if call.query.flag("size") {
        let Sizes { own, all } = container::sizes(call.engine(), &snapshot).await?;
        (body.size_rw, body.size_root_fs) = (Some(own as i64), Some(all as i64));
    }
    Ok(json(StatusCode::OK, &body))
}

/// `POST /containers/{name}/update`.
pub(crate) async fn update(mut call: Call) -> Result<Outcome, Error> {
    let body: HostConfig = call.json_or_default().await?;
    let update = convert_create::update(&body, super::system::processors())?;
    let warnings = container::update(call.engine(), &call.name, update).await?;
    Ok(json(StatusCode::OK, &Updated { warnings: (!warnings.is_empty()).then_some(warnings) }))
}

/// `GET /containers/{name}/changes`.
pub(crate) async fn changes(call: &Call) -> Result<Outcome, Error> {
    let kind = |kind| match kind {
        ChangeKind::Modified => 0,
        ChangeKind::Added => 1,
        ChangeKind::Deleted => 2,
    };
    let changes = container::diff(call.engine(), &call.name).await?;
    let shown = |change: &container::Change| Change {
        path: change.path.to_string_lossy().into_owned(),
        kind: kind(change.kind),
    };
    let shown: Vec<Change> = changes.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &(!shown.is_empty()).then_some(shown)))
}

/// `POST /containers/prune`.
pub(crate) async fn prune(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&["until", "label", "label!"])?;
    let now = Timestamp::now();
    let moments = filters.get("until").iter().map(|text| sampan_api::time::seconds(text, now));
    let until = moments.collect::<Result<Vec<_>, _>>()?.into_iter().min();
    let fits = |snapshot: &container::Snapshot| {
        let record = &snapshot.container;
        let unwanted =
            !filters.get("label!").is_empty() && filters.labels_fit("label!", &record.config.labels);
        until.is_none_or(|time| record.created.as_second() <= time)
            && filters.labels_fit("label", &record.config.labels)
            && !unwanted
    };
    let container::Pruned { ids, bytes } = container::prune(call.engine(), fits).await;
    let containers_deleted = (!ids.is_empty()).then_some(ids);
    Ok(json(StatusCode::OK, &ContainersPruned { containers_deleted, space_reclaimed: bytes }))
}

/// `POST /containers/{name}/start`.
pub(crate) async fn start(call: &Call) -> Result<Outcome, Error> {
    if let Some(parameter) =
        ["checkpoint", "checkpoint-dir"].into_iter().find(|name| !call.query.text(name).is_empty())
    {
        return Err(Error::unsupported(format!("the parameter {parameter}")));
    }
    container::start(call.engine(), &call.name).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/stop`.
pub(crate) async fn stop(call: &Call) -> Result<Outcome, Error> {
    let signal = signal(call, &format!("cannot stop container: {}: ", call.name))?;
    let timeout = call.query.number("t")?;
    container::stop(call.engine(), &call.name, signal, timeout).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/kill`.
pub(crate) async fn kill(call: &Call) -> Result<Outcome, Error> {
    let signal = signal(call, &format!("cannot kill container: {}: ", call.name))?;
    let killed = container::kill(call.engine(), &call.name, signal.unwrap_or(Signal::KILL)).await;
    killed.map_err(|error| match error {
        sampan_engine::Error::NoSuchContainer(name) => Error::KillNobody { name },
        other => other.into(),
    })?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn signal(call: &Call, context: &str) -> Result<Option<Signal>, Error> {
    let Some(text) = call.query.get("signal").filter(|text| !text.is_empty()) else { return Ok(None) };
    let context = context.to_owned();
    text.parse().map(Some).map_err(|source| match text.parse() {
        Ok(number) if number != 0 => Error::SignalNumber { context, number },
        _ => Error::Signal { context, source },
    })
}

/// `POST /containers/{name}/pause`.
pub(crate) async fn pause(call: &Call) -> Result<Outcome, Error> {
    container::pause(call.engine(), &call.name).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/unpause`.
pub(crate) async fn unpause(call: &Call) -> Result<Outcome, Error> {
    container::unpause(call.engine(), &call.name).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/restart`.
pub(crate) async fn restart(call: &Call) -> Result<Outcome, Error> {
    let signal = signal(call, "")?;
    let timeout = call.query.number("t")?;
    container::restart(call.engine(), &call.name, signal, timeout).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/rename`.
pub(crate) async fn rename(call: &Call) -> Result<Outcome, Error> {
    container::rename(call.engine(), &call.name, call.query.text("name")).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `GET /containers/{name}/top`.
pub(crate) async fn top(call: &Call) -> Result<Outcome, Error> {
    let options = call.query.get("ps_args").filter(|text| !text.is_empty()).unwrap_or("-ef");
    let container::Processes { titles, rows } = container::top(call.engine(), &call.name, options).await?;
    Ok(json(StatusCode::OK, &Processes { processes: rows, titles }))
}

/// `DELETE /containers/{name}`.
pub(crate) async fn remove(call: &Call) -> Result<Outcome, Error> {
    if call.query.flag("link") {
        container::unlink(call.engine(), &call.name).await?;
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let removal = Removal { force: call.query.flag("force"), volumes: call.query.flag("v") };
    container::remove(call.engine(), &call.name, removal).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/resize`.
pub(crate) async fn resize(call: &Call) -> Result<Outcome, Error> {
    let (rows, columns) = size(call)?;
    match container::resize(call.engine(), &call.name, rows, columns).await {
        // Docker does not mind.
        Err(sampan_engine::Error::NoTerminal(_)) => {}
        other => other?,
    }
    Ok(empty(StatusCode::OK))
}

/// Rows and columns of a resize request.
pub(crate) fn size(call: &Call) -> Result<(u16, u16), Error> {
    Ok((call.query.number("h")?.unwrap_or(0), call.query.number("w")?.unwrap_or(0)))
}

/// `POST /containers/{name}/wait`.
pub(crate) async fn wait(call: &Call) -> Result<Outcome, Error> {
    let condition = match call.query.text("condition") {
        "" | "not-running" => WaitCondition::NotRunning,
        "next-exit" => WaitCondition::NextExit,
        "removed" => WaitCondition::Removed,
        other => return Err(Error::Invalid(format!("invalid condition: {other:?}"))),
    };
    match container::wait(call.engine(), &call.name, condition).await? {
        Waiting::Over { code, error } => {
            let error = (!error.is_empty()).then_some(WaitError { message: error });
            Ok(json(StatusCode::OK, &WaitAnswer { status_code: code.into(), error }))
        }
        Waiting::Handover(handover) => Ok(json_stream(handover)),
    }
}

/// `POST /containers/{name}/attach`.
pub(crate) async fn attach(call: &Call) -> Result<Outcome, Error> {
    let query = &call.query;
    let wanted = [("stdin", Stream::Stdin), ("stdout", Stream::Stdout), ("stderr", Stream::Stderr)];
    let request = AttachRequest {
        streams: wanted.into_iter().filter(|(name, _)| query.flag(name)).map(|(_, stream)| stream).collect(),
        logs: query.flag("logs"),
        follow: query.flag("stream"),
        detach_keys: detach_keys(query.text("detachKeys"))?,
    };
    let (handover, tty) = container::attach(call.engine(), &call.name, request).await?;
    Ok(attach_stream(call, Box::new(handover), tty, Refusal::Status))
}
