//! `sampan info`.

use super::inspect::get;
use super::version::client_members;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::json::Json;
use crate::format::template::Format;
use crate::print;
use crate::verb::Verb;
use sampan_api::body;
use sampan_spec::format_binary_size;
use serde_json::Value;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Info {
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
}

impl Verb for Info {
    const NAME: &'static str = "info";
    const ABOUT: &'static str = "Display system-wide information";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["system info", "info"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let format = self.format.as_deref().filter(|text| !text.is_empty()).map(Format::new).transpose()?;
        let info = context.client().and_then(|client| context.block_on(get(client, "/info")));
        if let Some(format) = format {
            print::line(&format.apply(&document(context, info.as_ref().ok()))?);
        } else {
            print::text(&client_text(context));
            if let Ok(info) = &info {
                let info: body::Info = sampan_api::json::read(info.compact().as_bytes())?;
                print::text(&server_text(&info));
                info.warnings.iter().flatten().for_each(|warning| print::error(warning));
            }
        }
        info.map(|_| 0)
    }
}

/// What templates see: the daemon's answer, or its shape where there is none, and the command line beside it.
fn document(context: &Context, info: Option<&Json>) -> Json {
    let nothing = || Json::parse(&serde_json::to_vec(&body::Info::default()).unwrap_or_default());
    let mut members = match info.cloned().or_else(|| nothing().ok()) {
        Some(Json::Object(members)) => members,
        _ => Vec::new(),
    };
    let mut client = client_members();
    client.insert(0, ("Debug".to_owned(), Json::Bool(context.debug())));
    client.push(("Plugins".to_owned(), Json::Array(Vec::new())));
    client.push(("Warnings".to_owned(), Json::Null));
    members.push(("ClientInfo".to_owned(), Json::Object(client)));
    Json::Object(members)
}

fn client_text(context: &Context) -> String {
    format!(
        "Client:\n Version:    {}\n Context:    default\n Debug Mode: {}\n\nServer:\n",
        env!("CARGO_PKG_VERSION"),
        context.debug()
    )
}

fn server_text(info: &body::Info) -> String {
    let parts = [counts(info), plugins(info), programs(info), securities(info), host(info), daemon(info)];
    parts.concat().iter().fold(String::new(), |text, line| text + " " + line + "\n") + "\n"
}

/// Without the first column's space.
type Lines = Vec<String>;

fn pairs<const N: usize>(all: [(&str, String); N]) -> Lines {
    all.map(|(name, value)| format!("{name}: {value}")).into()
}

/// A heading, and what stands under it; nothing if that is empty.
fn listed<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Lines {
    let lines: Lines = values.into_iter().map(|value| format!(" {}", value.as_ref())).collect();
    if lines.is_empty() { lines } else { [vec![format!("{name}:")], lines].concat() }
}

fn counts(info: &body::Info) -> Lines {
    let mut all = pairs([
        ("Containers", info.containers.to_string()),
        (" Running", info.containers_running.to_string()),
        (" Paused", info.containers_paused.to_string()),
        (" Stopped", info.containers_stopped.to_string()),
        ("Images", info.images.to_string()),
        ("Server Version", info.server_version.clone()),
        ("Storage Driver", info.driver.clone()),
    ]);
    all.extend(info.driver_status.iter().map(|(name, value)| format!(" {name}: {value}")));
    all
}

fn plugins(info: &body::Info) -> Lines {
    let mut all = pairs([
        ("Logging Driver", info.logging_driver.clone()),
        ("Cgroup Driver", info.cgroup_driver.clone()),
        ("Cgroup Version", info.cgroup_version.clone()),
    ]);
    let authorization = info.plugins.authorization.iter().flatten().cloned().collect::<Vec<_>>();
    let kinds = [
        ("Volume", &info.plugins.volume),
        ("Network", &info.plugins.network),
        ("Authorization", &authorization),
        ("Log", &info.plugins.log),
    ];
    let told = kinds.iter().filter(|(kind, names)| *kind != "Authorization" || !names.is_empty());
    all.extend(listed("Plugins", told.map(|(kind, names)| format!("{kind}: {}", names.join(" ")))));
    all.extend(listed("CDI spec directories", &info.cdi_spec_dirs));
    all.extend(pairs([("Swarm", info.swarm.local_node_state.clone())]));
    all
}

