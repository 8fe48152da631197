//! `sampan rmi`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Rmi {
    images: Vec<String>,
    /// Force removal of the image
    #[arg(short, long)]
    force: bool,
    /// Do not delete untagged parents
    #[arg(long)]
    no_prune: bool,
}

impl Verb for Rmi {
    const NAME: &'static str = "rmi";
    const ABOUT: &'static str = "Remove one or more images";
    const USAGE: &'static str = "[OPTIONS] IMAGE [IMAGE...]";
    const ALIASES: &'static [&'static str] = &["image rm", "image remove", "rmi"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        context.block_on(async {
            let mut errors = Vec::new();
            let mut fatal = false;
            for image in &self.images {
                match client.image_remove(image, self.force, self.no_prune).await.map_err(Error::from) {
                    Ok(removed) => removed.iter().for_each(|item| {
                        item.untagged.iter().for_each(|name| print::line(&format!("Untagged: {name}")));
                        item.deleted.iter().for_each(|id| print::line(&format!("Deleted: {id}")));
                    }),
                    Err(error) => {
                        fatal |= !error.is_status(404);
                        errors.push(error.to_string());
                    }
                }
            }
            if errors.is_empty() {
                return Ok(0);
            }
            print::error(&errors.join("\n"));
            // What is to be gone is gone.
            Ok(u8::from(fatal || !self.force))
        })
    }
}
