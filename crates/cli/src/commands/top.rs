//! `sampan top`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::table;
use crate::print;
use crate::verb::Verb;

/// The least width of a column.
const COLUMN_MIN: usize = 20;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Top {
    /// The container, and what follows is for ps(1).
    words: Vec<String>,
}

impl Verb for Top {
    const NAME: &'static str = "top";
    const ABOUT: &'static str = "Display the running processes of a container";
    const USAGE: &'static str = "CONTAINER [ps OPTIONS]";
    const ALIASES: &'static [&'static str] = &["container top", "top"];
    const COUNT: Count = Count::AtLeast(1);
    const STOP_AT_ARGUMENT: bool = true;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let Some((container, options)) = self.words.split_first() else { return Ok(0) };
        let client = context.client()?;
        let processes =
            context.block_on(async { Ok(client.container_top(container, &options.join(" ")).await?) })?;
        let mut text = processes.titles.join("\t") + "\n";
        processes.processes.iter().for_each(|row| text += &(row.join("\t") + "\n"));
        print::text(&table::columns(&text, COLUMN_MIN)?);
        Ok(0)
    }
}
