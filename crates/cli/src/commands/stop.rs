//! `sampan stop`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::options::numbers::integer;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Stop {
    containers: Vec<String>,
    #[command(flatten)]
    ending: Ending,
}

/// How a container is made to end.
#[derive(clap::Args)]
pub(super) struct Ending {
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    pub(super) signal: Option<String>,
    /// Seconds to wait before killing the container
    #[arg(short, long, alias = "time", value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    pub(super) timeout: Option<i64>,
}

impl Verb for Stop {
    const NAME: &'static str = "stop";
    const ABOUT: &'static str = "Stop one or more running containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container stop", "stop"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let Ending { signal, timeout } = self.ending;
        context.block_on(each(client, self.containers, |client, name| {
            let signal = signal.clone();
            async move {
                client.container_stop(&name, signal.as_deref(), timeout).await?;
                Ok(name)
            }
        }))
    }
}
