//! `sampan volume prune`.

use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use sampan_spec::format_size;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Prune {
    /// Remove all unused volumes, not just anonymous ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "label=<label>")
    #[arg(long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

const ANONYMOUS: &str = "WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you \
                         sure you want to continue?";
const ALL: &str = "WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want \
                   to continue?";

impl Verb for Prune {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Remove unused local volumes";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let mut filters = filters(&self.filter);
        if self.all {
            if !filters.get("all").is_empty() {
                return Err(Error::Refused(
                    "conflicting options: cannot specify both --all and --filter all=1",
                ));
            }
            filters.add("all", "true");
        }
        if !self.force && !confirmed(if self.all { ALL } else { ANONYMOUS })? {
            return Ok(0);
        }
        let client = context.client()?;
        let pruned = context.block_on(async { Ok(client.volume_prune(&filters).await?) })?;
        if !pruned.volumes_deleted.is_empty() {
            print::line(&format!("Deleted Volumes:\n{}\n", pruned.volumes_deleted.join("\n")));
        }
        print::line(&format!("Total reclaimed space: {}", format_size(pruned.space_reclaimed)));
        Ok(0)
    }
}
