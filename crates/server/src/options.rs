//! What the daemon is told: the command line, and a file in the form of Docker's `daemon.json`.

use clap::Parser;
use sampan_engine::container::{Dns, LogConfig, check_logging};
use sampan_engine::image::{Insecure, Mirror, RegistryConfig};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Read if it is there and no other file is named.
const DEFAULT_FILE: &str = "/etc/sampan/daemon.json";
const DEFAULT_HOST: &str = "unix:///run/sampan.sock";

/// The options as they stand on the command line.
#[derive(Debug, Default, Parser)]
#[command(
    name = "sampan daemon",
    bin_name = "sampan daemon",
    about = "Run the engine",
    disable_version_flag = true
)]
pub(crate) struct Arguments {
    /// Where images, containers and volumes are kept [default: /var/lib/sampan]
    #[arg(long, value_name = "DIR")]
    data_root: Option<PathBuf>,
    /// Where state that does not outlive a boot is kept [default: /run/sampan]
    #[arg(long, value_name = "DIR")]
    exec_root: Option<PathBuf>,
    /// Listen here: unix:///PATH, tcp://LOOPBACK:PORT, or fd:// for sockets handed over by systemd [default: unix:///run/sampan.sock]
    #[arg(short = 'H', long, value_name = "ADDRESS")]
    host: Vec<String>,
    /// The group that may use the unix sockets
    #[arg(short = 'G', long)]
    group: Option<String>,
    /// Write the daemon's process id here
    #[arg(short, long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// The bridge that containers are joined to [default: sampan0]
    #[arg(short, long, value_name = "NAME")]
    bridge: Option<String>,
    /// The bridge's address with its prefix length, such as 10.0.5.1/24
    #[arg(long, value_name = "CIDR")]
    bip: Option<String>,
    /// A DNS server for containers that name none
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<IpAddr>,
    /// A DNS option for containers that name none
    #[arg(long, value_name = "OPTION")]
    dns_opt: Vec<String>,
    /// A DNS search domain for containers that name none
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// What the name host-gateway of --add-host stands for [default: the bridge's address]
    #[arg(long, value_name = "ADDRESS")]
    host_gateway_ip: Vec<IpAddr>,
    /// A registry that may do without a valid certificate, or without TLS: host:port, or a network such as 10.0.0.0/8
    #[arg(long, value_name = "REGISTRY")]
    insecure_registry: Vec<Insecure>,
    /// A mirror of Docker's own registry, asked before it
    #[arg(long, value_name = "URL")]
    registry_mirror: Vec<Mirror>,
    /// Where containers' output is kept that say nothing else: json-file, local or none [default: json-file]
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// An option of that driver, such as max-size=10m
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
    /// How much to log: debug, info, warn, error or fatal [default: info]
    #[arg(short, long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Log as much as possible
    #[arg(short = 'D', long)]
    debug: bool,
    /// A file of options, as Docker's daemon.json [default: /etc/sampan/daemon.json, if it is there]
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Run nothing: remove the bridge, the firewall rules and the control groups that a daemon with these options has made
    #[arg(long)]
    clean_up: bool,
}

/// The options with everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonOptions {
    /// Where everything is kept.
    pub data_root: PathBuf,
    /// Where what does not outlive a boot is kept.
    pub exec_root: PathBuf,
    /// Where to listen; at least one.
    pub hosts: Vec<String>,
    /// The group that may use the unix sockets.
    pub group: Option<String>,
    /// Where to write the process id.
    pub pidfile: Option<PathBuf>,
    /// The bridge's name.
    pub bridge: String,
    /// The bridge's address and prefix length.
    pub bip: Option<String>,
    /// How containers look names up that do not say how.
    pub dns: Dns,
    /// What `host-gateway` stands for; empty: the bridge's address.
    pub host_gateways: Vec<IpAddr>,
    /// Registries that need not prove who they are, and mirrors.
    pub registries: RegistryConfig,
    /// Where containers' output is kept that say nothing else.
    pub log: LogConfig,
    /// How much to log.
    pub level: Level,
    /// Only remove what a daemon with these options has made on the host.
    pub clean_up: bool,
}

/// How much is logged: this and what is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What may become a trouble.
    Warn,
    /// What went wrong.
    Error,
}

