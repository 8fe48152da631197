//! The flags that `create` and `run` share, and the request they make.

use crate::error::Error;
use crate::options::cpus::nano_cpus;
use crate::options::numbers::{bytes, integer};
use crate::options::volumes::{Volume, volume};
use crate::options::{env, ports};
use crate::terminal;
use sampan_api::body::{
    ContainerConfig, ContainerCreate, Empty, HostConfig, LogConfig, PortBinding, PortMap, RestartPolicy, Set,
};
use sampan_spec::Reference;
use std::collections::BTreeMap;

/// The image and everything about the container.
#[derive(clap::Args, Debug)]
pub(crate) struct ContainerFlags {
    image: String,
    command: Vec<String>,
    /// Attach to STDIN, STDOUT or STDERR
    #[arg(short, long, value_name = "list", value_parser = stream)]
    pub attach: Vec<Attach>,
    /// Add Linux capabilities
    #[arg(long, value_name = "list")]
    cap_add: Vec<String>,
    /// Drop Linux capabilities
    #[arg(long, value_name = "list")]
    cap_drop: Vec<String>,
    /// Write the container ID to the file
    #[arg(long, value_name = "string")]
    pub cidfile: Option<String>,
    /// Number of CPUs
    #[arg(long, value_name = "decimal", value_parser = nano_cpus, allow_hyphen_values = true)]
    cpus: Option<i64>,
    /// Container NIS domain name
    #[arg(long, value_name = "string")]
    domainname: Option<String>,
    /// Overwrite the default ENTRYPOINT of the image
    #[arg(long, value_name = "string")]
    entrypoint: Option<String>,
    /// Set environment variables
    #[arg(short, long, value_name = "list", value_parser = env::variable)]
    env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "list")]
    env_file: Vec<String>,
    /// Expose a port or a range of ports
    #[arg(long, value_name = "list")]
    expose: Vec<String>,
    /// Container host name
    #[arg(short = 'h', long, value_name = "string")]
    hostname: Option<String>,
    /// Keep STDIN open even if not attached
    #[arg(short, long)]
    pub interactive: bool,
    /// Set meta data on a container
    #[arg(short, long, value_name = "list")]
    label: Vec<String>,
    /// Read in a line delimited file of labels
    #[arg(long, value_name = "list")]
    label_file: Vec<String>,
    /// Logging driver for the container
    #[arg(long, value_name = "string")]
    log_driver: Option<String>,
    /// Log driver options
    #[arg(long, value_name = "list")]
    log_opt: Vec<String>,
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Assign a name to the container
    #[arg(long, value_name = "string")]
    pub name: Option<String>,
    /// Connect a container to a network
    #[arg(long, alias = "net", value_name = "network")]
    network: Option<String>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Publish a container's port(s) to the host
    #[arg(short, long, value_name = "list")]
    publish: Vec<String>,
    /// Mount the container's root filesystem as read only
    #[arg(long)]
    read_only: bool,
    /// Restart policy to apply when a container exits
    #[arg(long, value_name = "string", default_value = "no")]
    restart: String,
    /// Automatically remove the container and its associated anonymous volumes when it exits
    #[arg(long)]
    pub rm: bool,
    /// Signal to stop the container
    #[arg(long, value_name = "string")]
    stop_signal: Option<String>,
    /// Timeout (in seconds) to stop a container
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    stop_timeout: Option<i64>,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    pub tty: bool,
    /// Username or UID (format: <name|uid>[:<group|gid>])
    #[arg(short, long, value_name = "string")]
    user: Option<String>,
    /// Bind mount a volume
    #[arg(short, long, value_name = "list")]
    volume: Vec<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "string")]
    workdir: Option<String>,
}

/// One of the standard streams, as `-a` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    Stdin,
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("valid streams are STDIN, STDOUT and STDERR")]
struct NoSuchStream;

fn stream(text: &str) -> Result<Attach, NoSuchStream> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" => Ok(Attach::Stdin),
        "stdout" => Ok(Attach::Stdout),
        "stderr" => Ok(Attach::Stderr),
        _ => Err(NoSuchStream),
    }
}

fn swap(text: &str) -> Result<i64, sampan_spec::ParseSizeError> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

impl ContainerFlags {
    /// The request that makes the container. Reads the files that flags name.
    pub(crate) fn request(&self) -> Result<ContainerCreate, Error> {
        let (volumes, binds) = self.volumes()?;
        let (exposed, port_bindings) = self.ports()?;
        let host_config = HostConfig { binds: Some(binds), port_bindings, ..self.host()? };
        if self.network.as_deref() == Some("") {
            return Err(Error::Refused("no name set for network"));
        }
        self.image.parse::<Reference>().or_else(|error| self.check_id(error))?;
        let config = ContainerConfig { exposed_ports: exposed, volumes, ..self.config()? };
        Ok(ContainerCreate { config, host_config, networking_config: None })
    }

