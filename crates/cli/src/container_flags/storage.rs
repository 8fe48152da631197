//! What is mounted in the container.

use crate::error::Error;
use crate::options::mounts::{in_memory, mount};
use crate::options::volumes::{Volume, volume};
use sampan_api::body::{ContainerConfig, Empty, HostConfig, Mount, Set};

/// Volumes, binds and file systems in memory.
#[derive(clap::Args, Debug)]
pub(super) struct Storage {
    /// Attach a filesystem mount to the container
    #[arg(long, value_name = "mount", value_parser = mount)]
    mount: Vec<Mount>,
    /// Mount a tmpfs directory
    #[arg(long, value_name = "list")]
    tmpfs: Vec<String>,
    /// Bind mount a volume
    #[arg(short, long, value_name = "list")]
    volume: Vec<String>,
    /// Optional volume driver for the container
    #[arg(long, value_name = "string")]
    volume_driver: Option<String>,
    /// Mount volumes from the specified container(s)
    #[arg(long, value_name = "list")]
    volumes_from: Vec<String>,
}

impl Storage {
    pub(super) fn fill(&self, config: &mut ContainerConfig, host: &mut HostConfig) -> Result<(), Error> {
        let (volumes, binds) = self.volumes()?;
        config.volumes = volumes;
        host.binds = Some(binds);
        host.mounts = (!self.mount.is_empty()).then(|| self.mount.clone());
        host.tmpfs =
            (!self.tmpfs.is_empty()).then(|| self.tmpfs.iter().map(|text| in_memory(text)).collect());
        host.volumes_from = (!self.volumes_from.is_empty()).then(|| self.volumes_from.clone());
        host.volume_driver = self.volume_driver.clone().unwrap_or_default();
        Ok(())
    }

    fn volumes(&self) -> Result<(Option<Set>, Vec<String>), Error> {
        if self.volume.is_empty() {
            return Ok((None, Vec::new()));
        }
        let here = std::env::current_dir().unwrap_or_default();
        let (mut anonymous, mut binds) = (Set::new(), Vec::new());
        for text in &self.volume {
            match volume(text, &here)? {
                Volume::Anonymous(path) => _ = anonymous.insert(path, Empty {}),
                Volume::Bind(bind) => binds.push(bind),
            }
        }
        Ok(((!anonymous.is_empty()).then_some(anonymous), binds))
    }
}
