//! Dockerfile instructions that change an image's configuration (`docker import --change`; Dockerfile reference).
//! Texts of errors are Docker's.

mod health;
mod words;

use crate::config::RunConfig;
use sampan_spec::Signal;
use serde_json::{Value, json};

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is empty.
    #[error("file with no instructions")]
    Empty,
    /// It is no instruction that changes a configuration.
    #[error("{instruction} is not a valid change command")]
    Instruction {
        /// The instruction as it was typed.
        instruction: String,
    },
    /// It has too few or too many arguments.
    #[error("{instruction} requires {wanted}")]
    Arguments {
        /// The instruction.
        instruction: &'static str,
        /// What it requires.
        wanted: &'static str,
    },
    /// `ENV` or `LABEL` has a name without a value.
    #[error("{instruction} must have two arguments")]
    TwoArguments {
        /// The instruction.
        instruction: &'static str,
    },
    /// One of several names has no value.
    #[error("Syntax error - can't find = in {word:?}. Must be of the form: name=value")]
    NoEquals {
        /// The name.
        word: String,
    },
    /// A name is empty.
    #[error("{instruction} names can not be blank")]
    BlankName {
        /// The instruction.
        instruction: &'static str,
    },
    /// A variable is not closed or has a modifier that is not known.
    #[error("failed to process {word:?}: {what}")]
    Expansion {
        /// The word.
        word: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A port is none.
    #[error("Invalid containerPort: {port}")]
    Port {
        /// The port.
        port: String,
    },
    /// A port's protocol is none.
    #[error("Invalid proto: {protocol}")]
    Protocol {
        /// The protocol.
        protocol: String,
    },
    /// A signal is none.
    #[error("invalid signal: {signal}")]
    Signal {
        /// The signal.
        signal: String,
    },
    /// An instruction that may not be postponed.
    #[error("{instruction} isn't allowed as an ONBUILD trigger")]
    Trigger {
        /// The instruction.
        instruction: String,
    },
    /// A health check is not right.
    #[error("{what}: {text:?}")]
    Health {
        /// What is wrong.
        what: &'static str,
        /// With this.
        text: String,
    },
}

/// Makes changes, each of one or more instructions, a line each, to a configuration.
///
/// # Errors
/// See [`Error`].
pub fn apply(config: RunConfig, changes: &[String]) -> Result<RunConfig, Error> {
    let mut target = Target { config, has_cmd: false };
    for change in changes {
        let instructions = instructions(change);
        if instructions.is_empty() {
            return Err(Error::Empty);
        }
        for instruction in instructions {
            target.change(&instruction)?;
        }
    }
    Ok(target.config)
}

/// The instructions in a text: without comments and empty lines, continued lines joined.
fn instructions(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with('#') || (current.is_empty() && line.trim().is_empty()) {
            continue;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(start) => current.push_str(start),
            None => {
                current.push_str(line);
                all.push(std::mem::take(&mut current).trim().to_owned());
            }
        }
    }
    if !current.trim().is_empty() {
        all.push(current.trim().to_owned());
    }
    all
}

struct Target {
    config: RunConfig,
    /// Whether a `CMD` was given: a later `ENTRYPOINT` keeps it then.
    has_cmd: bool,
}

