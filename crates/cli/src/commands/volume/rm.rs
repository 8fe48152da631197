//! `sampan volume rm`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Rm {
    volumes: Vec<String>,
    /// Force the removal of one or more volumes
    #[arg(short, long)]
    force: bool,
}

impl Verb for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str =
        "Remove one or more volumes. You cannot remove a volume that is in use by a container.";
    const USAGE: &'static str = "[OPTIONS] VOLUME [VOLUME...]";
    const ALIASES: &'static [&'static str] = &["volume rm", "volume remove"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let force = self.force;
        context.block_on(each(client, self.volumes, |client, name| async move {
            client.volume_remove(&name, force).await?;
            Ok(name)
        }))
    }
}
