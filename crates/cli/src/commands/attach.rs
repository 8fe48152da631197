//! `sampan attach`.

use super::run::exit_code;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::session::{Session, Target, passing_signals, redraw};
use crate::streams::{End, Options};
use crate::verb::Verb;
use crate::{signals, terminal};
use sampan_api::Client;
use sampan_api::body::ContainerState;
use sampan_api::query::Query;
use std::sync::Arc;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Attach {
    container: String,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    detach_keys: Option<String>,
    /// Do not attach STDIN
    #[arg(long)]
    no_stdin: bool,
    /// Proxy all received signals to the process
    #[arg(long, value_name = "bool", default_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
}

impl Verb for Attach {
    const NAME: &'static str = "attach";
    const ABOUT: &'static str =
        "Attach local standard input, output, and error streams to a running container";
    const USAGE: &'static str = "[OPTIONS] CONTAINER";
    const ALIASES: &'static [&'static str] = &["container attach", "attach"];
    const COUNT: Count = Count::Exactly(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        context.block_on(self.attach(client))
    }
}

/// The request for all output, and input if wanted.
pub(super) fn attach_query(stdin: bool, detach_keys: Option<&str>) -> Query {
    let query = Query::default().with_flag("stream", true).with_flag("stdin", stdin);
    query.with_flag("stdout", true).with_flag("stderr", true).with_some("detachKeys", detach_keys)
}

/// How to treat the connection that such a request gives.
pub(super) fn attach_options(stdin: bool, tty: bool, detach_keys: Option<&str>) -> Options {
    Options {
        stdin,
        stdout: true,
        stderr: true,
        tty,
        detach_keys: detach_keys.unwrap_or_default().to_owned(),
    }
}

impl Attach {
    async fn attach(&self, client: &Arc<Client>) -> Result<u8, Error> {
        let inspect = client.container_inspect(&self.container, false).await?;
        check_state(&inspect.state)?;
        let (id, config) = (&inspect.id, &inspect.config);
        let stdin = !self.no_stdin && config.open_stdin;
        if stdin && config.tty && !terminal::input_is_terminal() {
            return Err(Error::Refused("the input device is not a TTY"));
        }
        let signals = if self.sig_proxy && !config.tty { Some(signals::all()?) } else { None };
        let keys = self.detach_keys.as_deref();
        let query = attach_query(stdin, keys);
        let (stream, status) =
            tokio::join!(client.container_attach(id, &query), client.container_wait(id, None));
        let (stream, status) = (stream?, status?);
        let options = attach_options(stdin, config.tty, keys);
        if config.tty {
            redraw(client, id).await;
        }
        let session = Session::begin(client, Target::Container(id.clone()), stream, options, signals)?;
        let (end, signals) = session.run().await?;
        if let End::Detached = end {
            return Err(Error::Refused("read escape sequence"));
        }
        exit_code(passing_signals(client, id, signals, status.finish()).await?)
    }
}

fn check_state(state: &ContainerState) -> Result<(), Error> {
    if !state.running {
        return Err(Error::Refused("You cannot attach to a stopped container, start it first"));
    }
    if state.paused {
        return Err(Error::Refused("You cannot attach to a paused container, unpause it first"));
    }
    if state.restarting {
        return Err(Error::Refused("You cannot attach to a restarting container, wait until it is running"));
    }
    Ok(())
}
