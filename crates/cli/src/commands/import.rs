//! `sampan import`.

use super::load::open;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::progress::{self, Place};
use crate::verb::Verb;
use sampan_spec::Reference;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Import {
    source: String,
    reference: Option<String>,
    /// Apply Dockerfile instruction to the created image
    #[arg(short, long, value_name = "list")]
    change: Vec<String>,
    /// Set commit message for imported image
    #[arg(short, long, value_name = "string")]
    message: Option<String>,
}

impl Verb for Import {
    const NAME: &'static str = "import";
    const ABOUT: &'static str = "Import the contents from a tarball to create a filesystem image";
    const USAGE: &'static str = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]";
    const ALIASES: &'static [&'static str] = &["image import", "import"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        if self.source.starts_with("http://") || self.source.starts_with("https://") {
            return Err(Error::Refused("archives cannot be fetched yet: download it, and import the file"));
        }
        let reference = self.reference.as_deref().filter(|text| !text.is_empty());
        let reference: Option<Reference> = reference.map(str::parse).transpose()?;
        let name = reference.as_ref().map(|r| r.name.familiar()).unwrap_or_default();
        let tag = reference.as_ref().and_then(|r| r.tag.as_ref()).map(|tag| tag.as_str()).unwrap_or_default();
        let archive = open(Some(self.source.as_str()).filter(|source| *source != "-"))?;
        let client = context.client()?;
        context.block_on(async {
            let message = self.message.as_deref();
            progress::show(
                client.image_import(archive, &name, tag, message, &self.change).await?,
                Place::Output,
            )
            .await?;
            Ok(0)
        })
    }
}
