//! What the flags become.

use super::*;
use crate::flags::{Split, split};
use clap::{Args, Command, FromArgMatches};
use sampan_api::body::{Healthcheck, RestartPolicy};

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
    let bad = |text| format!("invalid range format for --expose: {text}, error: strconv.ParseUint: parsing ");
    assert_eq!(parse("--expose x i").unwrap_err(), bad("x") + "\"x\": invalid syntax");
    assert_eq!(parse("--expose 1-70000 i").unwrap_err(), bad("1-70000") + "\"70000\": value out of range");
    assert_eq!(parse("--expose 1:2 i").unwrap_err(), "invalid port format for --expose: 1:2");
}

#[test]
fn health() {
    let check = |line: &str| parse(line).map(|request| request.config.healthcheck);
    assert_eq!(check("x"), Ok(None));
    assert_eq!(check("--health-interval 0s --health-cmd= x"), Ok(None));
    let test = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let want = Healthcheck {
        test: test(&["CMD-SHELL", "a"]),
        interval: Some(1_500_000_000),
        retries: Some(2),
        ..Healthcheck::default()
    };
    assert_eq!(check("--health-cmd a --health-interval 1.5s --health-retries 2 x"), Ok(Some(want)));
    let none = Healthcheck { test: test(&["NONE"]), ..Healthcheck::default() };
    assert_eq!(check("--no-healthcheck x"), Ok(Some(none)));
    for (line, text) in [
        ("--health-interval -1s x", "--health-interval cannot be negative"),
        ("--health-retries -1 x", "--health-retries cannot be negative"),
        ("--no-healthcheck --health-retries -1 x", "--no-healthcheck conflicts with --health-* options"),
    ] {
        assert_eq!(check(line), Err(text.to_owned()));
    }
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
        let want = want.map(|(name, count)| RestartPolicy { name: name.into(), maximum_retry_count: count });
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
