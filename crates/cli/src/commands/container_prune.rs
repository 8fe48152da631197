//! `sampan container prune`.

use super::pruned::Pruned;
use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::filter::{Filter, filter, filters};
use crate::verb::Verb;
use sampan_api::{Client, Filters};

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
        context.block_on(prune(client, &filters))?.print();
        Ok(0)
    }
}

/// Has the daemon remove the containers that do not run.
pub(super) async fn prune(client: &Client, filters: &Filters) -> Result<Pruned, Error> {
    let pruned = client.containers_prune(filters).await?;
    let ids = pruned.containers_deleted.unwrap_or_default();
    Ok(Pruned::new("Deleted Containers:", &ids, pruned.space_reclaimed))
}
