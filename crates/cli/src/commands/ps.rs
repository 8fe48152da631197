//! `sampan ps`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::duration::ago;
use crate::format::listing::{Column, Listing};
use crate::format::ports::{self, Port};
use crate::format::template::{Format, FormatError};
use crate::format::text::{ellipsis, labels, quote, short_id};
use crate::options::filter::{Filter, filter, filters};
use crate::options::numbers::integer;
use crate::print;
use crate::verb::Verb;
use jiff::Timestamp;
use sampan_api::body::ContainerSummary;
use sampan_spec::{Reference, format_size};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Ps {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    #[arg(long, value_name = "string", help = super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Show n last created containers (includes all states)
    #[arg(short = 'n', long, value_name = "int", default_value = "-1", value_parser = integer, allow_hyphen_values = true)]
    last: i64,
    /// Show the latest created container (includes all states)
    #[arg(short, long)]
    latest: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only display container IDs
    #[arg(short, long)]
    quiet: bool,
    /// Display total file sizes
    #[arg(short, long)]
    size: bool,
}

impl Verb for Ps {
    const NAME: &'static str = "ps";
    const ABOUT: &'static str = "List containers";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["container ls", "container list", "container ps", "ps"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let filters = filters(&self.filter);
        let last = if self.latest && self.last == -1 { 1 } else { self.last };
        let limit = u64::try_from(last).ok().filter(|limit| *limit > 0);
        let client = context.client()?;
        let all = self.all || limit.is_some();
        let format = self.format.as_deref().unwrap_or_default();
        if let Err(FormatError::Parse(text)) = Format::new(format) {
            return Err(Error::Invalid(format!("failed to parse template: {text}")));
        }
        let size = self.size || format.contains(".Size");
        let containers =
            context.block_on(async { Ok(client.container_list(all, limit, size, &filters).await?) })?;
        if self.quiet {
            if !format.is_empty() {
                print::error("WARNING: Ignoring custom format, because both --format and --quiet are set.");
            }
            let id =
                |c: &ContainerSummary| if self.no_trunc { c.id.clone() } else { short_id(&c.id).to_owned() };
            let before = if format == "raw" { "container_id: " } else { "" };
            containers.iter().for_each(|container| print::line(&format!("{before}{}", id(container))));
            return Ok(0);
        }
        let format = match format {
            "raw" if self.size => RAW_WITH_SIZE,
            "raw" => RAW,
            template => template,
        };
        let now = Timestamp::now();
        let rows = containers.iter().map(|container| row(container, !self.no_trunc, now)).collect();
        Listing { columns: COLUMNS, rows }.print(format, if self.size { WITH_SIZE } else { TABLE })?;
        Ok(0)
    }
}

const TABLE: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
const WITH_SIZE: &str =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";

/// `--format raw`. What ends it keeps the empty line before it.
const RAW: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\nports:{{pad .Ports 1 0}}\n{{``}}";
const RAW_WITH_SIZE: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\nports:{{pad .Ports 1 0}}\nsize:{{pad .Size 1 0}}\n{{``}}";

