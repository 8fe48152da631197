//! `sampan pause`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Pause {
    containers: Vec<String>,
}

impl Verb for Pause {
    const NAME: &'static str = "pause";
    const ABOUT: &'static str = "Pause all processes within one or more containers";
    const USAGE: &'static str = "CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container pause", "pause"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        context.block_on(each(client, self.containers, |client, name| async move {
            client.container_pause(&name).await?;
            Ok(name)
        }))
    }
}
