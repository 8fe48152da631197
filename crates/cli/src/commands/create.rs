//! `sampan create`.

use super::pull::pull;
use crate::container_flags::ContainerFlags;
use crate::container_flags::pull::When;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::progress::Place;
use crate::verb::Verb;
use sampan_api::Client;
use sampan_api::body::{ContainerCreate, ContainerCreated};
use sampan_spec::Reference;
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
    let created = with_image(client, flags, request).await?;
    for warning in &created.warnings {
        print::error(&format!("WARNING: {warning}"));
    }
    if let Some(path) = &flags.life.cidfile {
        let written = std::fs::write(path, &created.id);
        written.map_err(|source| Error::Open { path: path.clone(), source })?;
    }
    Ok(created.id)
}

/// Makes the container, with its image pulled before if the user wants that, or if it is not there.
async fn with_image(
    client: &Client,
    flags: &ContainerFlags,
    request: &ContainerCreate,
) -> Result<ContainerCreated, Error> {
    let (image, platform) = (&request.config.image, flags.pull.platform.as_deref());
    let create = || client.container_create(flags.life.name.as_deref(), platform, request);
    let fetch = async |reference: &Reference| pull(client, reference, platform, flags.pull.place()).await;
    let reference = image.parse::<Reference>().ok();
    let when = flags.pull.when()?;
    if let (When::Always, Some(reference)) = (when, &reference) {
        fetch(reference).await?;
    }
    match (create().await.map_err(Error::from), reference) {
        (Err(error), Some(reference)) if when == When::Missing && is_missing(&error) => {
            if flags.pull.place() != Place::Nowhere {
                print::error(&format!("Unable to find image '{}' locally", reference.familiar()));
            }
            fetch(&reference).await?;
            Ok(create().await?)
        }
        (result, _) => result,
    }
}

fn is_missing(error: &Error) -> bool {
    let text = error.to_string();
    error.is_status(404)
        && (text.contains("No such image") || text.contains("does not match the specified platform"))
}
