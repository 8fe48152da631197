//! How much room everything takes.

use super::container::add_sizes;
use super::image::{for_version, users};
use crate::answer::{Outcome, json};
use crate::convert::{image as convert_image, list, volume as convert_volume};
use crate::error::Error;
use crate::request::Call;
use http::StatusCode;
use sampan_api::body::{BuildPruned, ContainerSummary, DiskUsage, ImageSummary, Volume, VolumeUsage};
use sampan_api::{ApiVersion, Filters};
use sampan_engine::container::{self, Measured};
use sampan_engine::{Engine, image, volume};
use sampan_spec::Timestamp;

/// Since this version a client can say what it wants to know.
const TYPES: ApiVersion = ApiVersion::new(1, 42);
const IMAGE: &str = "image";
const CONTAINER: &str = "container";
const VOLUME: &str = "volume";
const BUILD_CACHE: &str = "build-cache";

/// `GET /system/df`.
pub(crate) async fn usage(call: &Call) -> Result<Outcome, Error> {
    let asked: Vec<&str> = if call.version < TYPES { Vec::new() } else { call.query.all("type").collect() };
    if let Some(unknown) = asked.iter().find(|kind| ![IMAGE, CONTAINER, VOLUME, BUILD_CACHE].contains(kind)) {
        return Err(Error::Invalid(format!("unknown object type: {unknown}")));
    }
    let wants = |kind| asked.is_empty() || asked.contains(&kind);
    let mut usage = DiskUsage::default();
    if wants(IMAGE) {
        let (layers, images) = images(call).await?;
        (usage.layers_size, usage.images) = (layers, Some(images));
    }
    if wants(CONTAINER) {
        usage.containers = Some(containers(call.engine()).await?);
    }
    if wants(VOLUME) {
        usage.volumes = Some(volumes(call.engine()).await?);
    }
    if wants(BUILD_CACHE) {
        // Nothing is built here.
        usage.build_cache = Some(Vec::new());
    }
    Ok(json(StatusCode::OK, &usage))
}

async fn images(call: &Call) -> Result<(i64, Vec<ImageSummary>), Error> {
    let users = users(&container::list(call.engine()).await);
    let usage = image::usage(call.engine()).await?;
    let line = |(image, shared): &(image::Image, u64)| {
        let users = users.get(&image.record.id).copied().unwrap_or(0);
        let usage = convert_image::Usage { users, shared: Some(*shared) };
        let mut line = convert_image::summary(image, usage, &Filters::default());
        line.repo_tags = line.repo_tags.filter(|tags| !tags.is_empty());
        line.repo_digests = line.repo_digests.filter(|digests| !digests.is_empty());
        for_version(line, call.version)
    };
    Ok((convert_image::bytes(usage.layers), usage.images.iter().map(line).collect()))
}

async fn containers(engine: &Engine) -> Result<Vec<ContainerSummary>, Error> {
    let now = Timestamp::now();
    let line = |measured: &Measured| {
        let mut line = list::summary(&measured.snapshot, now);
        add_sizes(&mut line, measured.sizes);
        line
    };
    Ok(container::measured(engine).await?.iter().map(line).collect())
}

async fn volumes(engine: &Engine) -> Result<Vec<Volume>, Error> {
    let line = |usage: volume::Usage| {
        let ref_count = i64::try_from(usage.snapshot.users.len()).unwrap_or(i64::MAX);
        let size = usage.bytes.map_or(-1, convert_image::bytes);
        let usage_data = Some(VolumeUsage { ref_count, size });
        Volume { usage_data, ..convert_volume::volume(&usage.snapshot) }
    };
    Ok(volume::usage(engine).await?.into_iter().map(line).collect())
}

/// `POST /build/prune`. Nothing is built here, so nothing is kept of it.
pub(crate) fn build_prune(call: &Call) -> Result<Outcome, Error> {
    let filters =
        ["description", "id", "inuse", "label", "parent", "private", "shared", "type", "until", "unused-for"];
    let known = call.filters(&filters);
    known.map_err(|error| Error::Invalid(format!("failed to prune build cache: {error}")))?;
    Ok(json(StatusCode::OK, &BuildPruned::default()))
}
