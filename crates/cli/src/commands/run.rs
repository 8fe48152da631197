//! `sampan run`: create, attach and wait, start, and stay until it ends.

use super::create::create;
use crate::container_flags::ContainerFlags;
use crate::context::Context;
use crate::error::{CODE_ENGINE, Error};
use crate::flags::Count;
use crate::session::{Session, Target, passing_signals};
use crate::streams::{End, Options};
use crate::verb::Verb;
use crate::{print, signals, terminal};
use sampan_api::body::{ContainerConfig, ContainerCreate, WaitAnswer};
use sampan_api::query::Query;
use sampan_api::{Client, Hijacked, Pending};
use std::sync::Arc;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    container: ContainerFlags,
    /// Run container in background and print container ID
    #[arg(short, long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    detach_keys: Option<String>,
    /// Proxy received signals to the process
    #[arg(long, value_name = "bool", default_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
}

impl Verb for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Create and run a new container from an image";
    const USAGE: &'static str = "[OPTIONS] IMAGE [COMMAND] [ARG...]";
    const ALIASES: &'static [&'static str] = &["container run", "run"];
    const COUNT: Count = Count::AtLeast(1);
    const STOP_AT_ARGUMENT: bool = true;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let mut request = self.container.request().map_err(|error| error.of_run("run"))?;
        if self.detach {
            self.detached(&mut request.config)?;
        } else if request.config.attach_stdin && self.container.process.tty && !terminal::input_is_terminal()
        {
            return Err(Error::Refused("the input device is not a TTY"));
        }
        let client = context.client().map_err(|error| error.of_run("run"))?;
        context.block_on(self.follow(client, request))
    }
}

impl Run {
    fn detached(&self, config: &mut ContainerConfig) -> Result<(), Error> {
        if !self.container.process.attach.is_empty() {
            return Err(Error::Refused("conflicting options: cannot specify both --attach and --detach"));
        }
        config.attach_stdin = false;
        config.attach_stdout = false;
        config.attach_stderr = false;
        config.stdin_once = false;
        Ok(())
    }

    async fn follow(&self, client: &Arc<Client>, request: ContainerCreate) -> Result<u8, Error> {
        let of_run = |error: sampan_api::Error| Error::from(error).of_run("run");
        let config = &request.config;
        let id = create(client, &self.container, &request).await.map_err(|error| error.of_run("run"))?;
        if !config.attach_stdin && !config.attach_stdout && !config.attach_stderr {
            print::line(&id);
            client.container_start(&id).await.map_err(of_run)?;
            return Ok(0);
        }
        let signals = if self.sig_proxy { Some(signals::all()?) } else { None };
        let condition = if self.container.life.rm { "removed" } else { "next-exit" };
        let (stream, status) =
            tokio::join!(self.attach(client, &id, config), client.container_wait(&id, Some(condition)));
        let (stream, status) = (stream.map_err(of_run)?, status.map_err(of_run)?);
        let target = Target::Container(id.clone());
        let session = Session::begin(client, target, stream, self.options(config), signals)?;
        if let Err(error) = client.container_start(&id).await {
            // The terminal first: the message is for a terminal in its normal mode.
            drop(session);
            if self.container.life.rm {
                let _ = status.finish().await;
            }
            return Err(of_run(error));
        }
        self.stay(client, &id, config, (session, status)).await
    }

    /// Serves the user until the container ends, or the user goes.
    async fn stay(
        &self,
        client: &Arc<Client>,
        id: &str,
        config: &ContainerConfig,
        (session, status): (Session, Pending<WaitAnswer>),
    ) -> Result<u8, Error> {
        let in_background = !config.attach_stdout && !config.attach_stderr;
        if in_background {
            print::line(id);
        }
        let (end, signals) = session.run().await?;
        if in_background || matches!(end, End::Detached) {
            return Ok(0);
        }
        exit_code(passing_signals(client, id, signals, status.finish()).await?)
    }

    async fn attach(
        &self,
        client: &Client,
        id: &str,
        config: &ContainerConfig,
    ) -> sampan_api::Result<Hijacked> {
        let query = Query::default()
            .with_flag("stream", true)
            .with_flag("stdin", config.attach_stdin)
            .with_flag("stdout", config.attach_stdout)
            .with_flag("stderr", config.attach_stderr)
            .with_some("detachKeys", self.detach_keys.as_deref());
        client.container_attach(id, &query).await
    }

    fn options(&self, config: &ContainerConfig) -> Options {
        Options {
            stdin: config.attach_stdin,
            stdout: config.attach_stdout,
            stderr: config.attach_stderr,
            tty: config.tty,
            detach_keys: self.detach_keys.clone().unwrap_or_default(),
        }
    }
}

/// A container's exit code as ours.
pub(super) fn exit_code(answer: WaitAnswer) -> Result<u8, Error> {
    if let Some(error) = answer.error.filter(|error| !error.message.is_empty()) {
        print::error(&format!("Error waiting for container: {}", error.message));
        return Ok(CODE_ENGINE);
    }
    Ok(answer.status_code as u8)
}