/// The options are not right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("unable to configure the daemon with file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path that cannot be one of a folder.
    #[error("{name} {path:?} is no folder's path")]
    Folder {
        /// The option.
        name: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no JSON object.
    #[error("unable to configure the daemon with file {path}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file has names that mean nothing here.
    #[error(
        "unable to configure the daemon with file {path}: the following directives don't match any configuration option: {names}"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The names, separated by commas.
        names: String,
    },
    /// Something is said twice.
    #[error(
        "unable to configure the daemon with file {path}: the following directives are specified both as a flag and in the configuration file: {names}"
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The names with both values.
        names: String,
    },
    /// A value in the file has the wrong type.
    #[error("unable to configure the daemon with file {path}: {name} must be {expected}")]
    Type {
        /// The file.
        path: PathBuf,
        /// The name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A value in the file cannot be meant.
    #[error("unable to configure the daemon with file {path}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The containers' log cannot be kept like this.
    #[error("failed to set log opts: {0}")]
    Log(#[source] sampan_engine::Error),
    /// No such level.
    #[error("unable to parse logging level: {0}")]
    Level(String),
}

impl DaemonOptions {
    /// Merges the command line with the file.
    ///
    /// # Errors
    /// When the file cannot be read or understood, or says what the command line says too.
    pub(crate) fn new(arguments: Arguments) -> Result<Self, ConfigError> {
        let (path, required) = match &arguments.config_file {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from(DEFAULT_FILE), false),
        };
        let file = read(&path, required)?;
        refuse_twice(&arguments, &file, &path)?;
        Self::merge(arguments, &File { path: &path, values: file })
    }

    fn merge(flags: Arguments, file: &File<'_>) -> Result<Self, ConfigError> {
        let folder =
            |flag: Option<PathBuf>, key: &'static str, default: &str| -> Result<PathBuf, ConfigError> {
                let path = flag.or(file.text(key)?.map(PathBuf::from)).unwrap_or_else(|| default.into());
                // Monitors work in folders of their own.
                std::path::absolute(&path).map_err(|source| ConfigError::Folder { name: key, path, source })
            };
        let text = |flag: Option<String>, key| Ok(flag.or(file.text(key)?));
        let mut hosts = if flags.host.is_empty() { file.list("hosts")? } else { flags.host };
        if hosts.is_empty() {
            hosts.push(DEFAULT_HOST.into());
        }
        let debug = flags.debug || file.truth("debug")?;
        let level = text(flags.log_level, "log-level")?;
        Ok(Self {
            data_root: folder(flags.data_root, "data-root", "/var/lib/sampan")?,
            exec_root: folder(flags.exec_root, "exec-root", "/run/sampan")?,
            hosts,
            group: text(flags.group, "group")?,
            pidfile: flags.pidfile.or(file.text("pidfile")?.map(PathBuf::from)),
            bridge: text(flags.bridge, "bridge")?.unwrap_or_else(|| "sampan0".into()),
            bip: text(flags.bip, "bip")?,
            dns: Dns {
                servers: or_else(flags.dns, || file.parsed("dns"))?,
                search: or_else(flags.dns_search, || file.list("dns-search"))?,
                options: or_else(flags.dns_opt, || file.list("dns-opts"))?,
            },
            host_gateways: or_else(flags.host_gateway_ip, || file.parsed("host-gateway-ips"))?,
            clean_up: flags.clean_up,
            registries: RegistryConfig {
                insecure: or_else(flags.insecure_registry, || file.parsed("insecure-registries"))?,
                mirrors: or_else(flags.registry_mirror, || file.parsed("registry-mirrors"))?,
            },
            log: log(flags.log_driver, &flags.log_opt, file)?,
            level: if debug { Level::Debug } else { Level::parse(level.as_deref())? },
        })
    }
}

impl Level {
    fn parse(text: Option<&str>) -> Result<Self, ConfigError> {
        match text.unwrap_or("info") {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" | "fatal" => Ok(Self::Error),
            other => Err(ConfigError::Level(other.to_owned())),
        }
    }
}

/// The log of containers that say nothing else.
fn log(driver: Option<String>, options: &[String], file: &File<'_>) -> Result<LogConfig, ConfigError> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let log = LogConfig {
        driver: driver.or(file.text("log-driver")?).unwrap_or_else(|| LogConfig::default().driver),
        options: if options.is_empty() {
            file.texts("log-opts")?
        } else {
            options.iter().map(pair).collect()
        },
    };
    check_logging(&log).map_err(ConfigError::Log)?;
    Ok(log)
}

