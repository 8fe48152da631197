//! The container's process and its streams.

use crate::error::Error;
use crate::options::env;
use crate::options::numbers::integer;
use crate::terminal;
use sampan_api::body::{ContainerConfig, HostConfig};

/// What runs, as whom, and who sees it.
#[derive(clap::Args, Debug)]
pub(crate) struct Process {
    /// Attach to STDIN, STDOUT or STDERR
    #[arg(short, long, value_name = "list", value_parser = stream)]
    pub attach: Vec<Attach>,
    /// Overwrite the default ENTRYPOINT of the image
    #[arg(long, value_name = "string")]
    entrypoint: Option<String>,
    /// Set environment variables
    #[arg(short, long, value_name = "list", value_parser = env::variable)]
    env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "list")]
    env_file: Vec<String>,
    /// Run an init inside the container that forwards signals and reaps processes
    #[arg(long, value_name = "bool", action = clap::ArgAction::Set)]
    init: Option<bool>,
    /// Keep STDIN open even if not attached
    #[arg(short, long)]
    pub interactive: bool,
    /// Set meta data on a container
    #[arg(short, long, value_name = "list")]
    label: Vec<String>,
    /// Read in a line delimited file of labels
    #[arg(long, value_name = "list")]
    label_file: Vec<String>,
    /// Signal to stop the container
    #[arg(long, value_name = "string")]
    stop_signal: Option<String>,
    /// Timeout (in seconds) to stop a container
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    stop_timeout: Option<i64>,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    pub tty: bool,
    /// Username or UID (format: <name|uid>[:<group|gid>])
    #[arg(short, long, value_name = "string")]
    user: Option<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "string")]
    workdir: Option<String>,
}

/// One of the standard streams, as `-a` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    Stdin,
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("valid streams are STDIN, STDOUT and STDERR")]
struct NoSuchStream;

fn stream(text: &str) -> Result<Attach, NoSuchStream> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" => Ok(Attach::Stdin),
        "stdout" => Ok(Attach::Stdout),
        "stderr" => Ok(Attach::Stderr),
        _ => Err(NoSuchStream),
    }
}

impl Process {
    pub(super) fn fill(&self, config: &mut ContainerConfig, host: &mut HostConfig) -> Result<(), Error> {
        self.fill_streams(config, host);
        config.user = self.user.clone().unwrap_or_default();
        config.env = Some(env::collect(&self.env_file, &self.env)?);
        config.working_dir = self.workdir.clone().unwrap_or_default();
        // An empty one takes the image's away.
        config.entrypoint = self.entrypoint.clone().map(|program| vec![program]);
        config.labels = Some(env::labels(&self.label_file, &self.label)?.into_iter().collect());
        config.stop_signal = self.stop_signal.clone().unwrap_or_default();
        config.stop_timeout = self.stop_timeout;
        host.init = self.init;
        Ok(())
    }

    fn fill_streams(&self, config: &mut ContainerConfig, host: &mut HostConfig) {
        let everything = self.attach.is_empty();
        let attach = |stream| self.attach.contains(&stream);
        config.attach_stdin = if everything { self.interactive } else { attach(Attach::Stdin) };
        config.attach_stdout = everything || attach(Attach::Stdout);
        config.attach_stderr = everything || attach(Attach::Stderr);
        config.tty = self.tty;
        config.open_stdin = self.interactive;
        config.stdin_once = self.interactive && config.attach_stdin;
        let size = if self.tty { terminal::size() } else { None };
        host.console_size = size.map_or([0, 0], |(rows, columns)| [rows.into(), columns.into()]);
    }
}
