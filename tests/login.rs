//! `login` and `logout`, with both command lines, against registries that believe passwords and such that want tokens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::registry::{Image, LayerBlob, Login, Registry};
use sampan_testkit::{Cli, Daemon, Output, programs, root_file_system};
use script::BOTH;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// `me:pw`.
const BASIC: &str = "Basic bWU6cHc=";

/// A daemon, and a registry in its network that believes the user `me` with the password `pw`.
fn pair(with_tokens: bool) -> (Daemon, Registry) {
    let daemon = Daemon::start(programs!());
    let registry = daemon.network().inside(Registry::start);
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", registry.host());
    let login = match with_tokens {
        false => {
            Login { challenge: "Basic realm=\"test\"".into(), wanted: BASIC.into(), at_token: String::new() }
        }
        true => Login { challenge: realm, wanted: "Bearer t0ken".into(), at_token: BASIC.into() },
    };
    registry.misbehave(|faults| faults.login = Some(login));
    (daemon, registry)
}

fn config(daemon: &Daemon) -> Value {
    serde_json::from_slice(&fs::read(daemon.scratch().join("config.json")).unwrap()).unwrap()
}

fn login(daemon: &Daemon, cli: Cli, host: &str, password: &str) -> Output {
    daemon.run_with(cli, &["login", "-u", "me", "--password-stdin", host], password.as_bytes())
}

