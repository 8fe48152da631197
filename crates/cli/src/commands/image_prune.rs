//! `sampan image prune`.

use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use sampan_api::body::ImageDeleted;
use sampan_spec::long_size;

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
        let mut filters = filters(&self.filter);
        filters.add("dangling", if self.all { "false" } else { "true" });
        let client = context.client()?;
        let pruned = context.block_on(async { Ok(client.image_prune(&filters).await?) })?;
        if let Some(images) = pruned.images_deleted.filter(|images| !images.is_empty()) {
            let lines: Vec<String> = images.iter().map(line).collect();
            print::line(&format!("Deleted Images:\n{}\n", lines.join("\n")));
        }
        print::line(&format!("Total reclaimed space: {}", long_size(pruned.space_reclaimed)));
        Ok(0)
    }
}

fn line(image: &ImageDeleted) -> String {
    match (&image.untagged, &image.deleted) {
        (Some(name), _) => format!("untagged: {name}"),
        (None, id) => format!("deleted: {}", id.as_deref().unwrap_or_default()),
    }
}