    /// An id is no reference when it looks like a digest, and yet names an image.
    fn check_id(&self, error: sampan_spec::ParseReferenceError) -> Result<Reference, Error> {
        let hex = self.image.strip_prefix("sha256:").unwrap_or_default();
        let is_id = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { Ok(hex.parse()?) } else { Err(error.into()) }
    }

    fn config(&self) -> Result<ContainerConfig, Error> {
        let everything = self.attach.is_empty();
        let attach = |stream| self.attach.contains(&stream);
        let attach_stdin = if everything { self.interactive } else { attach(Attach::Stdin) };
        Ok(ContainerConfig {
            hostname: self.hostname.clone().unwrap_or_default(),
            domainname: self.domainname.clone().unwrap_or_default(),
            user: self.user.clone().unwrap_or_default(),
            attach_stdin,
            attach_stdout: everything || attach(Attach::Stdout),
            attach_stderr: everything || attach(Attach::Stderr),
            tty: self.tty,
            open_stdin: self.interactive,
            stdin_once: self.interactive && attach_stdin,
            env: Some(env::collect(&self.env_file, &self.env)?),
            cmd: (!self.command.is_empty()).then(|| self.command.clone()),
            image: self.image.clone(),
            working_dir: self.workdir.clone().unwrap_or_default(),
            // An empty one takes the image's away.
            entrypoint: self.entrypoint.clone().map(|program| vec![program]),
            labels: Some(env::labels(&self.label_file, &self.label)?.into_iter().collect()),
            stop_signal: self.stop_signal.clone().unwrap_or_default(),
            stop_timeout: self.stop_timeout,
            ..ContainerConfig::default()
        })
    }

    fn host(&self) -> Result<HostConfig, Error> {
        let restart_policy = restart_policy(&self.restart)?;
        if self.rm && !matches!(restart_policy.name.as_str(), "" | "no") {
            return Err(Error::Refused("conflicting options: cannot specify both --restart and --rm"));
        }
        let size = if self.tty { terminal::size() } else { None };
        let options = env::labels(&[], &self.log_opt)?;
        Ok(HostConfig {
            container_id_file: self.cidfile.clone().unwrap_or_default(),
            log_config: LogConfig {
                r#type: self.log_driver.clone().unwrap_or_default(),
                config: Some(options.into_iter().collect()),
            },
            network_mode: self.network.clone().unwrap_or_else(|| "default".to_owned()),
            restart_policy,
            auto_remove: self.rm,
            console_size: size.map_or([0, 0], |(rows, columns)| [rows.into(), columns.into()]),
            cap_add: some(&self.cap_add),
            cap_drop: some(&self.cap_drop),
            readonly_rootfs: self.read_only,
            memory: self.memory.unwrap_or(0),
            memory_swap: self.memory_swap.unwrap_or(0),
            nano_cpus: self.cpus.unwrap_or(0),
            pids_limit: self.pids_limit,
            ..HostConfig::default()
        })
    }

    fn volumes(&self) -> Result<(Option<Set>, Vec<String>), Error> {
        if self.volume.is_empty() {
            return Ok((None, Vec::new()));
        }
        let here = std::env::current_dir().unwrap_or_default();
        let (mut anonymous, mut binds) = (Set::new(), Vec::new());
        for text in &self.volume {
            match volume(text, &here)? {
                Volume::Anonymous(path) => _ = anonymous.insert(path, Empty {}),
                Volume::Bind(bind) => binds.push(bind),
            }
        }
        Ok(((!anonymous.is_empty()).then_some(anonymous), binds))
    }

