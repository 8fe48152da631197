//! Images.

use crate::answer::{Outcome, empty, json, pieces};
use crate::convert::image as convert;
use crate::error::{Error, with_sources};
use crate::request::Call;
use crate::upload::upload;
use bytes::Bytes;
use http::StatusCode;
use sampan_api::ApiVersion;
use sampan_api::body::{ContainerConfig, ImageSummary, Progress};
use sampan_api::query::Query;
use sampan_engine::Engine;
use sampan_engine::container::{self, Snapshot};
use sampan_engine::image::{self, Image, Loaded, Removal};
use sampan_spec::{Digest, Reference};
use std::collections::HashMap;
use std::error::Error as StdError;
use tokio::sync::mpsc;

/// Since these versions images have no `VirtualSize`, and no `ContainerConfig`.
const NO_VIRTUAL_SIZE: ApiVersion = ApiVersion::new(1, 44);
const NO_CONTAINER_CONFIG: ApiVersion = ApiVersion::new(1, 45);

/// `GET /images/json`.
pub(crate) async fn list(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::FILTERS)?;
    let users = users(&container::list(call.engine()).await);
    let images = image::usage(call.engine()).await?.images;
    let shared: HashMap<_, _> =
        images.iter().map(|(image, shared)| (image.record.id.clone(), *shared)).collect();
    let all: Vec<Image> = images.into_iter().map(|(image, _)| image).collect();
    let line = |image: &Image| {
        let id = &image.record.id;
        let shared = shared.get(id).copied().filter(|_| call.query.flag("shared-size"));
        let usage = convert::Usage { users: users.get(id).copied().unwrap_or(0), shared };
        for_version(convert::summary(image, usage, &filters), call.version)
    };
    let lines: Vec<_> = convert::choose(&all, &filters)?.into_iter().map(line).collect();
    Ok(json(StatusCode::OK, &lines))
}

/// A line with what only old clients know.
pub(super) fn for_version(mut line: ImageSummary, version: ApiVersion) -> ImageSummary {
    line.virtual_size = (version < NO_VIRTUAL_SIZE).then_some(line.size);
    line
}

/// How many containers use each image that any uses.
pub(super) fn users(containers: &[Snapshot]) -> HashMap<Digest, i64> {
    let mut users = HashMap::new();
    for snapshot in containers {
        *users.entry(snapshot.container.image.clone()).or_default() += 1;
    }
    users
}

/// `GET /images/{name}/json`.
pub(crate) async fn inspect(call: &Call) -> Result<Outcome, Error> {
    let mut shown = convert::inspect(&image::find(call.engine(), &call.name).await?);
    shown.virtual_size = (call.version < NO_VIRTUAL_SIZE).then_some(shown.size);
    shown.container_config = (call.version < NO_CONTAINER_CONFIG).then(ContainerConfig::default);
    Ok(json(StatusCode::OK, &shown))
}

/// `GET /images/{name}/history`.
pub(crate) async fn history(call: &Call) -> Result<Outcome, Error> {
    let (image, steps) = image::history(call.engine(), &call.name).await?;
    Ok(json(StatusCode::OK, &convert::history(&image, &steps)))
}

/// `POST /images/prune`.
pub(crate) async fn prune(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::PRUNE_FILTERS)?;
    let fits = convert::prunable(&filters)?;
    let pruned = image::prune(call.engine(), fits).await?;
    Ok(json(StatusCode::OK, &convert::pruned(&pruned)))
}

/// `POST /images/{name}/tag`.
pub(crate) async fn tag(call: &Call) -> Result<Outcome, Error> {
    let name =
        name(&call.query)?.ok_or_else(|| Error::Invalid("repository name must not be empty".into()))?;
    image::tag(call.engine(), &call.name, name).await?;
    Ok(empty(StatusCode::CREATED))
}

/// `DELETE /images/{name}`.
pub(crate) async fn remove(call: &Call) -> Result<Outcome, Error> {
    let removal = Removal { force: call.query.flag("force") };
    let removed = image::remove(call.engine(), &call.name, removal).await?;
    Ok(json(StatusCode::OK, &convert::removed(&removed)))
}

