//! Credentials for registries, from Docker's file (`~/.docker/config.json`) and the programs that it names
//! (`docker-credential-*`). What is written is in [`store`].

mod store;

pub(crate) use store::{forget, keep};

use crate::print;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use sampan_api::body::RegistryAuth;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The file, as far as it is of use here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a program answers (docker/docker-credential-helpers, protocol `get`).
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Stored {
    username: String,
    secret: String,
}

/// The name of Docker's own registry in the file.
const DOCKERS: &str = "https://index.docker.io/v1/";
/// A user of this name has a token instead of a password.
const TOKEN_USER: &str = "<token>";

/// The header `X-Registry-Auth` for the registry `domain`. Where nothing is known it says so.
pub(crate) fn header(domain: &str) -> String {
    let server = if domain == "docker.io" { DOCKERS } else { domain };
    let auth = known(server);
    BASE64_URL_SAFE.encode(serde_json::to_string(&auth).unwrap_or_default())
}

/// What is known of the user at a server.
pub(crate) fn known(server: &str) -> RegistryAuth {
    find(&read(), server, ask)
}

/// The name in the file of what a user typed: Docker's own where he typed nothing, else the host.
pub(crate) fn server(typed: Option<&str>) -> &str {
    match typed.unwrap_or_default() {
        "" | "docker.io" | DOCKERS => DOCKERS,
        typed => host(typed),
    }
}

/// The file, or an empty one. One that cannot be read is not the end of the world.
fn read() -> ConfigFile {
    let Some(path) = path() else { return ConfigFile::default() };
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return ConfigFile::default(),
        other => other,
    };
    let parsed = bytes.map_err(|error| error.to_string());
    let parsed = parsed.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    parsed.unwrap_or_else(|error| {
        print::error(&format!("WARNING: Error loading config file: {}: {error}", path.display()));
        ConfigFile::default()
    })
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let in_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    Some(folder.or_else(in_home)?.join("config.json"))
}

/// Asks the program that is named for this registry, or for all; else looks into the file.
fn find(file: &ConfigFile, server: &str, ask: impl Fn(&str, &str) -> Option<Stored>) -> RegistryAuth {
    let helper = file.helper(server);
    let serveraddress = server.to_owned();
    if !helper.is_empty() {
        let stored = ask(helper, server).unwrap_or_default();
        return match stored.username.as_str() {
            "" => RegistryAuth::default(),
            TOKEN_USER => {
                RegistryAuth { identitytoken: stored.secret, serveraddress, ..RegistryAuth::default() }
            }
            _ => RegistryAuth {
                username: stored.username,
                password: stored.secret,
                serveraddress,
                ..RegistryAuth::default()
            },
        };
    }
    let by_host = || file.auths.iter().find(|(key, _)| host(key) == host(server)).map(|(_, auth)| auth);
    let Some(auth) = file.auths.get(server).or_else(by_host) else { return RegistryAuth::default() };
    let (username, password) = auth.decoded();
    RegistryAuth {
        username,
        password,
        serveraddress,
        identitytoken: auth.identitytoken.clone(),
        registrytoken: auth.registrytoken.clone(),
        ..RegistryAuth::default()
    }
}

impl ConfigFile {
    /// The program that keeps what is for a server; empty: the file does.
    fn helper(&self, server: &str) -> &str {
        self.cred_helpers.get(server).unwrap_or(&self.creds_store)
    }
}

impl Auth {
    /// User and password, which stand together in `auth`.
    fn decoded(&self) -> (String, String) {
        let bytes = BASE64_STANDARD.decode(&self.auth).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        match text.split_once(':') {
            Some((username, password)) => (username.to_owned(), password.trim_end_matches('\0').to_owned()),
            None => (self.username.clone(), self.password.clone()),
        }
    }
}

/// `https://host/v1/` is `host`.
fn host(key: &str) -> &str {
    let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
    bare.split('/').next().unwrap_or_default()
}

/// Runs `docker-credential-<helper> get`. One that is missing or does not know gives nothing.
fn ask(helper: &str, server: &str) -> Option<Stored> {
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // One that does not read it answers for another reason.
    let _ = child.stdin.take()?.write_all(server.as_bytes());
    let output = child.wait_with_output().ok()?;
    if !output.status.success() {
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(file: &str, server: &str, want: &str) {
        let file: ConfigFile = serde_json::from_str(file).unwrap();
        let stored = |helper: &str, server: &str| {
            let username = if helper == "tokens" { TOKEN_USER.to_owned() } else { helper.to_owned() };
            (helper != "none").then(|| Stored { username, secret: format!("secret of {server}") })
        };
        let auth = find(&file, server, stored);
        let got = format!("{} {} {}", auth.username, auth.password, auth.identitytoken);
        assert_eq!(got.trim(), want, "{server}");
    }

    #[test]
    fn credentials_are_found() {
        let both = BASE64_STANDARD.encode("u:p:q");
        let file = format!(
            r#"{{"auths":{{"a.example":{{"auth":"{both}"}},"https://b.example/v1/":{{"auth":"{both}"}},"c:1":{{"auth":"","identitytoken":"t"}},
                "{DOCKERS}":{{"username":"d","password":"e"}}}},"credHelpers":{{"h.example":"help","t.example":"tokens"}}}}"#
        );
        check(&file, "a.example", "u p:q");
        check(&file, "b.example", "u p:q");
        check(&file, "c:1", "t");
        check(&file, "c", "");
        check(&file, DOCKERS, "d e");
        check(&file, "h.example", "help secret of h.example");
        check(&file, "t.example", "secret of t.example");
        check(r#"{"credsStore":"all","auths":{"a":{"auth":"eDp5"}}}"#, "a", "all secret of a");
        check(r#"{"credsStore":"none"}"#, "a", "");
        check("{}", "a", "");
    }

    proptest! {
        #[test]
        fn any_password_comes_through(username in "[a-z]{1,8}", password in "[ -~é]{1,20}") {
            let auth = BASE64_STANDARD.encode(format!("{username}:{password}"));
            let auth = Auth { auth, ..Auth::default() };
            prop_assert_eq!(auth.decoded(), (username, password));
        }
    }
}