    fn ports(&self) -> Result<(Option<Set>, Option<PortMap>), Error> {
        let mut exposed = Set::new();
        let mut bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
        for text in &self.expose {
            if text.contains(':') {
                return Err(Error::Invalid(format!("invalid port format for --expose: {text}")));
            }
            let mappings = ports::mappings(text).map_err(|_| bad_expose(text))?;
            exposed.extend(mappings.into_iter().map(|mapping| (mapping.container, Empty {})));
        }
        for text in &self.publish {
            for mapping in ports::mappings(text)? {
                exposed.insert(mapping.container.clone(), Empty {});
                let binding = PortBinding { host_ip: mapping.address, host_port: mapping.host };
                bindings.entry(mapping.container).or_default().push(binding);
            }
        }
        let bindings = bindings.into_iter().map(|(port, bindings)| (port, Some(bindings))).collect();
        Ok(((!exposed.is_empty()).then_some(exposed), Some(bindings)))
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn bad_expose(text: &str) -> Error {
    let port = text.split('/').next().unwrap_or_default();
    let is_wrong = |part: &&str| part.parse::<u16>().is_err();
    let number = port.split('-').find(is_wrong).unwrap_or(port);
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let why = if digits { "value out of range" } else { "invalid syntax" };
    Error::Invalid(format!(
        "invalid range format for --expose: {text}, error: strconv.ParseUint: parsing {number:?}: {why}"
    ))
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`; the daemon knows the names.
fn restart_policy(text: &str) -> Result<RestartPolicy, Error> {
    let (name, count) = text.split_once(':').unwrap_or((text, ""));
    if name.is_empty() && !text.is_empty() {
        return Err(Error::Refused("invalid restart policy format: no policy provided before colon"));
    }
    let count = match count {
        "" => 0,
        digits => digits.parse().map_err(|_| {
            Error::Refused("invalid restart policy format: maximum retry count must be an integer")
        })?,
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Split, split};
    use clap::{Args, Command, FromArgMatches};

    fn parse(line: &str) -> Result<ContainerCreate, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let command = ContainerFlags::augment_args(Command::new("create")).disable_help_flag(true);
        let Split::Line(line) = split(&command, &words, true).map_err(|e| e.to_string())? else {
            return Err("help".into());
        };
        let words = ["create".to_owned()].into_iter().chain(line.flags).chain(["--".to_owned()]);
        let matches = command.try_get_matches_from(words.chain(line.arguments)).map_err(|e| e.to_string())?;
        ContainerFlags::from_arg_matches(&matches).unwrap().request().map_err(|e| e.to_string())
    }

    #[test]
    fn the_whole_request() {
        let request = parse(
            "--name c --rm -i -e A=b -w /w -u 1:2 -v /a:/b:ro -v /c -m 64m --cpus 0.5 --pids-limit -1 \
             --network host -p 127.0.0.1:8080:80 -p 81 -h box --entrypoint /e -l x=y --stop-signal INT img:1 -x",
        )
        .unwrap();
        insta::assert_json_snapshot!(request);
    }

    #[test]
    fn attaching() {
        assert!(parse("-it x").unwrap().config.tty);
        let streams = |line| {
            let config = parse(line).unwrap().config;
            (config.attach_stdin, config.attach_stdout, config.attach_stderr, config.stdin_once)
        };
        assert_eq!(streams("x"), (false, true, true, false));
        assert_eq!(streams("-i x"), (true, true, true, true));
        assert_eq!(streams("-i -a stdout x"), (false, true, false, false));
        assert_eq!(streams("-i -a stdin -a STDERR x"), (true, false, true, true));
    }

    #[test]
    fn entrypoint_may_be_empty() {
        assert_eq!(parse("--entrypoint= x").unwrap().config.entrypoint, Some(vec![String::new()]));
        assert_eq!(parse("x").unwrap().config.entrypoint, None);
        assert_eq!(parse("x a -b").unwrap().config.cmd, Some(vec!["a".into(), "-b".into()]));
    }

    #[test]
    fn exposing() {
        let ports = parse("--expose 80-81 --expose 90/udp x").unwrap().config.exposed_ports.unwrap();
        assert_eq!(ports.keys().collect::<Vec<_>>(), ["80/tcp", "81/tcp", "90/udp"]);
        let bad =
            |text| format!("invalid range format for --expose: {text}, error: strconv.ParseUint: parsing ");
        assert_eq!(parse("--expose x i").unwrap_err(), bad("x") + "\"x\": invalid syntax");
        assert_eq!(
            parse("--expose 1-70000 i").unwrap_err(),
            bad("1-70000") + "\"70000\": value out of range"
        );
        assert_eq!(parse("--expose 1:2 i").unwrap_err(), "invalid port format for --expose: 1:2");
    }

    #[test]
    fn restarts() {
        for (text, want) in [
            ("no", Ok(("no", 0))),
            ("always", Ok(("always", 0))),
            ("on-failure:3", Ok(("on-failure", 3))),
            (":1", Err("invalid restart policy format: no policy provided before colon")),
            ("on-failure:x", Err("invalid restart policy format: maximum retry count must be an integer")),
        ] {
            let got = restart_policy(text).map_err(|e| e.to_string());
            let want =
                want.map(|(name, count)| RestartPolicy { name: name.into(), maximum_retry_count: count });
            assert_eq!(got, want.map_err(str::to_owned), "{text}");
        }
        assert_eq!(
            parse("--rm --restart always x").unwrap_err(),
            "conflicting options: cannot specify both --restart and --rm"
        );
    }

    #[test]
    fn images_are_names_or_ids() {
        assert!(parse("sha256:0123 x").is_ok());
        assert_eq!(parse("-").unwrap_err(), "invalid reference format");
        assert!(parse("UP").unwrap_err().ends_with("must be lowercase"));
    }
}
