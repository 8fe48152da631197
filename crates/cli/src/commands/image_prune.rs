//! `sampan image prune`.

use super::pruned::Pruned;
use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::filter::{Filter, filter, filters};
use crate::verb::Verb;
use sampan_api::body::ImageDeleted;
use sampan_api::{Client, Filters};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct ImagePrune {
    /// Remove all unused images, not just dangling ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
}

const DANGLING: &str = "WARNING! This will remove all dangling images.\nAre you sure you want to continue?";
const ALL: &str = "WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want to continue?";

impl Verb for ImagePrune {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Remove unused images";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        if !self.force && !confirmed(if self.all { ALL } else { DANGLING })? {
            return Ok(0);
        }
        let client = context.client()?;
        context.block_on(prune(client, self.all, filters(&self.filter)))?.print();
        Ok(0)
    }
}

/// Has the daemon remove images that no container uses: `all`, or only those without a tag.
pub(super) async fn prune(client: &Client, all: bool, mut filters: Filters) -> Result<Pruned, Error> {
    filters.add("dangling", if all { "false" } else { "true" });
    let pruned = client.image_prune(&filters).await?;
    let lines: Vec<String> = pruned.images_deleted.iter().flatten().map(line).collect();
    Ok(Pruned::new("Deleted Images:", &lines, pruned.space_reclaimed))
}

fn line(image: &ImageDeleted) -> String {
    match (&image.untagged, &image.deleted) {
        (Some(name), _) => format!("untagged: {name}"),
        (None, id) => format!("deleted: {}", id.as_deref().unwrap_or_default()),
    }
}
