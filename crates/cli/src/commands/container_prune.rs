//! `sampan container prune`.

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
pub(crate) struct ContainerPrune {
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

const WARNING: &str = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";

impl Verb for ContainerPrune {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Remove all stopped containers";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let filters = filters(&self.filter);
        if !self.force && !confirmed(WARNING)? {
            return Ok(0);
        }
        let client = context.client()?;
        let pruned = context.block_on(async { Ok(client.containers_prune(&filters).await?) })?;
        if let Some(ids) = pruned.containers_deleted.filter(|ids| !ids.is_empty()) {
            print::line(&format!("Deleted Containers:\n{}\n", ids.join("\n")));
        }
        print::line(&format!("Total reclaimed space: {}", format_size(pruned.space_reclaimed)));
        Ok(0)
    }
}
