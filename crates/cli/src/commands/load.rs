//! `sampan load`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::progress::{self, Place};
use crate::terminal;
use crate::verb::Verb;
use std::fs::File;
use std::os::fd::AsFd;
use tokio::io::AsyncRead;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Load {
    /// Read from tar archive file, instead of STDIN
    #[arg(short, long, value_name = "string")]
    input: Option<String>,
    /// Suppress the load output
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Load {
    const NAME: &'static str = "load";
    const ABOUT: &'static str = "Load an image from a tar archive or STDIN";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["image load", "load"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        if self.input.is_none() && terminal::input_is_terminal() {
            return Err(Error::Refused("requested load from stdin, but stdin is empty"));
        }
        let archive = open(self.input.as_deref())?;
        let client = context.client()?;
        context.block_on(async {
            progress::show(client.image_load(archive, self.quiet).await?, Place::Output).await?;
            Ok(0)
        })
    }
}

/// The file, or standard input.
pub(super) fn open(path: Option<&str>) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
    let file = match path {
        Some(path) => open_file(path).map_err(|source| Error::Open { path: path.to_owned(), source })?,
        None => File::from(rustix::stdio::stdin().as_fd().try_clone_to_owned()?),
    };
    Ok(Box::new(tokio::fs::File::from_std(file)))
}

/// Not a folder, which could be opened and then not be read.
fn open_file(path: &str) -> std::io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(std::io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_archive() {
        assert_eq!(open(Some("/etc")).err().unwrap().to_string(), "open /etc: is a directory");
    }
}
