//! `sampan kill`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Kill {
    containers: Vec<String>,
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    signal: Option<String>,
}

impl Verb for Kill {
    const NAME: &'static str = "kill";
    const ABOUT: &'static str = "Kill one or more running containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container kill", "kill"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let signal = self.signal;
        context.block_on(each(client, self.containers, |client, name| {
            let signal = signal.clone();
            async move {
                client.container_kill(&name, signal.as_deref()).await?;
                Ok(name)
            }
        }))
    }
}