/// What the command line says, or else the file.
fn or_else<T>(
    flags: Vec<T>,
    file: impl FnOnce() -> Result<Vec<T>, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    if flags.is_empty() { file() } else { Ok(flags) }
}

/// The file's values, and how to read them.
struct File<'p> {
    path: &'p Path,
    values: Map<String, Value>,
}

impl File<'_> {
    fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    fn truth(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.values.get(name) {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    fn list(&self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        let wrong = || self.wrong(name, "a list of strings");
        match self.values.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn texts(&self, name: &'static str) -> Result<BTreeMap<String, String>, ConfigError> {
        let wrong = || self.wrong(name, "an object of strings");
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        match self.values.get(name) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(members)) => members.iter().map(text).collect::<Option<_>>().ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Vec<T>, ConfigError> {
        let wrong = |e: T::Err| ConfigError::Value { path: self.path.to_owned(), reason: e.to_string() };
        self.list(name)?.iter().map(|text| text.parse().map_err(wrong)).collect()
    }

    fn wrong(&self, name: &'static str, expected: &'static str) -> ConfigError {
        ConfigError::Type { path: self.path.to_owned(), name, expected }
    }
}

fn read(path: &Path, required: bool) -> Result<Map<String, Value>, ConfigError> {
    const KNOWN: [&str; 17] = [
        "data-root",
        "exec-root",
        "hosts",
        "group",
        "pidfile",
        "bridge",
        "bip",
        "dns",
        "dns-opts",
        "dns-search",
        "host-gateway-ips",
        "log-level",
        "debug",
        "insecure-registries",
        "registry-mirrors",
        "log-driver",
        "log-opts",
    ];
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return Ok(Map::new()),
        other => other.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?,
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let parsed = serde_json::from_slice::<Map<String, Value>>(&bytes);
    let values = parsed.map_err(|source| ConfigError::Json { path: path.to_owned(), source })?;
    let unknown: Vec<&str> = values.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
    if unknown.is_empty() {
        Ok(values)
    } else {
        Err(ConfigError::Unknown { path: path.to_owned(), names: unknown.join(", ") })
    }
}

fn refuse_twice(flags: &Arguments, file: &Map<String, Value>, path: &Path) -> Result<(), ConfigError> {
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let hosts = (!flags.host.is_empty()).then(|| format!("[{}]", flags.host.join(" ")));
    let shown_all = |all: Vec<String>| (!all.is_empty()).then(|| format!("[{}]", all.join(" ")));
    let addresses = |all: &[IpAddr]| shown_all(all.iter().map(ToString::to_string).collect());
    let insecure = flags.insecure_registry.iter().map(ToString::to_string).collect();
    let mirrors = flags.registry_mirror.iter().map(ToString::to_string).collect();
    let given = [
        ("insecure-registries", shown_all(insecure)),
        ("registry-mirrors", shown_all(mirrors)),
        ("dns", addresses(&flags.dns)),
        ("dns-opts", shown_all(flags.dns_opt.clone())),
        ("dns-search", shown_all(flags.dns_search.clone())),
        ("host-gateway-ips", addresses(&flags.host_gateway_ip)),
        ("data-root", shown(&flags.data_root)),
        ("exec-root", shown(&flags.exec_root)),
        ("hosts", hosts),
        ("group", flags.group.clone()),
        ("pidfile", shown(&flags.pidfile)),
        ("bridge", flags.bridge.clone()),
        ("bip", flags.bip.clone()),
        ("log-level", flags.log_level.clone()),
        ("log-driver", flags.log_driver.clone()),
        (
            "log-opts",
            (!flags.log_opt.is_empty())
                .then(|| format!("map[{}]", flags.log_opt.join(" ").replace('=', ":"))),
        ),
        ("debug", flags.debug.then(|| "true".to_owned())),
    ];
    let both = given.into_iter().filter_map(|(name, flag)| {
        let in_file = match file.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(format!("{name}: (from flag: {}, from file: {in_file})", flag?))
    });
    let names: Vec<String> = both.collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Twice { path: path.to_owned(), names: names.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::with_sources;
    use proptest::prelude::*;

    fn merged(flags: &[&str], file: &str) -> Result<DaemonOptions, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.json");
        std::fs::write(&path, file).unwrap();
        let all =
            ["daemon", "--config-file", path.to_str().unwrap()].into_iter().chain(flags.iter().copied());
        let arguments = Arguments::try_parse_from(all).unwrap();
        DaemonOptions::new(arguments).map_err(|e| with_sources(&e).replace(path.to_str().unwrap(), "FILE"))
    }

    #[test]
    fn flags_and_file_are_merged() {
        let options =
            merged(&["--bip", "10.0.0.1/24"], r#"{"hosts":["fd://"],"debug":true,"data-root":"/d"}"#)
                .unwrap();
        assert_eq!(options.hosts, ["fd://"]);
        assert_eq!(options.data_root, PathBuf::from("/d"));
        assert_eq!(options.exec_root, PathBuf::from("/run/sampan"));
        assert_eq!((options.level, options.bridge.as_str()), (Level::Debug, "sampan0"));
        assert_eq!(merged(&[], "").unwrap().hosts, [DEFAULT_HOST]);
        let here = std::env::current_dir().unwrap();
        assert_eq!(merged(&["--exec-root", "run/x"], "").unwrap().exec_root, here.join("run/x"));
        assert_eq!(merged(&["-H", "fd://", "-H", "tcp://localhost"], "{}").unwrap().hosts.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let prefix = "unable to configure the daemon with file FILE";
        for (flags, file, text) in [
            (
                &["--data-root", "/x"][..],
                r#"{"data-root":"/y"}"#,
                ": the following directives are specified both as a flag and in the configuration file: data-root: \
                 (from flag: /x, from file: /y)",
            ),
            (
                &["-H", "fd://"],
                r#"{"hosts":["fd://"]}"#,
                ": the following directives are specified both as a flag and in the configuration file: hosts: (from \
                 flag: [fd://], from file: [\"fd://\"])",
            ),
            (&[], r#"{"nope":1}"#, ": the following directives don't match any configuration option: nope"),
            (&[], r#"{"hosts":"fd://"}"#, ": hosts must be a list of strings"),
            (&[], r#"{"log-opts":{"a":1}}"#, ": log-opts must be an object of strings"),
            (&[], "[]", ": invalid type: sequence, expected a map at line 1 column 0"),
        ] {
            assert_eq!(merged(flags, file).unwrap_err(), format!("{prefix}{text}"));
        }
        assert_eq!(merged(&["--log-level", "loud"], "").unwrap_err(), "unable to parse logging level: loud");
    }

    #[test]
    fn the_containers_log() {
        let log = |flags: &[&str], file| merged(flags, file).map(|options| options.log);
        assert_eq!(log(&[], "{}").unwrap(), LogConfig::default());
        let of_file = log(&[], r#"{"log-driver":"local","log-opts":{"max-size":"1m"}}"#).unwrap();
        let of_flags = log(&["--log-driver", "local", "--log-opt", "max-size=1m"], "{}").unwrap();
        assert_eq!((of_file.driver.as_str(), of_file.options["max-size"].as_str()), ("local", "1m"));
        assert_eq!(of_file, of_flags);
        let unknown = log(&["--log-opt", "x=y"], "{}").unwrap_err();
        assert_eq!(unknown, "failed to set log opts: unknown log opt 'x' for json-file log driver");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let arguments = Arguments::try_parse_from(["daemon", "--config-file", "/nonexistent/x"]).unwrap();
        assert!(matches!(DaemonOptions::new(arguments), Err(ConfigError::Read { .. })));
    }

    proptest! {
        #[test]
        fn any_file_is_merged_or_refused(
            members in prop::collection::btree_map(
                prop::sample::select(vec!["data-root", "hosts", "group", "bip", "log-level", "debug", "nope"]),
                prop::sample::select(vec!["null", "1", "true", "\"info\"", "[]", "[\"fd://\"]", "[1]", "{}", "x"]),
                0..4,
            ),
        ) {
            let members: Vec<String> =
                members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let file = format!("{{{}}}", members.join(","));
            match merged(&[], &file) {
                Ok(options) => prop_assert!(!options.hosts.is_empty() && !file.contains("nope")),
                Err(text) => prop_assert!(text.contains("FILE") || text.contains("logging level"), "{}", text),
            }
        }
    }
}
