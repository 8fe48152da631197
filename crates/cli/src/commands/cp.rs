//! `sampan cp`.

use crate::context::Context;
use crate::copying::{self, Destination, Source, base_name, parent_name, plan};
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;
use crate::{print, terminal};
use sampan_api::Client;
use sampan_spec::format_size;
use tokio::io::AsyncRead;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Cp {
    source: String,
    destination: String,
    /// Archive mode (copy all uid/gid information)
    #[arg(short, long)]
    archive: bool,
    /// Always follow symbol link in SRC_PATH
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Cp {
    const NAME: &'static str = "cp";
    const ABOUT: &'static str = "Copy files/folders between a container and the local filesystem";
    const USAGE: &'static str =
        "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tsampan cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH";
    const ALIASES: &'static [&'static str] = &["container cp", "cp"];
    const COUNT: Count = Count::Exactly(2);

    fn run(self, context: &Context) -> Result<u8, Error> {
        for (name, path) in [("source", &self.source), ("destination", &self.destination)] {
            if path.is_empty() {
                return Err(Error::Invalid(format!("{name} can not be empty")));
            }
        }
        let (from, to) = (place(&self.source), place(&self.destination));
        let (from, to) = match (from, to) {
            (Place::Container { .. }, Place::Container { .. }) => {
                return Err(Error::Refused("copying between containers is not supported"));
            }
            (Place::Local(_), Place::Local(_)) => {
                return Err(Error::Refused("must specify at least one container source"));
            }
            places => places,
        };
        let client = context.client()?;
        context.block_on(async {
            let bytes = match (&from, &to) {
                (Place::Local(from), Place::Container { name, path }) => {
                    self.copy_in(client, from, name, path).await?
                }
                (Place::Container { name, path }, Place::Local(to)) => {
                    self.copy_out(client, name, path, to).await?
                }
                _ => return Ok(0),
            };
            if !self.quiet && terminal::error_columns().is_some() && self.destination != "-" {
                let text = format!("Successfully copied {} to {}", format_size(bytes), self.destination);
                print::error(&text);
            }
            Ok(0)
        })
    }
}

/// What an argument names.
enum Place<'a> {
    Local(&'a str),
    Container { name: &'a str, path: &'a str },
}

/// `NAME:PATH` is in a container, unless it looks like a path.
fn place(text: &str) -> Place<'_> {
    match text.split_once(':') {
        Some((name, path)) if !text.starts_with(['/', '.']) => Place::Container { name, path },
        _ => Place::Local(text),
    }
}

impl Cp {
    async fn copy_in(&self, client: &Client, from: &str, name: &str, path: &str) -> Result<u64, Error> {
        let destination = destination_in(client, name, path).await?;
        let (folder, tar, count): (_, Box<dyn AsyncRead + Send + Unpin>, _) = if from == "-" {
            if !destination.is_folder {
                return Err(Error::Invalid(format!("destination \"{name}:{path}\" must be a directory")));
            }
            (destination.path.clone(), super::load::open(None)?, None)
        } else {
            let found = copying::local(from, self.follow_link)?;
            let plan = plan(&found.source, &destination)?;
            let base = plan.base.unwrap_or_else(|| found.source.base.clone());
            let packing = copying::pack(found, base)?;
            (plan.folder, Box::new(packing.tar), Some(packing.count))
        };
        client.container_unpack(name, &folder, tar, self.archive).await?;
        match count {
            Some(count) => Ok(count.await.map_err(std::io::Error::from)??),
            None => Ok(0),
        }
    }

    async fn copy_out(&self, client: &Client, name: &str, path: &str, to: &str) -> Result<u64, Error> {
        let (mut path, mut called) = (path.to_owned(), None);
        if self.follow_link
            && let Ok(stat) = client.container_path_stat(name, &path).await
            && stat.is_link()
        {
            called = Some(base_name(&path));
            path = stat.link_target;
        }
        let (stat, tar) = client.container_archive(name, &path).await?;
        if to == "-" {
            return copying::print(tar).await;
        }
        let source =
            Source { base: called.unwrap_or_else(|| stat.name.clone()), is_folder: stat.is_folder() };
        let plan = plan(&source, &copying::local_destination(to)?)?;
        let base = plan.base.unwrap_or(source.base);
        copying::unpack(tar, plan.folder, (stat.name, base)).await
    }
}

/// A path in a container as a destination; a link there is followed.
async fn destination_in(client: &Client, name: &str, path: &str) -> Result<Destination, Error> {
    let mut path_in = path.to_owned();
    let mut stat = client.container_path_stat(name, &path_in).await.ok();
    if let Some(link) = stat.take_if(|stat| stat.is_link()) {
        path_in = if link.link_target.starts_with('/') {
            link.link_target
        } else {
            format!("{}/{}", parent_name(path), link.link_target)
        };
        stat = client.container_path_stat(name, &path_in).await.ok();
    }
    if stat.as_ref().is_some_and(sampan_api::body::PathStat::is_special) {
        let text = format!("destination \"{name}:{path}\" must be a directory or a regular file");
        return Err(Error::Invalid(text));
    }
    let is_folder = stat.as_ref().is_some_and(sampan_api::body::PathStat::is_folder);
    Ok(Destination { path: path_in, exists: stat.is_some(), is_folder })
}
