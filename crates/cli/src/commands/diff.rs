//! `sampan diff`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Diff {
    container: String,
}

/// Letters of the kinds 0, 1 and 2.
const LETTERS: [char; 3] = ['C', 'A', 'D'];

impl Verb for Diff {
    const NAME: &'static str = "diff";
    const ABOUT: &'static str = "Inspect changes to files or directories on a container's filesystem";
    const USAGE: &'static str = "CONTAINER";
    const ALIASES: &'static [&'static str] = &["container diff", "diff"];
    const COUNT: Count = Count::Exactly(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let changes = context.block_on(async { Ok(client.container_changes(&self.container).await?) })?;
        for change in changes {
            let letter = LETTERS.get(usize::from(change.kind)).unwrap_or(&'?');
            print::line(&format!("{letter} {}", change.path));
        }
        Ok(0)
    }
}
