//! `sampan network ls`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::listing::{Column, Listing};
use crate::format::text::{labels, natural, short_id};
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use sampan_api::body::Network;
use sampan_spec::Timestamp;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Ls {
    /// Provide filter values (e.g. "driver=bridge")
    #[arg(short, long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    #[arg(long, value_name = "string", help = super::super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Do not truncate the output
    #[arg(long)]
    no_trunc: bool,
    /// Only display network IDs
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    const NAME: &'static str = "ls";
    const ABOUT: &'static str = "List networks";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["network ls", "network list"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let filters = filters(&self.filter);
        let mut list = context.block_on(async { Ok(client.network_list(&filters).await?) })?;
        list.sort_by(|a, b| natural(&a.name, &b.name));
        let rows: Vec<Vec<String>> = list.iter().map(|network| cells(network, self.no_trunc)).collect();
        let format = self.format.as_deref().unwrap_or_default();
        if self.quiet && matches!(format, "" | "table") {
            rows.iter().for_each(|cells| print::line(&cells[ID]));
            return Ok(0);
        }
        Listing { columns: COLUMNS, rows }.print(format, TABLE)?;
        Ok(0)
    }
}

const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
const COLUMNS: &[Column] = &[
    ("CreatedAt", "CREATED AT"),
    ("Driver", "DRIVER"),
    ("ID", "NETWORK ID"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("Name", "NAME"),
    ("Scope", "SCOPE"),
];
/// The place of the id among the columns.
const ID: usize = 2;

/// The cells of [`COLUMNS`].
fn cells(network: &Network, whole: bool) -> Vec<String> {
    let id = if whole { &network.id } else { short_id(&network.id) };
    vec![
        moment(&network.created),
        network.driver.clone(),
        id.to_owned(),
        network.enable_ipv4.to_string(),
        network.enable_ipv6.to_string(),
        network.internal.to_string(),
        labels(&network.labels),
        network.name.clone(),
        network.scope.clone(),
    ]
}

/// A time as Go writes it.
fn moment(text: &str) -> String {
    let written = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string();
    text.parse().map_or_else(|_| text.to_owned(), written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_network() {
        let network = Network {
            name: "bridge".into(),
            id: "ab".repeat(32),
            created: "2026-11-28T01:47:47.069876303Z".into(),
            enable_ipv4: true,
            ..Network::default()
        };
        let shown = cells(&network, false);
        assert_eq!(shown[0], "2026-11-28 01:47:47.069876303 +0000 UTC");
        assert_eq!(
            (shown[ID].as_str(), shown[3].as_str(), shown[4].as_str()),
            ("abababababab", "true", "false")
        );
        assert_eq!(cells(&network, true)[ID], network.id);
    }
}
