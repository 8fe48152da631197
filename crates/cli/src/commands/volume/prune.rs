//! `sampan volume prune`.

use super::super::pruned::Pruned;
use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::filter::{Filter, filter, filters};
use crate::verb::Verb;
use sampan_api::{Client, Filters};

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
        context.block_on(prune(client, &filters))?.print();
        Ok(0)
    }
}

/// Has the daemon remove volumes that no container uses.
pub(in super::super) async fn prune(client: &Client, filters: &Filters) -> Result<Pruned, Error> {
    let pruned = client.volume_prune(filters).await?;
    Ok(Pruned::new("Deleted Volumes:", &pruned.volumes_deleted, pruned.space_reclaimed))
}
