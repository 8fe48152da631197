//! `sampan restart`.

use super::stop::Ending;
use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Restart {
    containers: Vec<String>,
    #[command(flatten)]
    ending: Ending,
}

impl Verb for Restart {
    const NAME: &'static str = "restart";
    const ABOUT: &'static str = "Restart one or more containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container restart", "restart"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let Ending { signal, timeout } = self.ending;
        context.block_on(each(client, self.containers, |client, name| {
            let signal = signal.clone();
            async move {
                client.container_restart(&name, signal.as_deref(), timeout).await?;
                Ok(name)
            }
        }))
    }
}
