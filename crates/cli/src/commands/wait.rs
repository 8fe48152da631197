//! `sampan wait`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Wait {
    containers: Vec<String>,
}

impl Verb for Wait {
    const NAME: &'static str = "wait";
    const ABOUT: &'static str = "Block until one or more containers stop, then print their exit codes";
    const USAGE: &'static str = "CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container wait", "wait"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        context.block_on(each(client, self.containers, |client, name| async move {
            let answer = client.container_wait(&name, None).await?.finish().await?;
            // Why a start failed is told by whoever started it.
            Ok(answer.status_code.to_string())
        }))
    }
}
