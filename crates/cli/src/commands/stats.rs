//! `sampan stats`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::listing::{Column, Listing};
use crate::format::text::short_id;
use crate::print;
use crate::verb::Verb;
use sampan_api::body::{self, CpuStats, MemoryStats};
use sampan_api::{Client, Filters};
use sampan_spec::{format_binary_size, format_size};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Stats {
    containers: Vec<String>,
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    #[arg(long, value_name = "string", help = super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Disable streaming stats and only pull the first result
    #[arg(long)]
    no_stream: bool,
    /// Do not truncate output
    #[arg(long)]
    no_trunc: bool,
}

/// How often the screen is written anew.
const REFRESH: Duration = Duration::from_millis(500);
/// The cursor goes to the top left; the rest of a line, and of the screen, is cleared (ECMA-48).
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

impl Verb for Stats {
    const NAME: &'static str = "stats";
    const ABOUT: &'static str = "Display a live stream of container(s) resource usage statistics";
    const USAGE: &'static str = "[OPTIONS] [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container stats", "stats"];
    const COUNT: Count = Count::AtLeast(0);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        context.block_on(async {
            if self.no_stream { self.once(client).await } else { self.follow(client).await }
        })
    }
}

/// A container as the user named it, and what it used last.
struct Row {
    named: String,
    stats: Option<body::Stats>,
}

impl Stats {
    /// Those that were named, or all that run.
    async fn names(&self, client: &Client) -> Result<Vec<String>, Error> {
        if !self.containers.is_empty() {
            return Ok(self.containers.clone());
        }
        let listed = client.container_list(self.all, None, false, &Filters::default()).await?;
        Ok(listed.into_iter().map(|container| container.id).collect())
    }

    async fn once(&self, client: &Arc<Client>) -> Result<u8, Error> {
        let ask = |named: String| {
            let client = Arc::clone(client);
            tokio::spawn(async move {
                let stats = client.container_stats(&named).await;
                (named, stats)
            })
        };
        let asked: Vec<_> = self.names(client).await?.into_iter().map(ask).collect();
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for task in asked {
            match task.await.map_err(std::io::Error::from)? {
                (named, Ok(stats)) => rows.push(Row { named, stats: Some(stats) }),
                // One that was removed meanwhile is not missed where none was named.
                (_, Err(error)) if !self.containers.is_empty() => {
                    failures.push(Error::from(error).to_string())
                }
                _ => {}
            }
        }
        if !failures.is_empty() {
            return Err(Error::Some(failures.join("\n")));
        }
        print::text(&self.table(&rows)?);
        Ok(0)
    }

    async fn follow(&self, client: &Arc<Client>) -> Result<u8, Error> {
        let mut followed = Followed::default();
        for name in &self.containers {
            // One that is not there is told at once.
            client.container_inspect(name, false).await?;
        }
        loop {
            followed.go_on_with(client, self.names(client).await?);
            if !self.containers.is_empty() && followed.have_all_ended() {
                return Ok(0);
            }
            let table = self.table(&followed.rows())?;
            let lines: String = table.lines().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
            print::text(&format!("{HOME}{lines}{CLEAR_BELOW}"));
            tokio::time::sleep(REFRESH).await;
        }
    }

    fn table(&self, rows: &[Row]) -> Result<String, Error> {
        let rows = rows.iter().map(|row| cells(row, !self.no_trunc)).collect();
        Listing { columns: COLUMNS, rows }.text(self.format.as_deref().unwrap_or_default(), TABLE)
    }
}

/// The streams of several containers.
#[derive(Default)]
struct Followed(Vec<Stream>);

struct Stream {
    named: String,
    last: Arc<Mutex<Option<body::Stats>>>,
    task: JoinHandle<()>,
}

impl Followed {
    /// Begins with those that are new, and forgets those that are not there any more.
    fn go_on_with(&mut self, client: &Arc<Client>, names: Vec<String>) {
        self.0.retain(|stream| names.contains(&stream.named));
        for named in names {
            if !self.0.iter().any(|stream| stream.named == named) {
                self.0.push(Stream::begin(client, named));
            }
        }
    }

    fn have_all_ended(&self) -> bool {
        self.0.iter().all(|stream| stream.task.is_finished())
    }

    fn rows(&self) -> Vec<Row> {
        let open = self.0.iter().filter(|stream| !stream.task.is_finished());
        open.map(|stream| Row { named: stream.named.clone(), stats: locked(&stream.last).clone() }).collect()
    }
}

impl Stream {
    fn begin(client: &Arc<Client>, named: String) -> Self {
        let last = Arc::new(Mutex::new(None));
        let (client, name, newest) = (Arc::clone(client), named.clone(), Arc::clone(&last));
        let task = tokio::spawn(async move {
            let Ok(mut lines) = client.container_stats_stream(&name).await else { return };
            while let Ok(Some(stats)) = lines.next().await {
                *locked(&newest) = Some(stats);
            }
        });
        Self { named, last, task }
    }
}

