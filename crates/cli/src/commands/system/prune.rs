//! `sampan system prune`: all prunes, one after the other.

use super::super::pruned::{Pruned, print_total};
use super::super::{container_prune, image_prune, volume};
use crate::confirm::confirmed;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::text::natural;
use crate::options::filter::{Filter, filter, filters};
use crate::verb::Verb;
use sampan_api::{Client, Filters};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Prune {
    /// Remove all unused images not just dangling ones
    #[arg(short, long)]
    all: bool,
    /// Provide filter values (e.g. "label=<key>=<value>")
    #[arg(long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
    /// Prune anonymous volumes
    #[arg(long)]
    volumes: bool,
}

impl Verb for Prune {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Remove unused data";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let filters = filters(&self.filter);
        if self.volumes && !filters.get("until").is_empty() {
            return Err(Error::Refused("ERROR: The \"until\" filter is not supported with \"--volumes\""));
        }
        if !self.force && !confirmed(&self.warning(&filters))? {
            return Ok(0);
        }
        let client = context.client()?;
        context.block_on(self.prune(client, &filters))?;
        Ok(0)
    }
}

impl Prune {
    fn warning(&self, filters: &Filters) -> String {
        let mut lines = vec!["all stopped containers", "all networks not used by at least one container"];
        if self.volumes {
            lines.push("all anonymous volumes not used by at least one container");
        }
        lines.extend(if self.all {
            ["all images without at least one container associated to them", "all build cache"]
        } else {
            ["all dangling images", "unused build cache"]
        });
        let list = |lines: &[&str]| lines.iter().map(|line| format!("  - {line}\n")).collect::<String>();
        let chosen = chosen(filters);
        let filtered = match chosen.is_empty() {
            true => String::new(),
            false => {
                let chosen: Vec<_> = chosen.iter().map(String::as_str).collect();
                format!("\n  Items to be pruned will be filtered with:\n{}", list(&chosen))
            }
        };
        format!("WARNING! This will remove:\n{}{filtered}\nAre you sure you want to continue?", list(&lines))
    }

    /// What is gone is told at once: the next prune may fail.
    async fn prune(&self, client: &Client, filters: &Filters) -> Result<(), Error> {
        let mut bytes = 0;
        let mut told = |pruned: Pruned| {
            pruned.print_things();
            bytes += pruned.bytes;
        };
        told(container_prune::prune(client, filters).await?);
        told(networks(client, filters).await?);
        if self.volumes {
            told(volume::prune::prune(client, filters).await?);
        }
        told(image_prune::prune(client, self.all, filters.clone()).await?);
        told(builds(client, self.all, filters).await?);
        print_total(bytes);
        Ok(())
    }
}

/// The filters as they are shown.
fn chosen(filters: &Filters) -> Vec<String> {
    let of = |name: &'static str| filters.get(name).iter().map(move |value| format!("{name}={value}"));
    let mut all: Vec<String> = ["label", "label!", "until"].into_iter().flat_map(of).collect();
    all.sort_by(|a, b| natural(a, b));
    all
}

async fn networks(client: &Client, filters: &Filters) -> Result<Pruned, Error> {
    let names = client.network_prune(filters).await?.networks_deleted.unwrap_or_default();
    Ok(Pruned::new("Deleted Networks:", &names, 0))
}

async fn builds(client: &Client, all: bool, filters: &Filters) -> Result<Pruned, Error> {
    let pruned = client.build_prune(all, filters).await?;
    let ids = pruned.caches_deleted.unwrap_or_default();
    Ok(Pruned::new("Deleted build cache objects:", &ids, pruned.space_reclaimed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_go_is_said_before() {
        let prune = |all, volumes| Prune { all, filter: Vec::new(), force: false, volumes };
        let mut filtered = Filters::default();
        for (name, value) in [("until", "10h"), ("label!", "b"), ("label", "a10"), ("label", "a9")] {
            filtered.add(name, value);
        }
        let plain = prune(false, false).warning(&Filters::default());
        insta::assert_snapshot!(format!("{plain}\n\n{}", prune(true, true).warning(&filtered)));
    }
}