fn programs(info: &body::Info) -> Lines {
    let runtimes: Vec<_> = info.runtimes.keys().map(String::as_str).collect();
    pairs([
        ("Runtimes", runtimes.join(" ")),
        ("Default Runtime", info.default_runtime.clone()),
        ("Init Binary", info.init_binary.clone()),
        ("containerd version", info.containerd_commit.id.clone()),
        ("runc version", info.runc_commit.id.clone()),
        ("init version", info.init_commit.id.clone()),
    ])
}

fn securities(info: &body::Info) -> Lines {
    listed("Security Options", info.security_options.iter().flat_map(|option| security(option)))
}

fn host(info: &body::Info) -> Lines {
    let mut all = pairs([
        ("Kernel Version", info.kernel_version.clone()),
        ("Operating System", info.operating_system.clone()),
        ("OSType", info.os_type.clone()),
        ("Architecture", info.architecture.clone()),
        ("CPUs", info.ncpu.to_string()),
        ("Total Memory", format_binary_size(info.mem_total)),
        ("Name", info.name.clone()),
        ("ID", info.id.clone()),
        ("Docker Root Dir", info.docker_root_dir.clone()),
        ("Debug Mode", info.debug.to_string()),
    ]);
    if info.debug {
        all.extend(pairs([
            (" File Descriptors", info.n_fd.to_string()),
            (" Goroutines", info.n_goroutines.to_string()),
            (" System Time", info.system_time.clone()),
            (" EventsListeners", info.n_events_listener.to_string()),
        ]));
    }
    all
}

fn daemon(info: &body::Info) -> Lines {
    let proxies =
        [("HTTP Proxy", &info.http_proxy), ("HTTPS Proxy", &info.https_proxy), ("No Proxy", &info.no_proxy)];
    let proxies = proxies.iter().filter(|(_, value)| !value.is_empty());
    let mut all: Lines = proxies.map(|(name, value)| format!("{name}: {value}")).collect();
    all.extend(listed("Labels", &info.labels));
    all.extend(pairs([("Experimental", info.experimental_build.to_string())]));
    all.extend(listed("Insecure Registries", insecure(info)));
    let mirrors = info.registry_config["Mirrors"].as_array();
    all.extend(listed("Registry Mirrors", mirrors.into_iter().flatten().filter_map(Value::as_str)));
    all.extend(pairs([("Live Restore Enabled", info.live_restore_enabled.to_string())]));
    all
}

/// Single registries before networks.
fn insecure(info: &body::Info) -> Vec<&str> {
    let indexes = info.registry_config["IndexConfigs"].as_object();
    let insecure = indexes.into_iter().flatten().filter(|(_, index)| index["Secure"] == false);
    let networks = info.registry_config["InsecureRegistryCIDRs"].as_array();
    let networks = networks.into_iter().flatten().filter_map(Value::as_str);
    insecure.map(|(name, _)| name.as_str()).chain(networks).collect()
}

/// The lines of an option such as `name=seccomp,profile=builtin`.
fn security(option: &str) -> Lines {
    let pairs = option.split(',').filter_map(|part| part.split_once('='));
    let line = |(name, value): (&str, &str)| match name {
        "name" => value.to_owned(),
        _ => format!(" {}{}: {value}", name[..1].to_uppercase(), &name[1..]),
    };
    pairs.filter(|(name, _)| name.is_ascii() && !name.is_empty()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_part() {
        let info = body::Info {
            containers: 3,
            driver: "overlay2".into(),
            driver_status: vec![("Supports d_type".into(), "true".into())],
            security_options: vec!["name=seccomp,profile=builtin".into()],
            mem_total: 1 << 30,
            registry_config: serde_json::json!({
                "IndexConfigs": {"docker.io": {"Secure": true}, "lab:5000": {"Secure": false}},
                "InsecureRegistryCIDRs": ["10.0.0.0/8"],
                "Mirrors": ["https://mirror.example/"],
            }),
            http_proxy: "http://proxy:3128".into(),
            labels: vec!["zone=a".into()],
            debug: true,
            ..body::Info::default()
        };
        insta::assert_snapshot!(server_text(&info));
    }
}
