//! What `login` keeps and `logout` forgets, in Docker's file or with the program that it names.
//!
//! The file is replaced as a whole, and only if it could be understood: what others have written into it stays.

use super::{DOCKERS, TOKEN_USER, find, path, read};
use crate::error::Error;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sampan_api::body::RegistryAuth;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Keeps what a user showed a server. Gives the file, if a password is now in it that was not.
///
/// # Errors
/// When the file or the program fails.
pub(crate) fn keep(auth: &RegistryAuth) -> Result<Option<PathBuf>, Error> {
    let (file, server) = (read(), &auth.serveraddress);
    match file.helper(server) {
        "" if find(&file, server, |_, _| None) == *auth => Ok(None),
        "" => {
            let path = edit(|auths| _ = auths.insert(server.clone(), entry(auth)))?;
            Ok(Some(path).filter(|_| !auth.password.is_empty()))
        }
        helper => {
            tell(helper, "store", &secret(auth).to_string())?;
            edit(|auths| _ = auths.insert(server.clone(), json!({}))).map(|_| None)
        }
    }
}

/// Forgets what is kept for a server, under all names that it may have.
///
/// # Errors
/// When the file or the program fails.
pub(crate) fn forget(server: &str) -> Result<(), Error> {
    let file = read();
    let helper = file.helper(server);
    if !helper.is_empty() {
        tell(helper, "erase", server)?;
    }
    let mut names = vec![server.to_owned()];
    if server != DOCKERS {
        names.extend(["http://", "https://"].map(|scheme| format!("{scheme}{server}")));
    }
    if names.iter().any(|name| file.auths.contains_key(name)) {
        edit(|auths| auths.retain(|name, _| !names.contains(name)))?;
    }
    Ok(())
}

/// As Docker's file has it.
fn entry(auth: &RegistryAuth) -> Value {
    let both = BASE64_STANDARD.encode(format!("{}:{}", auth.username, auth.password));
    match auth.identitytoken.as_str() {
        "" => json!({"auth": both}),
        token => json!({"auth": both, "identitytoken": token}),
    }
}

/// As the programs want it (docker/docker-credential-helpers, protocol `store`).
fn secret(auth: &RegistryAuth) -> Value {
    let (user, secret) = match auth.identitytoken.as_str() {
        "" => (auth.username.as_str(), &auth.password),
        _ => (TOKEN_USER, &auth.identitytoken),
    };
    json!({"ServerURL": auth.serveraddress, "Username": user, "Secret": secret})
}

/// Runs `docker-credential-<helper> <verb>` with this input.
fn tell(helper: &str, verb: &str, input: &str) -> Result<(), Error> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: &str| Error::Invalid(format!("error from {program} {verb}: {why}"));
    let mut command = Command::new(&program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why by its exit code.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(&format!(
            "{}, out: {}",
            output.status,
            String::from_utf8_lossy(&output.stdout).trim()
        ))),
    }
}

/// Changes the file's `auths`.
fn edit(change: impl FnOnce(&mut Map<String, Value>)) -> Result<PathBuf, Error> {
    let path =
        path().ok_or(Error::Refused("error saving credentials: neither HOME nor DOCKER_CONFIG is set"))?;
    let failed = |source| Error::Open { path: path.display().to_string(), source };
    // It may be a link to where its owner keeps such files.
    let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let bytes = match fs::read(&real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
        other => other.map_err(failed)?,
    };
    let broken = |what: &str| Error::Invalid(format!("error saving credentials: {}: {what}", path.display()));
    let mut document: Value = serde_json::from_slice(&bytes).map_err(|error| broken(&error.to_string()))?;
    let members = document.as_object_mut().ok_or_else(|| broken("it is no object"))?;
    let auths = members.entry("auths").or_insert_with(|| json!({}));
    change(auths.as_object_mut().ok_or_else(|| broken("auths is no object"))?);
    replace(&real, &indented(&document)?).map_err(failed)?;
    Ok(path)
}

fn indented(document: &Value) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, format))?;
    Ok(bytes)
}

/// Puts a file in another's place that only its owner may read. What is there stays if this fails.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let new = path.with_extension(format!("json.{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let result = written.and_then(|file| fill(file, bytes)).and_then(|()| fs::rename(&new, path));
    if result.is_err() {
        // It is the first error that counts.
        let _ = fs::remove_file(&new);
    }
    result
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}