fn locked(last: &Mutex<Option<body::Stats>>) -> MutexGuard<'_, Option<body::Stats>> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

const TABLE: &str =
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

const COLUMNS: &[Column] = &[
    ("BlockIO", "BLOCK I/O"),
    ("CPUPerc", "CPU %"),
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("MemPerc", "MEM %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("Name", "NAME"),
    ("NetIO", "NET I/O"),
    ("PIDs", "PIDS"),
];

/// The cells of [`COLUMNS`]; dashes where nothing has come yet.
fn cells(row: &Row, short: bool) -> Vec<String> {
    let named = row.named.clone();
    let Some(stats) = &row.stats else {
        let dashes = ["--", "--", &named, "--", "--", "-- / --", "--", "--", "--"];
        return dashes.map(str::to_owned).into();
    };
    let pair = |(a, b): (u64, u64)| format!("{} / {}", format_size(a), format_size(b));
    let (used, limit) = memory(&stats.memory_stats);
    let share = if limit == 0 { 0.0 } else { used as f64 / limit as f64 * 100.0 };
    let id = if short { short_id(&stats.id).to_owned() } else { stats.id.clone() };
    vec![
        pair(disks(&stats.blkio_stats)),
        format!("{:.2}%", percentage(&stats.cpu_stats, &stats.precpu_stats)),
        named,
        id,
        format!("{share:.2}%"),
        format!("{} / {}", format_binary_size(used), format_binary_size(limit)),
        stats.name.strip_prefix('/').unwrap_or(&stats.name).to_owned(),
        pair(network(stats.networks.as_ref())),
        stats.pids_stats.current.unwrap_or(0).to_string(),
    ]
}

/// The share of one processor since the sample before; two busy processors are 200.
fn percentage(now: &CpuStats, before: &CpuStats) -> f64 {
    let own = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let all = now.system_cpu_usage.unwrap_or(0) as f64 - before.system_cpu_usage.unwrap_or(0) as f64;
    let counted = now.online_cpus.unwrap_or(0);
    let processors = if counted == 0 { now.cpu_usage.percpu_usage.len() as u32 } else { counted };
    if own > 0.0 && all > 0.0 { own / all * f64::from(processors) * 100.0 } else { 0.0 }
}

/// Used, without the page cache that can be dropped, and the limit.
fn memory(memory: &MemoryStats) -> (u64, u64) {
    let usage = memory.usage.unwrap_or(0);
    let stat =
        |name| memory.stats.as_ref().and_then(|stats: &BTreeMap<String, u64>| stats.get(name)).copied();
    let cache = stat("total_inactive_file").or_else(|| stat("inactive_file")).filter(|cache| *cache < usage);
    (usage - cache.unwrap_or(0), memory.limit.unwrap_or(0))
}

/// Received and sent on all links.
fn network(networks: Option<&BTreeMap<String, body::NetworkStats>>) -> (u64, u64) {
    let links = networks.into_iter().flat_map(BTreeMap::values);
    links.fold((0, 0), |(rx, tx), link| (rx + link.rx_bytes, tx + link.tx_bytes))
}

/// Read and written on all disks.
fn disks(io: &body::BlkioStats) -> (u64, u64) {
    let sum = |operation: &str| {
        let entries = io.io_service_bytes_recursive.iter().flatten();
        entries.filter(|entry| entry.op.eq_ignore_ascii_case(operation)).map(|entry| entry.value).sum()
    };
    (sum("read"), sum("write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> body::Stats {
        let json = r#"{"name":"/web","id":"0123456789abcdef","pids_stats":{"current":3},
            "blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"Read","value":1000},
                {"major":8,"minor":0,"op":"write","value":20},{"major":8,"minor":0,"op":"total","value":1020}]},
            "cpu_stats":{"cpu_usage":{"total_usage":300},"system_cpu_usage":2000,"online_cpus":2},
            "precpu_stats":{"cpu_usage":{"total_usage":100},"system_cpu_usage":1000},
            "memory_stats":{"usage":3145728,"limit":4194304,"stats":{"total_inactive_file":1048576}},
            "networks":{"eth0":{"rx_bytes":486,"tx_bytes":84},"eth1":{"rx_bytes":1,"tx_bytes":1}}}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn rows() {
        let row = Row { named: "web".into(), stats: Some(stats()) };
        let want =
            ["1kB / 20B", "40.00%", "web", "0123456789ab", "50.00%", "2MiB / 4MiB", "web", "487B / 85B", "3"];
        assert_eq!(cells(&row, true), want);
        let idle = Row { named: "x".into(), stats: Some(body::Stats::default()) };
        assert_eq!(cells(&idle, true)[4..6], ["0.00%", "0B / 0B"]);
        let unknown = cells(&Row { named: "x".into(), stats: None }, true);
        assert_eq!((unknown.len(), unknown[5].as_str()), (COLUMNS.len(), "-- / --"));
    }
}
