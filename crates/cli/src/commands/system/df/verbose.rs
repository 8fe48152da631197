//! `sampan system df -v`: everything by itself, as four tables, or as one document for a template.

use super::{all, builds_size};
use crate::commands::volume::ls as volumes;
use crate::commands::{images, ps};
use crate::error::Error;
use crate::format::duration::ago;
use crate::format::json::Json;
use crate::format::listing::{Column, Listing};
use crate::format::template::Format;
use crate::format::text::short_id;
use crate::print;
use jiff::Timestamp;
use sampan_api::body::{BuildCache, ContainerSummary, DiskUsage, ImageSummary};
use sampan_spec::long_size;

const IMAGES: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES: &str = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const BUILDS: &str =
    "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}";
const BUILD_COLUMNS: &[Column] = &[
    ("CacheType", "CACHE TYPE"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedSince", "CREATED"),
    ("Description", "DESCRIPTION"),
    ("ID", "CACHE ID"),
    ("InUse", "IN USE"),
    ("LastUsedAt", "LAST USED AT"),
    ("LastUsedSince", "LAST USED"),
    ("Shared", "SHARED"),
    ("Size", "SIZE"),
    ("UsageCount", "USAGE"),
];

/// Prints everything by `format`; empty and `table` are tables.
pub(super) fn print(usage: &DiskUsage, format: &str) -> Result<(), Error> {
    print::text(&text(usage, format, Timestamp::now())?);
    Ok(())
}

fn text(usage: &DiskUsage, format: &str, now: Timestamp) -> Result<String, Error> {
    let is_table = matches!(format, "" | "table");
    let [images, containers, volumes, builds] = listings(usage, is_table, now);
    if is_table {
        let size = long_size(builds_size(all(&usage.build_cache)));
        return Ok(format!(
            "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: \
             {size}\n\n{}",
            images.text("", IMAGES)?,
            containers.text("", CONTAINERS)?,
            volumes.text("", VOLUMES)?,
            builds.text("", BUILDS)?,
        ));
    }
    let member = |(name, listing): (&str, Listing)| (name.to_owned(), listing.json());
    let named =
        [("Images", images), ("Containers", containers), ("Volumes", volumes), ("BuildCache", builds)];
    let document = Json::Object(named.into_iter().map(member).collect());
    Ok(Format::new(format)?.apply(&document)?)
}

/// Images, containers, volumes and builds; with ids that are short enough for a table or whole.
fn listings(usage: &DiskUsage, short: bool, now: Timestamp) -> [Listing; 4] {
    let image = |image: &ImageSummary| image_row(image, short, now);
    let container = |container: &ContainerSummary| {
        // What the image has is not the container's own.
        let own = ContainerSummary { size_root_fs: None, ..container.clone() };
        ps::row(&own, short, now)
    };
    let build = |cache: &BuildCache| build_row(cache, short, now);
    [
        Listing { columns: images::COLUMNS, rows: all(&usage.images).iter().map(image).collect() },
        Listing { columns: ps::COLUMNS, rows: all(&usage.containers).iter().map(container).collect() },
        Listing { columns: volumes::COLUMNS, rows: all(&usage.volumes).iter().map(volumes::cells).collect() },
        Listing { columns: BUILD_COLUMNS, rows: all(&usage.build_cache).iter().map(build).collect() },
    ]
}

/// An image under its first name only.
fn image_row(image: &ImageSummary, short: bool, now: Timestamp) -> Vec<String> {
    let first = image.repo_tags.iter().flatten().next();
    let (repository, tag) =
        first.and_then(|name| name.rsplit_once(':')).unwrap_or((images::NONE, images::NONE));
    images::cells(image, [repository, tag, ""], short, now)
}

fn build_row(cache: &BuildCache, short: bool, now: Timestamp) -> Vec<String> {
    let since = |time: &str| time.parse().map_or_else(|_| String::new(), |then| ago(then, now));
    let last = cache.last_used_at.as_deref().unwrap_or_default();
    let mark = if cache.in_use { "*" } else { "" };
    let id = if short { short_id(&cache.id) } else { &cache.id };
    vec![
        cache.r#type.clone(),
        cache.created_at.clone(),
        since(&cache.created_at),
        cache.description.clone(),
        format!("{id}{mark}"),
        cache.in_use.to_string(),
        last.to_owned(),
        since(last),
        cache.shared.to_string(),
        long_size(super::bytes(cache.size)),
        cache.usage_count.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_templates() {
        let now = Timestamp::from_second(1_000_180).unwrap();
        let usage = super::super::tests::usage();
        let shown = |format| text(&usage, format, now).unwrap();
        let template =
            "{{range .Images}}{{.ID}}={{.UniqueSize}};{{end}}{{range .Volumes}}{{.Name}} {{.Size}};{{end}}";
        insta::assert_snapshot!(format!("{}\n{}\n\n{}", shown(""), shown(template), shown("json")));
    }
}
