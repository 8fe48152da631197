//! Name, log, and what comes after the end.

use crate::error::Error;
use crate::options::env;
use sampan_api::body::{HostConfig, LogConfig, RestartPolicy};

/// From the name to the removal.
#[derive(clap::Args, Debug)]
pub(crate) struct Life {
    /// Write the container ID to the file
    #[arg(long, value_name = "string")]
    pub cidfile: Option<String>,
    /// Logging driver for the container
    #[arg(long, value_name = "string")]
    log_driver: Option<String>,
    /// Log driver options
    #[arg(long, value_name = "list")]
    log_opt: Vec<String>,
    /// Assign a name to the container
    #[arg(long, value_name = "string")]
    pub name: Option<String>,
    /// Restart policy to apply when a container exits
    #[arg(long, value_name = "string", default_value = "no")]
    restart: String,
    /// Automatically remove the container and its associated anonymous volumes when it exits
    #[arg(long)]
    pub rm: bool,
}

impl Life {
    pub(super) fn fill(&self, host: &mut HostConfig) -> Result<(), Error> {
        let restart_policy = restart_policy(&self.restart)?;
        if self.rm && !matches!(restart_policy.name.as_str(), "" | "no") {
            return Err(Error::Refused("conflicting options: cannot specify both --restart and --rm"));
        }
        let options = env::labels(&[], &self.log_opt)?;
        host.container_id_file = self.cidfile.clone().unwrap_or_default();
        host.log_config = LogConfig {
            r#type: self.log_driver.clone().unwrap_or_default(),
            config: Some(options.into_iter().collect()),
        };
        host.restart_policy = restart_policy;
        host.auto_remove = self.rm;
        Ok(())
    }
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`; the daemon knows the names.
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy, Error> {
    let (name, count) = text.split_once(':').unwrap_or((text, ""));
    if name.is_empty() && !text.is_empty() {
        return Err(Error::Refused("invalid restart policy format: no policy provided before colon"));
    }
    let count = match count {
        "" => 0,
        digits => digits.parse().map_err(|_| {
            Error::Refused("invalid restart policy format: maximum retry count must be an integer")
        })?,
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count: count })
}
