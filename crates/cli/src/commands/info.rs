//! `sampan info`.

use super::inspect::get;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::template::Format;
use crate::print;
use crate::verb::Verb;
use sampan_api::body;
use sampan_spec::format_binary_size;
use std::fmt::Write as _;

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
        if let (Some(format), Ok(info)) = (&format, &info) {
            print::line(&format.apply(info)?);
        } else if format.is_none() {
            let debug = context.debug();
            print::text(&format!(
                "Client:\n Version:    {}\n Debug Mode: {debug}\n\nServer:\n",
                env!("CARGO_PKG_VERSION")
            ));
            if let Ok(info) = &info {
                let info: body::Info = sampan_api::json::read(info.compact().as_bytes())?;
                print::text(&server_text(&info));
                info.warnings.iter().flatten().for_each(|warning| print::error(warning));
            }
        }
        info.map(|_| 0)
    }
}

/// Names that say all without a value.
const OPTIONS: [&str; 6] = ["seccomp", "apparmor", "selinux", "cgroupns", "rootless", "no-new-privileges"];

fn server_text(info: &body::Info) -> String {
    let mut text = String::new();
    for (name, value) in [counts(info), plugins(info), securities(info), host(info)].concat() {
        let _ = match value.as_str() {
            "" if OPTIONS.contains(&name.trim()) => writeln!(text, " {name}"),
            "" => writeln!(text, " {name}:"),
            value => writeln!(text, " {name}: {value}"),
        };
    }
    text + "\n"
}

type Lines = Vec<(String, String)>;

fn lines<const N: usize>(all: [(&str, String); N]) -> Lines {
    all.map(|(name, value)| (name.to_owned(), value)).into()
}

fn counts(info: &body::Info) -> Lines {
    let mut all = lines([
        ("Containers", info.containers.to_string()),
        (" Running", info.containers_running.to_string()),
        (" Paused", info.containers_paused.to_string()),
        (" Stopped", info.containers_stopped.to_string()),
        ("Images", info.images.to_string()),
        ("Server Version", info.server_version.clone()),
        ("Storage Driver", info.driver.clone()),
    ]);
    all.extend(info.driver_status.iter().map(|(name, value)| (format!(" {name}"), value.clone())));
    all
}

fn plugins(info: &body::Info) -> Lines {
    let runtimes: Vec<_> = info.runtimes.keys().map(String::as_str).collect();
    lines([
        ("Logging Driver", info.logging_driver.clone()),
        ("Cgroup Driver", info.cgroup_driver.clone()),
        ("Cgroup Version", info.cgroup_version.clone()),
        ("Plugins", String::new()),
        (" Volume", info.plugins.volume.join(" ")),
        (" Network", info.plugins.network.join(" ")),
        (" Log", info.plugins.log.join(" ")),
        ("Runtimes", runtimes.join(" ")),
        ("Default Runtime", info.default_runtime.clone()),
    ])
}

fn securities(info: &body::Info) -> Lines {
    let options = info.security_options.iter().flat_map(|option| security(option));
    lines([("Security Options", String::new())]).into_iter().chain(options).collect()
}

fn host(info: &body::Info) -> Lines {
    lines([
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
        ("Experimental", info.experimental_build.to_string()),
        ("Live Restore Enabled", info.live_restore_enabled.to_string()),
    ])
}

/// The lines of an option such as `name=seccomp,profile=builtin`.
fn security(option: &str) -> Lines {
    let pairs = option.split(',').filter_map(|part| part.split_once('='));
    let line = |(name, value): (&str, &str)| match name {
        "name" => (format!(" {value}"), String::new()),
        _ => (format!("  {}{}", name[..1].to_uppercase(), &name[1..]), value.to_owned()),
    };
    pairs.filter(|(name, _)| !name.is_empty()).map(line).collect()
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
            ..body::Info::default()
        };
        insta::assert_snapshot!(server_text(&info));
    }
}
