//! What is mounted in the container.

use crate::error::Error;
use crate::options::volumes::{Volume, volume};
use sampan_api::body::{ContainerConfig, Empty, HostConfig, Set};

/// Volumes and binds.
#[derive(clap::Args, Debug)]
pub(super) struct Storage {
    /// Bind mount a volume
    #[arg(short, long, value_name = "list")]
    volume: Vec<String>,
}

impl Storage {
    pub(super) fn fill(&self, config: &mut ContainerConfig, host: &mut HostConfig) -> Result<(), Error> {
        let (volumes, binds) = self.volumes()?;
        config.volumes = volumes;
        host.binds = Some(binds);
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
