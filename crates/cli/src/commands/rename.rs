//! `sampan rename`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Rename {
    container: String,
    new_name: String,
}

impl Verb for Rename {
    const NAME: &'static str = "rename";
    const ABOUT: &'static str = "Rename a container";
    const USAGE: &'static str = "CONTAINER NEW_NAME";
    const ALIASES: &'static [&'static str] = &["container rename", "rename"];
    const COUNT: Count = Count::Exactly(2);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let (old, new) = (self.container.trim(), self.new_name.trim());
        if old.is_empty() || new.is_empty() {
            return Err(Error::Refused("Error: Neither old nor new names may be empty"));
        }
        let client = context.client()?;
        context.block_on(async {
            let Err(error) = client.container_rename(old, new).await else { return Ok(0) };
            print::error(&Error::from(error).to_string());
            Err(Error::Invalid(format!("Error: failed to rename container named {old}")))
        })
    }
}
