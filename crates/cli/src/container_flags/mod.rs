//! The flags that `create` and `run` share, and the request they make.

mod health;
mod life;
mod names;
mod network;
mod process;
pub(crate) mod pull;
mod resources;
mod security;
mod storage;

pub(crate) use life::restart_policy;
pub(crate) use resources::swap;

use crate::error::Error;
use sampan_api::body::{ContainerConfig, ContainerCreate, HostConfig};
use sampan_spec::Reference;

/// The image and everything about the container.
#[derive(clap::Args, Debug)]
pub(crate) struct ContainerFlags {
    image: String,
    command: Vec<String>,
    #[command(flatten)]
    health: health::Health,
    #[command(flatten)]
    pub life: life::Life,
    #[command(flatten)]
    names: names::Names,
    #[command(flatten)]
    network: network::Network,
    #[command(flatten)]
    pub process: process::Process,
    #[command(flatten)]
    pub pull: pull::Pull,
    #[command(flatten)]
    resources: resources::Resources,
    #[command(flatten)]
    security: security::Security,
    #[command(flatten)]
    storage: storage::Storage,
}

impl ContainerFlags {
    /// The request that makes the container. Reads the files that flags name.
    pub(crate) fn request(&self) -> Result<ContainerCreate, Error> {
        let (mut config, mut host) = (ContainerConfig::default(), HostConfig::default());
        self.pull.when()?;
        self.storage.fill(&mut config, &mut host)?;
        self.network.fill(&mut config, &mut host)?;
        let networking_config = self.names.fill(&mut host)?;
        self.life.fill(&mut host)?;
        self.health.fill(&mut config)?;
        self.resources.fill(&mut host)?;
        self.security.fill(&mut host)?;
        self.image.parse::<Reference>().or_else(|error| self.check_id(error))?;
        self.process.fill(&mut config, &mut host)?;
        config.cmd = (!self.command.is_empty()).then(|| self.command.clone());
        config.image.clone_from(&self.image);
        Ok(ContainerCreate { config, host_config: host, networking_config })
    }

    /// An id is no reference when it looks like a digest, and yet names an image.
    fn check_id(&self, error: sampan_spec::ParseReferenceError) -> Result<Reference, Error> {
        let hex = self.image.strip_prefix("sha256:").unwrap_or_default();
        let is_id = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { Ok(hex.parse()?) } else { Err(error.into()) }
    }
}

#[cfg(test)]
mod tests;
