//! `sampan pull`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::progress::{self, Place};
use crate::verb::Verb;
use crate::{credentials, print};
use sampan_api::Client;
use sampan_spec::Reference;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Pull {
    name: String,
    /// Download all tagged images in the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Skip image verification
    #[arg(long, value_name = "bool", default_value = "true", action = clap::ArgAction::Set, hide = true)]
    disable_content_trust: bool,
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    platform: Option<String>,
    /// Suppress verbose output
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Pull {
    const NAME: &'static str = "pull";
    const ABOUT: &'static str = "Download an image from a registry";
    const USAGE: &'static str = "[OPTIONS] NAME[:TAG|@DIGEST]";
    const ALIASES: &'static [&'static str] = &["image pull", "pull"];
    const COUNT: Count = Count::Exactly(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let reference: Reference = self.name.parse()?;
        let is_plain = !names_tag(&self.name) && reference.digest.is_none();
        match (self.all_tags, is_plain) {
            (true, true) => {
                return Err(Error::Refused(
                    "all tags of a repository cannot be pulled at once yet: name one",
                ));
            }
            (true, false) => return Err(Error::Refused("tag can't be used with --all-tags/-a")),
            (false, true) if !self.quiet => print::line("Using default tag: latest"),
            (false, _) => {}
        }
        let place = if self.quiet { Place::Nowhere } else { Place::Output };
        let client = context.client()?;
        context.block_on(pull(client, &reference, self.platform.as_deref(), place))?;
        print::line(&reference.to_string());
        Ok(0)
    }
}

/// Whether what was typed has a tag of its own.
fn names_tag(typed: &str) -> bool {
    let bare = typed.split('@').next().unwrap_or_default();
    bare.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'))
}

/// Has the daemon pull an image, as whoever the user is to its registry.
pub(super) async fn pull(
    client: &Client,
    reference: &Reference,
    platform: Option<&str>,
    place: Place,
) -> Result<(), Error> {
    let tag = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.clone().unwrap_or_default().to_string(),
    };
    let auth = credentials::header(reference.name.domain());
    let lines = client.image_pull(&reference.name.familiar(), &tag, platform, &auth).await?;
    progress::show(lines, place).await
}
