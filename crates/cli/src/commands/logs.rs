//! `sampan logs`.

use crate::context::Context;
use crate::error::{CODE_PIPE, Error};
use crate::flags::Count;
use crate::streams::Printer;
use crate::verb::Verb;
use jiff::Timestamp;
use sampan_api::query::Query;
use sampan_api::time::point_in_time;
use sampan_api::{Client, RAW_STREAM};
use std::io;
use tokio::io::AsyncReadExt;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Logs {
    container: String,
    /// Show extra details provided to logs
    #[arg(long)]
    details: bool,
    /// Follow log output
    #[arg(short, long)]
    follow: bool,
    /// Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string")]
    since: Option<String>,
    /// Number of lines to show from the end of the logs
    #[arg(short = 'n', long, value_name = "string", default_value = "all", allow_hyphen_values = true)]
    tail: String,
    /// Show timestamps
    #[arg(short, long)]
    timestamps: bool,
    /// Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string")]
    until: Option<String>,
}

const PIECE: usize = 64 << 10;

impl Verb for Logs {
    const NAME: &'static str = "logs";
    const ABOUT: &'static str = "Fetch the logs of a container";
    const USAGE: &'static str = "[OPTIONS] CONTAINER";
    const ALIASES: &'static [&'static str] = &["container logs", "logs"];
    const COUNT: Count = Count::Exactly(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let query = self.query()?;
        let client = context.client()?;
        context.block_on(self.print(client, &query))
    }
}

impl Logs {
    fn query(&self) -> Result<Query, Error> {
        let now = Timestamp::now();
        let time = |name: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            let point = text.map(|text| point_in_time(text, now)).transpose();
            point.map_err(|error| Error::Invalid(format!("invalid value for {name:?}: {error}")))
        };
        Ok(Query::default()
            .with_flag("stdout", true)
            .with_flag("stderr", true)
            .with_flag("details", self.details)
            .with_flag("follow", self.follow)
            .with_flag("timestamps", self.timestamps)
            .with("tail", &self.tail)
            .with_some("since", time("since", &self.since)?)
            .with_some("until", time("until", &self.until)?))
    }

    async fn print(&self, client: &Client, query: &Query) -> Result<u8, Error> {
        let mut stream = client.container_logs(&self.container, query).await?;
        let mut printer = Printer::new(stream.content_type() == RAW_STREAM);
        let mut buffer = vec![0; PIECE];
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                length => printer.print(&buffer[..length]).map_err(gone)?,
            }
        }
        printer.finish()?;
        Ok(0)
    }
}

/// Like `cat` where nobody reads any more.
fn gone(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe { Error::Silent(CODE_PIPE) } else { error.into() }
}