pub(super) const COLUMNS: &[Column] = &[
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Labels", "LABELS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Names", "NAMES"),
    ("Networks", "NETWORKS"),
    ("Ports", "PORTS"),
    ("RunningFor", "CREATED"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("Status", "STATUS"),
];

const COMMAND_WIDTH: usize = 20;
const MOUNT_WIDTH: usize = 15;

/// The cells of [`COLUMNS`].
pub(super) fn row(container: &ContainerSummary, short: bool, now: Timestamp) -> Vec<String> {
    let c = container;
    let created = Timestamp::from_second(c.created).unwrap_or_default();
    let command = if short { ellipsis(&c.command, COMMAND_WIDTH) } else { c.command.clone() };
    let networks: Vec<_> = c.network_settings.networks.keys().map(String::as_str).collect();
    let volumes = c.mounts.iter().filter(|mount| mount.driver == "local").count();
    vec![
        quote(&command),
        created.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        if short { short_id(&c.id).to_owned() } else { c.id.clone() },
        image(c, short),
        labels(&c.labels),
        volumes.to_string(),
        mounts(c, short),
        names(c, short),
        networks.join(","),
        ports::display(published(c)),
        ago(created, now),
        size(c),
        c.state.clone(),
        c.status.clone(),
    ]
}

fn image(container: &ContainerSummary, short: bool) -> String {
    let image = &container.image;
    if image.is_empty() {
        return "<no image>".to_owned();
    }
    if !short {
        return image.clone();
    }
    if short_id(&container.image_id) == short_id(image) {
        return short_id(image).to_owned();
    }
    match image.parse::<Reference>() {
        Ok(Reference { name, tag: Some(tag), digest: Some(_) }) => {
            format!("{}:{}", name.familiar(), tag.as_str())
        }
        Ok(Reference { name, tag: None, digest: Some(_) }) => name.familiar(),
        _ => image.clone(),
    }
}

/// Names without their slash; those through links of other containers only in full lists.
fn names(container: &ContainerSummary, short: bool) -> String {
    let names = container.names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
    names.filter(|name| !short || !name.contains('/')).collect::<Vec<_>>().join(",")
}

fn mounts(container: &ContainerSummary, short: bool) -> String {
    let name = |mount: &sampan_api::body::MountPoint| {
        let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
        if short { ellipsis(name, MOUNT_WIDTH) } else { name.clone() }
    };
    container.mounts.iter().map(name).collect::<Vec<_>>().join(",")
}

fn published(container: &ContainerSummary) -> Vec<Port> {
    let port = |port: &sampan_api::body::PortSummary| Port {
        private: port.private_port,
        address: port.ip.clone(),
        public: port.public_port.unwrap_or(0),
        protocol: port.r#type.clone(),
    };
    container.ports.iter().map(port).collect()
}

fn size(container: &ContainerSummary) -> String {
    let bytes = |size: Option<i64>| u64::try_from(size.unwrap_or(0)).unwrap_or(0);
    let own = format_size(bytes(container.size_rw));
    match bytes(container.size_root_fs) {
        0 => own,
        all => format!("{own} (virtual {})", format_size(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::body::PortSummary;

    fn container() -> ContainerSummary {
        ContainerSummary {
            id: "0123456789abcdef".repeat(4),
            names: vec!["/web".into(), "/other/web".into()],
            image: "debian:12".into(),
            image_id: format!("sha256:{}", "ab".repeat(32)),
            command: "sh -c 'sleep 1000000'".into(),
            created: 1_000_000,
            ports: vec![PortSummary {
                ip: "0.0.0.0".into(),
                private_port: 80,
                public_port: Some(8080),
                r#type: "tcp".into(),
            }],
            state: "running".into(),
            status: "Up 2 seconds".into(),
            size_rw: Some(12),
            size_root_fs: Some(4_261_550),
            ..ContainerSummary::default()
        }
    }

    #[test]
    fn cells() {
        let now = Timestamp::from_second(1_000_180).unwrap();
        let shown = |short| {
            let cells = row(&container(), short, now);
            let line = |((name, _), cell): (&Column, &String)| format!("{name}: {cell}");
            COLUMNS.iter().zip(&cells).map(line).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(format!("{}\n\n{}", shown(true), shown(false)));
    }

    #[test]
    fn images_by_id_or_digest() {
        let show = |text: &str| image(&ContainerSummary { image: text.into(), ..container() }, true);
        assert_eq!(show(&format!("sha256:{}", "ab".repeat(32))), "abababababab");
        assert_eq!(show("abababababab"), "abababababab");
        assert_eq!(show(&format!("a/b:1@sha256:{}", "cd".repeat(32))), "a/b:1");
        assert_eq!(show(""), "<no image>");
    }
}