#[test]
fn a_password_is_kept_used_and_forgotten() {
    let (daemon, registry) = pair(false);
    let image = Image::new(vec![LayerBlob::gzip(&root_file_system())], &["true"]);
    registry.put_image("a", "1", &image);
    let (host, name) = (registry.host(), format!("{}/a:1", registry.host()));
    let path = daemon.scratch().join("config.json");
    for cli in BOTH {
        fs::write(&path, r#"{"psFormat":"kept","auths":{"other:1":{"auth":"eDp5"}}}"#).unwrap();
        let refused = login(&daemon, cli, &host, "no\n");
        let why = format!(
            "Error response from daemon: login attempt to http://{host}/v2/ failed with status: 401 Unauthorized\n"
        );
        assert_eq!((refused.code, refused.stderr), (1, why), "{cli:?}");
        assert_eq!(config(&daemon)["auths"], json!({"other:1": {"auth": "eDp5"}}));
        let done = login(&daemon, cli, &host, "pw\n");
        assert_eq!(done.ok(), "Login Succeeded");
        let warning =
            format!("\nWARNING! Your credentials are stored unencrypted in '{}'.\n", path.display());
        assert!(done.stderr.starts_with(&warning), "{cli:?}: {done:?}");
        let both = json!({"other:1": {"auth": "eDp5"}, &host: {"auth": "bWU6cHc="}});
        assert_eq!(config(&daemon), json!({"psFormat": "kept", "auths": both}), "{cli:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        daemon.run(cli, &["pull", &name]).ok();
        daemon.run(cli, &["rmi", &name]).ok();
        let again = daemon.run(cli, &["login", &format!("http://{host}/v2/")]);
        assert_eq!(again.ok(), "Login Succeeded");
        assert!(
            again.stderr.starts_with("Authenticating with existing credentials... [Username: me]"),
            "{again:?}"
        );
        let removing = format!("Removing login credentials for {host}");
        assert_eq!(daemon.run(cli, &["logout", &host]).ok(), removing);
        assert_eq!(config(&daemon)["auths"], json!({"other:1": {"auth": "eDp5"}}), "{cli:?}");
        assert_eq!(daemon.run(cli, &["logout", &host]).ok(), removing);
        assert_eq!(daemon.run(cli, &["pull", &name]).code, 1);
    }
    let files = fs::read_dir(daemon.scratch()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(!files.into_iter().any(|name| name.to_string_lossy().starts_with("config.json.")));
    daemon.nothing_is_left();
}

#[test]
fn a_token_stands_for_the_password() {
    let (daemon, registry) = pair(true);
    let host = registry.host();
    for cli in BOTH {
        let refused = login(&daemon, cli, &host, "no");
        let why = format!(
            "Error response from daemon: Get \"http://{host}/v2/\": unauthorized: incorrect username or password\n"
        );
        assert_eq!((refused.code, refused.stderr), (1, why), "{cli:?}");
        let done = login(&daemon, cli, &host, "pw");
        assert_eq!((done.ok().as_str(), done.stderr.as_str()), ("Login Succeeded", ""), "{cli:?}");
        assert_eq!(
            config(&daemon)["auths"][&host],
            json!({"auth": "bWU6", "identitytoken": "id3ntity"}),
            "{cli:?}"
        );
        daemon.run(cli, &["logout", &host]).ok();
    }
    let asked = registry.requests();
    assert!(asked.iter().any(|request| request.path.contains("/token?") && !request.path.contains("scope")));
    let body = json!({"username": "me", "password": "no", "serveraddress": host});
    assert_eq!(daemon.ask("POST", "/v1.51/auth", Some(&body)).status, 401);
    daemon.nothing_is_left();
}

#[test]
fn a_program_keeps_what_it_is_told() {
    let (daemon, registry) = pair(false);
    let (host, folder) = (registry.host(), daemon.scratch());
    let program = folder.join("docker-credential-box");
    let box_ = folder.join("box").display().to_string();
    let script = format!(
        "#!/bin/sh\ncase $1 in store) cat >{box_};; erase) rm {box_};; get) cat {box_} 2>/dev/null || {{ echo 'credentials not \
         found in native keychain'; exit 1; }};; list) echo '{{}}';; esac\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    for cli in BOTH {
        fs::write(folder.join("config.json"), json!({"credHelpers": {&host: "box"}}).to_string()).unwrap();
        let run = |words: &[&str], input: &[u8]| {
            let mut command = daemon.client(cli, words);
            command.env("PATH", &path);
            Output::of(command, input)
        };
        let done = run(&["login", "-u", "me", "--password-stdin", &host], b"pw");
        assert_eq!((done.ok().as_str(), done.stderr.as_str()), ("Login Succeeded", ""), "{cli:?}");
        let kept: Value = serde_json::from_slice(&fs::read(&box_).unwrap()).unwrap();
        assert_eq!(kept, json!({"ServerURL": host, "Username": "me", "Secret": "pw"}), "{cli:?}");
        assert_eq!(config(&daemon)["auths"], json!({&host: {}}), "{cli:?}");
        run(&["login", &host], b"").ok();
        run(&["logout", &host], b"").ok();
        assert!(!fs::exists(&box_).unwrap(), "{cli:?}");
    }
    daemon.nothing_is_left();
}

#[test]
fn what_cannot_be_is_refused_alike() {
    let (daemon, registry) = pair(false);
    let host = registry.host();
    for words in [
        &["login", "--password-stdin", &host][..],
        &["login", "-u", "me", "-p", "pw", "--password-stdin", &host],
        &["login", "-u", "me", "-p", "", &host],
        &["login", "-p", "pw", &host],
        &["login", "-u", "me", &host],
        &["login", &host],
        &["login", "-u", "me", "--password-stdin", &host],
        &["login", "-u", "me", "-p", "pw", "127.0.0.1:1"],
    ] {
        let [ours, dockers] = BOTH.map(|cli| daemon.run(cli, words));
        assert_eq!(
            (ours.code, &ours.stderr, &ours.stdout),
            (dockers.code, &dockers.stderr, &dockers.stdout),
            "{words:?}"
        );
        assert_eq!(ours.code, 1, "{words:?}");
    }
    fs::write(daemon.scratch().join("config.json"), "{broken").unwrap();
    assert_eq!(login(&daemon, Cli::Sampan, &host, "pw").code, 1);
    assert_eq!(fs::read(daemon.scratch().join("config.json")).unwrap(), b"{broken", "what was there stays");
    daemon.nothing_is_left();
}
