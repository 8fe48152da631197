//! `sampan start`.

use super::attach::{attach_options, attach_query};
use super::run::exit_code;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::session::{Session, Target, passing_signals};
use crate::streams::End;
use crate::verb::Verb;
use crate::{print, signals, terminal};
use sampan_api::Client;
use std::sync::Arc;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Start {
    containers: Vec<String>,
    /// Attach STDOUT/STDERR and forward signals
    #[arg(short, long)]
    attach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    detach_keys: Option<String>,
    /// Attach container's STDIN
    #[arg(short, long)]
    interactive: bool,
}

impl Verb for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str = "Start one or more stopped containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container start", "start"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        if !self.attach && !self.interactive {
            return context.block_on(start_all(client, &self.containers));
        }
        let [container] = &self.containers[..] else {
            return Err(Error::Refused("you cannot start and attach multiple containers at once"));
        };
        context.block_on(self.attached(client, container))
    }
}

async fn start_all(client: &Client, containers: &[String]) -> Result<u8, Error> {
    let mut failed = Vec::new();
    for container in containers {
        match client.container_start(container).await {
            Ok(_) => print::line(container),
            Err(error) => {
                print::error(&Error::from(error).to_string());
                failed.push(container.as_str());
            }
        }
    }
    match failed[..] {
        [] => Ok(0),
        _ => Err(Error::Some(format!("Error: failed to start containers: {}", failed.join(", ")))),
    }
}

impl Start {
    async fn attached(&self, client: &Arc<Client>, container: &str) -> Result<u8, Error> {
        let inspect = client.container_inspect(container, false).await?;
        let config = &inspect.config;
        let stdin = self.interactive && config.open_stdin;
        if stdin && config.tty && !terminal::input_is_terminal() {
            return Err(Error::Refused("the input device is not a TTY"));
        }
        let signals = if config.tty { None } else { Some(signals::all()?) };
        let id = &inspect.id;
        let keys = self.detach_keys.as_deref();
        let query = attach_query(stdin, keys);
        let removed = inspect.host_config.auto_remove;
        let condition = if removed { "removed" } else { "next-exit" };
        let (stream, status) =
            tokio::join!(client.container_attach(id, &query), client.container_wait(id, Some(condition)));
        let (stream, status) = (stream?, status?);
        let options = attach_options(stdin, config.tty, keys);
        let session = Session::begin(client, Target::Container(id.clone()), stream, options, signals)?;
        if let Err(error) = client.container_start(id).await {
            drop(session);
            return Err(error.into());
        }
        let (end, signals) = session.run().await?;
        if let End::Detached = end {
            return Ok(0);
        }
        exit_code(passing_signals(client, id, signals, status.finish()).await?)
    }
}
