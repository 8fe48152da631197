//! `sampan volume ls`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::listing::{Column, Listing};
use crate::format::text::{labels, natural};
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use sampan_api::body::Volume;
use sampan_spec::long_size;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Ls {
    /// Provide filter values (e.g. "dangling=true")
    #[arg(short, long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    #[arg(long, value_name = "string", help = super::super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Only display volume names
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    const NAME: &'static str = "ls";
    const ABOUT: &'static str = "List volumes";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["volume ls", "volume list"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let filters = filters(&self.filter);
        let mut list = context.block_on(async { Ok(client.volume_list(&filters).await?) })?.volumes;
        list.sort_by(|a, b| natural(&a.name, &b.name));
        let format = self.format.as_deref().unwrap_or_default();
        if self.quiet && format.is_empty() {
            list.iter().for_each(|volume| print::line(&volume.name));
            return Ok(0);
        }
        Listing { columns: COLUMNS, rows: list.iter().map(cells).collect() }.print(format, TABLE)?;
        Ok(0)
    }
}

const TABLE: &str = "{{.Driver}}\t{{.Name}}";
pub(in super::super) const COLUMNS: &[Column] = &[
    ("Availability", "AVAILABILITY"),
    ("Driver", "DRIVER"),
    ("Group", "GROUP"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
];
/// What is said of a volume only elsewhere, or only in a swarm.
const UNKNOWN: &str = "N/A";

/// The cells of [`COLUMNS`].
pub(in super::super) fn cells(volume: &Volume) -> Vec<String> {
    let unknown = || UNKNOWN.to_owned();
    let usage = volume.usage_data;
    vec![
        unknown(),
        volume.driver.clone(),
        unknown(),
        labels(volume.labels.iter().flatten()),
        usage.map_or_else(unknown, |usage| usage.ref_count.to_string()),
        volume.mountpoint.clone(),
        volume.name.clone(),
        volume.scope.clone(),
        usage.and_then(|usage| u64::try_from(usage.size).ok()).map_or_else(unknown, long_size),
        unknown(),
    ]
}
