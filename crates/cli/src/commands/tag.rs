//! `sampan tag`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;
use sampan_spec::Reference;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Tag {
    source: String,
    target: String,
}

impl Verb for Tag {
    const NAME: &'static str = "tag";
    const ABOUT: &'static str = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE";
    const USAGE: &'static str = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]";
    const ALIASES: &'static [&'static str] = &["image tag", "tag"];
    const COUNT: Count = Count::Exactly(2);

    fn run(self, context: &Context) -> Result<u8, Error> {
        if !is_id(&self.source) {
            parse(&self.source)?;
        }
        let target = parse(&self.target)?;
        if target.digest.is_some() {
            return Err(Error::Refused("refusing to create a tag with a digest reference"));
        }
        let tag = target.tag.as_ref().map_or("latest", |tag| tag.as_str());
        let client = context.client()?;
        context.block_on(async {
            client.image_tag(&self.source, &target.name.familiar(), tag).await?;
            Ok(0)
        })
    }
}

fn parse(text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error| {
        Error::Invalid(format!("Error parsing reference: {text:?} is not a valid repository/tag: {error}"))
    })
}

/// `sha256:...`: an image's id, which is no reference.
fn is_id(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