impl Target {
    fn change(&mut self, text: &str) -> Result<(), Error> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "CMD" => {
                self.config.cmd = self.command(rest);
                self.has_cmd = true;
            }
            "ENTRYPOINT" => {
                self.config.entrypoint = self.command(rest);
                if !self.has_cmd {
                    self.config.cmd.clear();
                }
            }
            "ENV" => self.env(rest)?,
            "EXPOSE" => self.expose(rest)?,
            "HEALTHCHECK" => self.config.healthcheck = Some(health::parse(rest)?),
            "LABEL" => self.label(rest)?,
            "ONBUILD" => self.on_build(rest)?,
            "STOPSIGNAL" => self.stop_signal(rest)?,
            "USER" => self.config.user = self.one("USER", rest)?,
            "VOLUME" => self.volume(rest)?,
            "WORKDIR" => self.work_dir(rest)?,
            _ => return Err(Error::Instruction { instruction: word.to_owned() }),
        }
        Ok(())
    }

    fn shell(&self) -> Vec<String> {
        match self.config.shell.as_slice() {
            [] => vec!["/bin/sh".into(), "-c".into()],
            shell => shell.to_vec(),
        }
    }

    /// The exec form, a JSON list, or the shell form.
    fn command(&self, rest: &str) -> Vec<String> {
        json_list(rest).unwrap_or_else(|| {
            let mut command = self.shell();
            command.extend((!rest.is_empty()).then(|| rest.to_owned()));
            command
        })
    }

    fn env(&mut self, rest: &str) -> Result<(), Error> {
        let before = self.config.env.clone();
        for (name, value) in self.pairs("ENV", rest, &before)? {
            let prefix = format!("{name}=");
            let entry = format!("{prefix}{value}");
            match self.config.env.iter_mut().find(|entry| entry.starts_with(&prefix)) {
                Some(known) => *known = entry,
                None => self.config.env.push(entry),
            }
        }
        Ok(())
    }

    fn label(&mut self, rest: &str) -> Result<(), Error> {
        let env = self.config.env.clone();
        let pairs = self.pairs("LABEL", rest, &env)?;
        self.config.labels.extend(pairs);
        Ok(())
    }

    /// `name=value ...`, or `name value` with the value up to the end of the line.
    fn pairs(
        &self,
        instruction: &'static str,
        rest: &str,
        env: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let words = words::split(rest);
        let raw: Vec<(&str, &str)> = match words.first() {
            None => return Err(Error::Arguments { instruction, wanted: "at least one argument" }),
            Some(first) if !first.contains('=') => {
                let two = rest.split_once(char::is_whitespace);
                vec![two.map(|(n, v)| (n, v.trim())).ok_or(Error::TwoArguments { instruction })?]
            }
            Some(_) => words
                .iter()
                .map(|word| word.split_once('=').ok_or_else(|| Error::NoEquals { word: word.clone() }))
                .collect::<Result<_, _>>()?,
        };
        let mut pairs = Vec::new();
        for (name, value) in raw {
            let name = words::expand(name, env)?;
            if name.is_empty() {
                return Err(Error::BlankName { instruction });
            }
            pairs.push((name, words::expand(value, env)?));
        }
        Ok(pairs)
    }

    fn expose(&mut self, rest: &str) -> Result<(), Error> {
        let words = self.words("EXPOSE", rest)?;
        for word in words.iter().flat_map(|word| word.split_whitespace()) {
            for port in ports(word)? {
                self.config.exposed_ports.insert(port, json!({}));
            }
        }
        Ok(())
    }

    fn volume(&mut self, rest: &str) -> Result<(), Error> {
        let paths = match json_list(rest) {
            Some(list) => {
                list.iter().map(|path| words::expand(path, &self.config.env)).collect::<Result<_, _>>()?
            }
            None => self.words("VOLUME", rest)?,
        };
        if paths.is_empty() {
            return Err(Error::Arguments { instruction: "VOLUME", wanted: "at least one argument" });
        }
        self.config.volumes.extend(paths.into_iter().map(|path| (path.trim().to_owned(), json!({}))));
        Ok(())
    }

    fn on_build(&mut self, rest: &str) -> Result<(), Error> {
        let word = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "" => Err(Error::Arguments { instruction: "ONBUILD", wanted: "at least one argument" }),
            "ONBUILD" | "FROM" | "MAINTAINER" => Err(Error::Trigger { instruction: word }),
            _ => {
                self.config.on_build.push(rest.to_owned());
                Ok(())
            }
        }
    }

    fn stop_signal(&mut self, rest: &str) -> Result<(), Error> {
        let signal = self.one("STOPSIGNAL", rest)?;
        if signal.parse::<Signal>().is_err() {
            return Err(Error::Signal { signal });
        }
        self.config.stop_signal = signal;
        Ok(())
    }

    /// A relative path goes on from the last one.
    fn work_dir(&mut self, rest: &str) -> Result<(), Error> {
        let path = self.one("WORKDIR", rest)?;
        let base = if path.starts_with('/') { "" } else { self.config.working_dir.as_str() };
        let joined = format!("{base}/{path}");
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        self.config.working_dir = format!("/{}", parts.join("/"));
        Ok(())
    }

    fn words(&self, instruction: &'static str, rest: &str) -> Result<Vec<String>, Error> {
        let words = words::split(rest);
        if words.is_empty() {
            return Err(Error::Arguments { instruction, wanted: "at least one argument" });
        }
        words.iter().map(|word| words::expand(word, &self.config.env)).collect()
    }

    /// The one argument: the whole rest of the line.
    fn one(&self, instruction: &'static str, rest: &str) -> Result<String, Error> {
        if rest.is_empty() {
            return Err(Error::Arguments { instruction, wanted: "exactly one argument" });
        }
        words::expand(rest, &self.config.env)
    }
}

