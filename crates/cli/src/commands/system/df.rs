//! `sampan system df`.

mod verbose;

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::listing::{Column, Listing};
use crate::verb::Verb;
use sampan_api::body::{BuildCache, ContainerSummary, DiskUsage, ImageSummary, Volume};
use sampan_spec::long_size;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Df {
    #[arg(long, value_name = "string", help = super::super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Show detailed information on space usage
    #[arg(short, long)]
    verbose: bool,
}

impl Verb for Df {
    const NAME: &'static str = "df";
    const ABOUT: &'static str = "Show how much room everything takes";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let usage = context.block_on(async { Ok(client.disk_usage().await?) })?;
        let format = self.format.as_deref().unwrap_or_default();
        if self.verbose {
            verbose::print(&usage, format)?;
            return Ok(0);
        }
        let format = if format == "raw" { RAW } else { format };
        Listing { columns: COLUMNS, rows: rows(&usage) }.print(format, TABLE)?;
        Ok(0)
    }
}

const TABLE: &str = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
/// `--format raw`. What ends it keeps the empty line before it.
const RAW: &str = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n{{``}}";
const COLUMNS: &[Column] = &[
    ("Active", "ACTIVE"),
    ("Reclaimable", "RECLAIMABLE"),
    ("Size", "SIZE"),
    ("TotalCount", "TOTAL"),
    ("Type", "TYPE"),
];

/// Things of one kind, taken together.
struct Sum {
    kind: &'static str,
    total: usize,
    active: usize,
    /// In bytes.
    size: u64,
    /// Bytes that a prune would free.
    reclaimable: u64,
}

fn rows(usage: &DiskUsage) -> Vec<Vec<String>> {
    let builds = builds(all(&usage.build_cache));
    let sums = [
        images(all(&usage.images), bytes(usage.layers_size)),
        containers(all(&usage.containers)),
        volumes(all(&usage.volumes)),
    ];
    let mut rows: Vec<_> = sums.iter().map(|sum| cells(sum, true)).collect();
    rows.push(cells(&builds, false));
    rows
}

/// The cells of [`COLUMNS`].
fn cells(sum: &Sum, with_share: bool) -> Vec<String> {
    let share = u128::from(sum.reclaimable) * 100 / u128::from(sum.size.max(1));
    let reclaimable = match with_share && sum.size > 0 {
        true => format!("{} ({share}%)", long_size(sum.reclaimable)),
        false => long_size(sum.reclaimable),
    };
    vec![sum.active.to_string(), reclaimable, long_size(sum.size), sum.total.to_string(), sum.kind.to_owned()]
}

fn all<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

/// Sizes that are not known are negative.
fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

/// What only one image has is in use with it; what several have is not, as with Docker.
fn images(all: &[ImageSummary], size: u64) -> Sum {
    let active: Vec<_> = all.iter().filter(|image| image.containers > 0).collect();
    let known = active.iter().filter(|image| image.size >= 0 && image.shared_size >= 0);
    let used: u64 = known.map(|image| bytes(image.size - image.shared_size)).sum();
    let (total, active) = (all.len(), active.len());
    Sum { kind: "Images", total, active, size, reclaimable: size.saturating_sub(used) }
}

fn containers(all: &[ContainerSummary]) -> Sum {
    let is_active = |c: &&ContainerSummary| matches!(c.state.as_str(), "running" | "paused" | "restarting");
    let size = |container: &ContainerSummary| bytes(container.size_rw.unwrap_or(0));
    let active: Vec<_> = all.iter().filter(is_active).collect();
    let used: u64 = active.iter().map(|container| size(container)).sum();
    let sum: u64 = all.iter().map(size).sum();
    Sum { kind: "Containers", total: all.len(), active: active.len(), size: sum, reclaimable: sum - used }
}

fn volumes(all: &[Volume]) -> Sum {
    let size = |volume: &Volume| volume.usage_data.map_or(0, |usage| bytes(usage.size));
    let is_active = |volume: &&Volume| volume.usage_data.is_some_and(|usage| usage.ref_count > 0);
    let active: Vec<_> = all.iter().filter(is_active).collect();
    let used: u64 = active.iter().map(|volume| size(volume)).sum();
    let sum: u64 = all.iter().map(size).sum();
    Sum { kind: "Local Volumes", total: all.len(), active: active.len(), size: sum, reclaimable: sum - used }
}

fn builds(all: &[BuildCache]) -> Sum {
    let own = all.iter().filter(|cache| !cache.shared);
    let used = own.clone().filter(|cache| cache.in_use).map(|cache| bytes(cache.size)).sum::<u64>();
    let size = builds_size(all);
    let active = all.iter().filter(|cache| cache.in_use).count();
    Sum { kind: "Build Cache", total: all.len(), active, size, reclaimable: size - used }
}

/// What is shared with images is theirs.
fn builds_size(all: &[BuildCache]) -> u64 {
    all.iter().filter(|cache| !cache.shared).map(|cache| bytes(cache.size)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::body::VolumeUsage;

    pub(super) fn usage() -> DiskUsage {
        let image = |id: &str, tag: &str, shared_size, containers| ImageSummary {
            id: format!("sha256:{}", id.repeat(32)),
            repo_tags: Some(vec![tag.to_owned()]),
            created: 1_000_000,
            size: 3_000_000,
            shared_size,
            containers,
            ..ImageSummary::default()
        };
        let container = |id: &str, state: &str, size_rw| ContainerSummary {
            id: id.repeat(32),
            names: vec![format!("/{state}")],
            image: "a:1".into(),
            command: "sleep 1000".into(),
            created: 1_000_000,
            state: state.into(),
            status: "Up 2 seconds".into(),
            size_rw,
            size_root_fs: Some(3_000_000),
            ..ContainerSummary::default()
        };
        let volume = |name: &str, ref_count, size| Volume {
            name: name.into(),
            driver: "local".into(),
            usage_data: Some(VolumeUsage { ref_count, size }),
            ..Volume::default()
        };
        DiskUsage {
            layers_size: 5_000_000,
            images: Some(vec![image("0a", "a:1", 1_000_000, 2), image("0b", "b:1", 1_000_000, 0)]),
            containers: Some(vec![container("0c", "running", Some(12)), container("0d", "exited", Some(6))]),
            volumes: Some(vec![volume("v", 1, 400_000), volume("w", 0, 600_000), volume("x", 0, -1)]),
            build_cache: Some(Vec::new()),
        }
    }

    #[test]
    fn sums() {
        let shown =
            |usage: &DiskUsage| Listing { columns: COLUMNS, rows: rows(usage) }.text("", TABLE).unwrap();
        insta::assert_snapshot!(shown(&usage()) + &shown(&DiskUsage::default()));
    }
}