/// `POST /images/load`. What goes wrong is told in the stream, as Docker does.
pub(crate) fn load(call: Call) -> Outcome {
    let (engine, archive) = (call.daemon.engine.clone(), upload(call.body));
    lines(async move {
        match image::load(&engine, archive).await {
            Ok(loaded) => loaded.iter().flat_map(loaded_lines).collect(),
            Err(error) => vec![failed(&error)],
        }
    })
}

/// `POST /images/create`: from a registry (`fromImage`), or from a tar (`fromSrc=-`).
pub(crate) async fn create(call: Call) -> Result<Outcome, Error> {
    match (call.query.text("fromImage"), call.query.text("fromSrc")) {
        ("", "-") => import(call),
        ("", "") => Err(Error::Reference(sampan_spec::ParseReferenceError::Format)),
        ("", _) => Err(Error::unsupported("the parameter fromSrc with an address")),
        _ => super::pull::pull(&call).await,
    }
}

fn import(call: Call) -> Result<Outcome, Error> {
    if !call.query.text("platform").is_empty() {
        return Err(Error::unsupported("the parameter platform"));
    }
    let name = name(&call.query)?;
    let changes: Vec<String> = call.query.all("changes").map(str::to_owned).collect();
    let message = call.query.text("message").to_owned();
    let (engine, tar) = (call.daemon.engine.clone(), upload(call.body));
    Ok(lines(async move { vec![imported(&engine, tar, name, changes, message).await] }))
}

async fn imported(
    engine: &Engine,
    tar: crate::upload::Upload,
    name: Option<Reference>,
    changes: Vec<String>,
    message: String,
) -> Progress {
    match image::import(engine, tar, name, changes, message).await {
        Ok(imported) => Progress { status: Some(imported.id.to_string()), ..Progress::default() },
        Err(error) => failed(&error),
    }
}

/// The name that `repo` and `tag` make, if there is one.
fn name(query: &Query) -> Result<Option<Reference>, Error> {
    let (repository, tag) = (query.text("repo"), query.text("tag"));
    if repository.is_empty() {
        return Ok(None);
    }
    if repository.contains('@') {
        return Err(Error::Invalid("refusing to create a tag with a digest reference".into()));
    }
    let text = if tag.is_empty() { repository.to_owned() } else { format!("{repository}:{tag}") };
    Ok(Some(text.parse()?))
}

fn loaded_lines(loaded: &Loaded) -> Vec<Progress> {
    let say = |text: String| Progress { stream: Some(text), ..Progress::default() };
    let replaced = loaded.replaced.iter().map(|(name, old)| {
        format!(
            "The image {} already exists, renaming the old one with ID {old} to empty string\n",
            name.familiar()
        )
    });
    let mut all: Vec<Progress> = replaced.map(say).collect();
    if loaded.names.is_empty() {
        all.push(say(format!("Loaded image ID: {}\n", loaded.id)));
    }
    all.extend(loaded.names.iter().map(|name| say(format!("Loaded image: {}\n", name.familiar()))));
    all
}

fn failed(error: &dyn StdError) -> Progress {
    Progress::failed(&with_sources(error))
}

/// An answer whose head goes out at once and whose lines come when the work is done. It is done to its end, also if the
/// client goes away.
fn lines(work: impl Future<Output = Vec<Progress>> + Send + 'static) -> Outcome {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let line = |progress: &Progress| serde_json::to_string(progress).unwrap_or_default() + "\r\n";
        let text: String = work.await.iter().map(line).collect();
        // Nobody may be there to read it.
        let _ = sender.send(Bytes::from(text)).await;
    });
    pieces("application/json", receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_two_parameters() {
        let check = |repository: &str, tag: &str, want: Result<Option<&str>, &str>| {
            let got = name(&Query::default().with("repo", repository).with("tag", tag));
            let got = got.map(|name| name.map(|name| name.familiar())).map_err(|error| error.to_string());
            assert_eq!(
                got.as_ref().map(|n| n.as_deref()).map_err(String::as_str),
                want,
                "{repository} {tag}"
            );
        };
        check("a/b", "1", Ok(Some("a/b:1")));
        check("a", "", Ok(Some("a:latest")));
        check("", "1", Ok(None));
        check(
            "UPPER",
            "2",
            Err("invalid reference format: repository name (library/UPPER) must be lowercase"),
        );
        check("a@sha256:00", "", Err("refusing to create a tag with a digest reference"));
    }
}
