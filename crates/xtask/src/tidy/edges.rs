//! Which crate may use which: the table of ARCHITECTURE.md as data, checked against the manifests.

use serde_json::Value;

/// What a crate may use.
struct Row {
    /// The package, without `sampan-`.
    name: &'static str,
    /// The crates of this repository that it may use. `*` is all of them.
    uses: &'static [&'static str],
    /// Whether it may be asynchronous.
    asynchronous: bool,
}

const fn row(name: &'static str, uses: &'static [&'static str], asynchronous: bool) -> Row {
    Row { name, uses, asynchronous }
}

const TABLE: &[Row] = &[
    row("spec", &[], false),
    row("sys", &["spec"], false),
    row("logs", &["spec", "sys"], false),
    row("runtime", &["spec", "sys"], false),
    row("monitor", &["spec", "sys", "logs", "runtime"], false),
    row("image", &["spec"], false),
    row("archive", &["image"], false),
    row("store", &["spec", "sys", "image"], false),
    row("network", &["spec", "sys"], false),
    row("registry", &["spec", "image"], true),
    row("hello", &[], false),
    row(
        "engine",
        &["spec", "sys", "logs", "image", "archive", "store", "network", "registry", "hello"],
        true,
    ),
    row("api", &["spec"], true),
    row("server", &["spec", "sys", "api", "engine"], true),
    row("cli", &["spec", "sys", "archive", "api"], true),
    row("sampan", &["sys", "cli", "server", "monitor", "runtime"], true),
    row("testkit", &["*"], true),
    row("xtask", &["*"], true),
];

/// What makes a crate asynchronous.
const ASYNCHRONOUS: &[&str] = &["tokio", "futures", "futures-util", "hyper-util"];
/// What speaks HTTP, and who may.
const HTTP: &[&str] = &["http", "http-body-util", "hyper", "hyper-util", "axum"];
const HTTP_SPEAKERS: &[&str] = &["api", "registry", "server"];
/// What parses a command line, and who may not.
const COMMAND_LINE: &[&str] = &["clap"];
const NO_COMMAND_LINE: &[&str] = &["engine"];

/// A line for each dependency that the table does not allow. Takes the output of `cargo metadata --no-deps`.
pub(crate) fn broken(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().flat_map(check).collect()
}

fn check(package: &Value) -> Vec<String> {
    let name = short(text(&package["name"]));
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        return vec![format!("{name}: is not in the table of crates (crates/xtask/src/tidy/edges.rs)")];
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let complaint = |d: &Value| {
        let why = refusal(row, text(&d["name"]), !d["path"].is_null(), d["kind"] == "dev")?;
        Some(format!("{name}: may not use {}: {why}", text(&d["name"])))
    };
    dependencies.iter().filter_map(complaint).collect()
}

/// Why a crate may not have this dependency. Tests may use the test kit, and what the product may not.
fn refusal(row: &Row, dependency: &str, ours: bool, in_tests: bool) -> Option<&'static str> {
    let allowed = row.uses.contains(&"*") || row.uses.contains(&short(dependency));
    if ours && !allowed && !(in_tests && short(dependency) == "testkit") {
        return Some("the arrows of ARCHITECTURE.md do not go there");
    }
    if in_tests || row.uses.contains(&"*") {
        return None;
    }
    if ASYNCHRONOUS.contains(&dependency) && !row.asynchronous {
        return Some("it blocks");
    }
    if HTTP.contains(&dependency) && !HTTP_SPEAKERS.contains(&row.name) {
        return Some("HTTP is for server, registry and api");
    }
    let parses = COMMAND_LINE.contains(&dependency) && NO_COMMAND_LINE.contains(&row.name);
    parses.then_some("the engine knows no command line")
}

fn short(name: &str) -> &str {
    name.strip_prefix("sampan-").unwrap_or(name)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaints(name: &str, dependency: &str, path: Option<&str>, kind: Option<&str>) -> usize {
        let dependencies = json!([{ "name": dependency, "path": path, "kind": kind }]);
        broken(&json!({ "packages": [{ "name": name, "dependencies": dependencies }] })).len()
    }

    #[test]
    fn arrows_only_go_down() {
        let ours = Some("/repository/crates/x");
        for (name, dependency, path, kind, want) in [
            ("sampan-engine", "sampan-store", ours, None, 0),
            ("sampan-store", "sampan-engine", ours, None, 1),
            ("sampan-engine", "sampan-monitor", ours, None, 1),
            ("sampan-store", "sampan-testkit", ours, Some("dev"), 0),
            ("sampan-store", "sampan-testkit", ours, None, 1),
            ("sampan-store", "tokio", None, None, 1),
            ("sampan-engine", "tokio", None, None, 0),
            ("sampan-engine", "clap", None, None, 1),
            ("sampan-engine", "hyper", None, None, 1),
            ("sampan-api", "hyper", None, None, 0),
            ("sampan-stranger", "serde", None, None, 1),
        ] {
            assert_eq!(complaints(name, dependency, path, kind), want, "{name} -> {dependency}");
        }
    }
}
