//! `sampan exec`.

use crate::context::Context;
use crate::error::{CODE_NOT_EXECUTABLE, CODE_NOT_FOUND, Error, run_code};
use crate::flags::Count;
use crate::options::env;
use crate::session::{Session, Target};
use crate::streams::{End, Options};
use crate::verb::Verb;
use crate::{print, terminal};
use sampan_api::Client;
use sampan_api::body::{ExecCreate, ExecStart};
use std::sync::Arc;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Exec {
    container: String,
    command: Vec<String>,
    /// Detached mode: run command in the background
    #[arg(short, long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    detach_keys: Option<String>,
    /// Set environment variables
    #[arg(short, long, value_name = "list", value_parser = env::variable)]
    env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "list")]
    env_file: Vec<String>,
    /// Keep STDIN open even if not attached
    #[arg(short, long)]
    interactive: bool,
    /// Give extended privileges to the command
    #[arg(long)]
    privileged: bool,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    tty: bool,
    /// Username or UID (format: "<name|uid>[:<group|gid>]")
    #[arg(short, long, value_name = "string")]
    user: Option<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "string")]
    workdir: Option<String>,
}

impl Verb for Exec {
    const NAME: &'static str = "exec";
    const ABOUT: &'static str = "Execute a command in a running container";
    const USAGE: &'static str = "[OPTIONS] CONTAINER COMMAND [ARG...]";
    const ALIASES: &'static [&'static str] = &["container exec", "exec"];
    const COUNT: Count = Count::AtLeast(2);
    const STOP_AT_ARGUMENT: bool = true;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let request = self.request()?;
        if request.attach_stdin && self.tty && !terminal::input_is_terminal() {
            return Err(Error::Refused("the input device is not a TTY"));
        }
        let client = context.client()?;
        context.block_on(self.exec(client, request))
    }
}

impl Exec {
    fn request(&self) -> Result<ExecCreate, Error> {
        let size = if self.tty { terminal::size() } else { None };
        Ok(ExecCreate {
            user: self.user.clone().unwrap_or_default(),
            privileged: self.privileged,
            tty: self.tty,
            console_size: size.map(|(rows, columns)| [rows.into(), columns.into()]),
            attach_stdin: self.interactive && !self.detach,
            attach_stderr: !self.detach,
            attach_stdout: !self.detach,
            detach_keys: self.detach_keys.clone().unwrap_or_default(),
            env: Some(env::collect(&self.env_file, &self.env)?),
            working_dir: self.workdir.clone().unwrap_or_default(),
            cmd: Some(self.command.clone()),
        })
    }

    async fn exec(&self, client: &Arc<Client>, request: ExecCreate) -> Result<u8, Error> {
        let id = client.exec_create(&self.container, &request).await?.id;
        let start = ExecStart { detach: self.detach, tty: self.tty, console_size: request.console_size };
        if self.detach {
            client.exec_start_detached(&id, &start).await?;
            return Ok(0);
        }
        let stream = client.exec_start(&id, &start).await.map_err(not_started)?;
        let options = Options {
            stdin: request.attach_stdin,
            stdout: true,
            stderr: true,
            tty: self.tty,
            detach_keys: request.detach_keys,
        };
        let session = Session::begin(client, Target::Exec(id.clone()), stream, options, None)?;
        let (end, _) = session.run().await?;
        if let End::Detached = end {
            return Err(Error::Refused("read escape sequence"));
        }
        let code = client.exec_inspect(&id).await?.exit_code.unwrap_or(0);
        Ok(code as u8)
    }
}

/// A command that cannot be executed has Docker's exit code.
fn not_started(error: sampan_api::Error) -> Error {
    let error = Error::from(error);
    match run_code(&error.to_string()) {
        code @ (CODE_NOT_EXECUTABLE | CODE_NOT_FOUND) => {
            print::error(&error.to_string());
            Error::Silent(code)
        }
        _ => error,
    }
}