/// A JSON list of strings and nothing else.
fn json_list(text: &str) -> Option<Vec<String>> {
    let Value::Array(list) = serde_json::from_str(text).ok()? else { return None };
    list.into_iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// `80`, `80-82/udp`; what stands before a last colon is of the host and means nothing in an image.
fn ports(word: &str) -> Result<Vec<String>, Error> {
    let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::Protocol { protocol });
    }
    let range = range.rsplit(':').next().unwrap_or(range);
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last => {
            Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
        }
        _ => Err(Error::Port { port: range.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(changes: &[&str]) -> Result<Value, String> {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let config = apply(RunConfig::default(), &changes).map_err(|e| e.to_string())?;
        Ok(serde_json::to_value(config).unwrap())
    }

    /// What Docker 28 makes of these.
    #[test]
    fn as_docker_does() {
        for (changes, want) in [
            (&["ENV A=1 B=\"x y\"", "ENV C $A-${B}"][..], json!({"Env": ["A=1", "B=x y", "C=1-x y"]})),
            (&["ENV A=1", "ENV A=2"], json!({"Env": ["A=2"]})),
            (&["ENV A=1\nENV B=2"], json!({"Env": ["A=1", "B=2"]})),
            (&["ENV A=1 \\\n B=2"], json!({"Env": ["A=1", "B=2"]})),
            (&["ENV a=$(x"], json!({"Env": ["a=$(x"]})),
            (&["CMD echo hi"], json!({"Cmd": ["/bin/sh", "-c", "echo hi"]})),
            (&["CMD"], json!({"Cmd": ["/bin/sh", "-c"]})),
            (&["cmd [\"a\", b]"], json!({"Cmd": ["/bin/sh", "-c", "[\"a\", b]"]})),
            (&["CMD [\"a\"]", "ENTRYPOINT [\"/a\",\"b\"]"], json!({"Cmd": ["a"], "Entrypoint": ["/a", "b"]})),
            (&["WORKDIR foo", "WORKDIR bar"], json!({"WorkingDir": "/foo/bar"})),
            (&["USER 1:2"], json!({"User": "1:2"})),
            (
                &["EXPOSE 80 53/udp 1-2"],
                json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "1/tcp": {}, "2/tcp": {}}}),
            ),
            (&["VOLUME /v /w", "VOLUME [\"/x\"]"], json!({"Volumes": {"/v": {}, "/w": {}, "/x": {}}})),
            (&["LABEL a=b c=\"d e\" f='g $h'"], json!({"Labels": {"a": "b", "c": "d e", "f": "g $h"}})),
            (&["ONBUILD RUN x"], json!({"OnBuild": ["RUN x"]})),
            (&["STOPSIGNAL 9"], json!({"StopSignal": "9"})),
            (
                &["HEALTHCHECK --interval=5s --retries=2 CMD true"],
                json!({"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_i64, "Retries": 2}}),
            ),
            (&["HEALTHCHECK NONE"], json!({"Healthcheck": {"Test": ["NONE"]}})),
        ] {
            assert_eq!(change(changes), Ok(want), "{changes:?}");
        }
    }

    #[test]
    fn errors_are_dockers() {
        for (text, want) in [
            ("RUN x", "RUN is not a valid change command"),
            ("maintainer x", "maintainer is not a valid change command"),
            ("ENV A", "ENV must have two arguments"),
            ("LABEL x", "LABEL must have two arguments"),
            ("EXPOSE 99999999", "Invalid containerPort: 99999999"),
            ("WORKDIR", "WORKDIR requires exactly one argument"),
            ("USER", "USER requires exactly one argument"),
            ("VOLUME", "VOLUME requires at least one argument"),
            ("STOPSIGNAL FOO", "invalid signal: FOO"),
            ("", "file with no instructions"),
            ("# c", "file with no instructions"),
        ] {
            assert_eq!(change(&[text]), Err(want.to_owned()), "{text}");
        }
    }
}
