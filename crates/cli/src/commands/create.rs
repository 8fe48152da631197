//! `sampan create`.

use crate::container_flags::ContainerFlags;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::verb::Verb;
use sampan_api::Client;
use sampan_api::body::ContainerCreate;
use std::path::Path;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    container: ContainerFlags,
}

impl Verb for Create {
    const NAME: &'static str = "create";
    const ABOUT: &'static str = "Create a new container";
    const USAGE: &'static str = "[OPTIONS] IMAGE [COMMAND] [ARG...]";
    const ALIASES: &'static [&'static str] = &["container create", "create"];
    const COUNT: Count = Count::AtLeast(1);
    const STOP_AT_ARGUMENT: bool = true;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let request = self.container.request().map_err(|error| error.of_run("create"))?;
        let client = context.client()?;
        let id = context.block_on(create(client, &self.container, &request))?;
        print::line(&id);
        Ok(0)
    }
}

/// Makes the container, writes its id to the file that the user named, and gives it.
pub(super) async fn create(
    client: &Client,
    flags: &ContainerFlags,
    request: &ContainerCreate,
) -> Result<String, Error> {
    if let Some(path) = &flags.life.cidfile
        && Path::new(path).exists()
    {
        return Err(Error::Invalid(format!(
            "container ID file found, make sure the other container isn't running or delete {path}"
        )));
    }
    let created = client.container_create(flags.life.name.as_deref(), request).await;
    let created = created.map_err(|error| explain_missing_image(error.into(), &request.config.image))?;
    for warning in &created.warnings {
        print::error(&format!("WARNING: {warning}"));
    }
    if let Some(path) = &flags.life.cidfile {
        let written = std::fs::write(path, &created.id);
        written.map_err(|source| Error::Open { path: path.clone(), source })?;
    }
    Ok(created.id)
}

/// What to do about an image that is not there, as long as nothing can fetch it.
fn explain_missing_image(error: Error, image: &str) -> Error {
    if !error.is_status(404) || !error.to_string().contains("No such image") {
        return error;
    }
    let name = image.parse::<sampan_spec::Reference>().map_or_else(|_| image.to_owned(), |r| r.familiar());
    print::error(&format!("Unable to find image '{name}' locally"));
    Error::Refused(
        "images cannot be fetched from registries yet: bring this one with 'sampan load' or 'sampan import'",
    )
}
