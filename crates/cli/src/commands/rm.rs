//! `sampan rm`.

use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::verb::Verb;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Rm {
    containers: Vec<String>,
    /// Force the removal of a running container (uses SIGKILL)
    #[arg(short, long)]
    force: bool,
    /// Remove the specified link
    #[arg(short, long)]
    link: bool,
    /// Remove anonymous volumes associated with the container
    #[arg(short, long)]
    volumes: bool,
}

impl Verb for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove one or more containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container rm", "container remove", "rm"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let (force, link, volumes) = (self.force, self.link, self.volumes);
        context.block_on(each(client, self.containers, |client, name| async move {
            let name = name.trim_matches('/').to_owned();
            if name.is_empty() {
                return Err(Error::Refused("container name cannot be empty"));
            }
            let removed = match link {
                true => client.link_remove(&name).await,
                false => client.container_remove(&name, force, volumes).await,
            };
            match removed.map_err(Error::from) {
                Ok(()) => Ok(name),
                // What is to be gone is gone.
                Err(error) if force && error.is_status(404) => {
                    print::error(&error.to_string());
                    Ok(String::new())
                }
                Err(error) => Err(error),
            }
        }))
    }
}
