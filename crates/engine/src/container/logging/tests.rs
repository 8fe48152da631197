//! Options against what Docker says to them.

use super::*;
use crate::container::{Config, Container, HostConfig};
use crate::paths::ContainerPaths;
use sampan_spec::{ContainerId, Timestamp};
use std::path::Path;

fn config(text: &str) -> LogConfig {
    let (driver, options) = text.split_once(' ').unwrap_or((text, ""));
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    LogConfig { driver: driver.into(), options: options.split_whitespace().filter_map(pair).collect() }
}

fn container(log: LogConfig) -> Container {
    let labels = [("a", "1"), ("b.c", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let host = HostConfig { log, ..HostConfig::default() };
    let env = vec!["X=1".into(), "YY=2".into(), "ALONE".into()];
    Container {
        id: ContainerId::from_bytes([0xab; 32]),
        name: "name".into(),
        created: Timestamp::UNIX_EPOCH,
        image: format!("sha256:{}", "cd".repeat(32)).parse().unwrap(),
        config: Config {
            image: "bb".into(),
            cmd: Some(vec!["sh".into(), "-c".into()]),
            labels,
            env,
            host,
            ..Config::default()
        },
        mounts: Vec::new(),
        revision: 0,
    }
}

fn planned(text: &str) -> std::result::Result<String, String> {
    let container = container(config(text));
    let folder = Path::new("/x").to_owned();
    let paths = ContainerPaths {
        id: container.id.clone(),
        home: folder.clone(),
        records: folder.clone(),
        bundle: folder,
    };
    let log = plan(&container, &paths).map_err(|error| {
        error
            .to_string()
            .replace("failed to create task for container: failed to initialize logging driver: ", "")
    })?;
    Ok(log.map_or("none".into(), |log| {
        let size = log.max_size.map_or("-".into(), |size| size.to_string());
        let attributes: Vec<_> = log.attributes.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        format!("{:?} {size} {} {}{}", log.format, log.max_files, log.compress, attributes.concat())
    }))
}

#[test]
fn what_does_not_exist_is_refused() {
    for (text, want) in [
        ("json-file", None),
        ("json-file max-size=abc", None),
        ("json-file mode=non-blocking max-buffer-size=1m", None),
        ("local mode=", None),
        ("none x=y mode=z", None),
        ("foo", Some("error looking up logging plugin foo: plugin \"foo\" not found")),
        ("json-file x=y", Some("unknown log opt 'x' for json-file log driver")),
        ("local tag=x", Some("unknown log opt 'tag' for log driver local")),
        ("json-file mode=foo", Some("logger: logging mode not supported: foo")),
        (
            "json-file max-buffer-size=1m",
            Some("logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
        ),
        (
            "json-file mode=non-blocking max-buffer-size=abc",
            Some("error parsing option max-buffer-size: invalid size: 'abc'"),
        ),
    ] {
        let got = check_logging(&config(text)).map_err(|error| error.to_string());
        assert_eq!(got.err().as_deref(), want, "{text}");
    }
}

#[test]
fn values() {
    for (text, want) in [
        ("none max-size=x", Ok("none")),
        ("json-file", Ok("JsonFile - 1 false")),
        ("json-file max-file=3", Ok("JsonFile - 3 false")),
        ("json-file max-size=1.5k max-file=2 compress=T", Ok("JsonFile 1500 2 true")),
        ("local", Ok("Local 20000000 5 true")),
        ("local max-size=0 max-file=0 compress=0", Ok("Local 1 1 false")),
        ("json-file max-size=abc", Err("invalid size: 'abc'")),
        ("json-file max-size=-1", Err("invalid size: '-1'")),
        ("json-file max-size=0", Err("max-size must be a positive number")),
        ("json-file max-file=0", Err("max-file cannot be less than 1")),
        ("json-file max-file=abc", Err("strconv.Atoi: parsing \"abc\": invalid syntax")),
        (
            "json-file max-size=10k compress=true",
            Err("compress cannot be true when max-file is less than 2 or max-size is not set"),
        ),
        (
            "json-file max-size=10k max-file=2 compress=foo",
            Err("strconv.ParseBool: parsing \"foo\": invalid syntax"),
        ),
        ("local max-size=-5", Err("invalid value for max-size: -5: invalid size: '-5'")),
        ("local max-file=1", Err("compression cannot be enabled when max file count is 1")),
        (
            "local compress=xx",
            Err("error reading compress log option: strconv.ParseBool: parsing \"xx\": invalid syntax"),
        ),
    ] {
        assert_eq!(planned(text).as_deref().map_err(String::as_str), want, "{text}");
    }
}

#[test]
fn attributes_are_labels_variables_and_a_tag() {
    for (text, want) in [
        ("labels=a,nope env=X", Ok(" X=1 a=1")),
        ("labels-regex=^b env-regex=Y", Ok(" YY=2 b.c=2")),
        ("tag={{.Name}}/{{.ID}}", Ok(" tag=name/abababababab")),
        ("tag={{.ImageName}}/{{.ImageID}}/{{.DaemonName}}", Ok(" tag=bb/sha256:cdcdc/docker")),
        ("tag={{.Command}}", Ok(" tag=sh -c")),
        ("tag=", Ok("")),
        (
            "tag={{.Foo}}",
            Err(
                "template: log-tag:1:2: executing \"log-tag\" at <.Foo>: can't evaluate field Foo in type *logger.Info",
            ),
        ),
        ("labels-regex=(", Err("error parsing regexp: ")),
    ] {
        match (planned(&format!("json-file {text}")), want) {
            (Ok(got), Ok(want)) => assert_eq!(got, format!("JsonFile - 1 false{want}"), "{text}"),
            (Err(got), Err(want)) => assert!(got.starts_with(want), "{text}: {got}"),
            (got, want) => panic!("{text}: {got:?}, not {want:?}"),
        }
    }
}

#[test]
fn the_engines_own_options_are_those_of_its_driver() {
    let default = config("local max-size=1m max-file=3");
    for (own, want) in [
        ("", "local max-size=1m max-file=3"),
        (" max-file=2", "local max-size=1m max-file=2"),
        ("local", "local max-size=1m max-file=3"),
        ("json-file", "json-file"),
    ] {
        let mut log = config(own);
        complete(&mut log, &default);
        assert_eq!(log, config(want), "{own:?}");
    }
}
