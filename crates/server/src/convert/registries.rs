//! What the daemon was told about registries, as Docker shows it.

use sampan_engine::image::{Insecure, RegistryConfig};
use serde_json::{Map, Value, json};

/// Where Docker's own registry has its accounts: its name among credentials.
pub(crate) const INDEX: &str = "https://index.docker.io/v1/";
/// Registries at these addresses never need to prove who they are.
const LOOPBACK: [&str; 2] = ["::1/128", "127.0.0.0/8"];

/// The registry that a login is for: `https://host/v2/`, `host`, or nothing for Docker's own.
pub(crate) fn domain(server: &str) -> String {
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    match bare.split('/').next().unwrap_or_default() {
        "" | "docker.io" | "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

/// `RegistryConfig` of `GET /info`.
pub(crate) fn config(config: &RegistryConfig) -> Value {
    let mirrors: Vec<String> = config.mirrors.iter().map(ToString::to_string).collect();
    let mut networks: Vec<String> = Vec::new();
    let mut indexes = Map::new();
    indexes.insert("docker.io".into(), index("docker.io", true, &mirrors));
    for insecure in &config.insecure {
        match insecure {
            Insecure::Host(name) => _ = indexes.insert(name.clone(), index(name, false, &[])),
            Insecure::Network { .. } => networks.push(insecure.to_string()),
        }
    }
    networks.extend(LOOPBACK.map(str::to_owned));
    let mirrors = (!mirrors.is_empty()).then_some(mirrors);
    json!({"IndexConfigs": indexes, "InsecureRegistryCIDRs": networks, "Mirrors": mirrors})
}

fn index(name: &str, official: bool, mirrors: &[String]) -> Value {
    json!({"Name": name, "Mirrors": mirrors, "Official": official, "Secure": official})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_named_in_many_ways() {
        for (server, want) in [
            ("", "docker.io"),
            (INDEX, "docker.io"),
            ("lab:5000", "lab:5000"),
            ("http://lab:5000/v2/", "lab:5000"),
            ("https://quay.example", "quay.example"),
        ] {
            assert_eq!(domain(server), want, "{server}");
        }
    }

    #[test]
    fn registries_are_shown_as_docker_shows_them() {
        let told = RegistryConfig {
            insecure: ["10.0.0.0/8", "lab:5000"].map(|text| text.parse().unwrap()).into(),
            mirrors: vec!["https://mirror.example".parse().unwrap()],
        };
        let want = json!({
            "IndexConfigs": {
                "docker.io": {"Name": "docker.io", "Mirrors": ["https://mirror.example/"], "Official": true, "Secure": true},
                "lab:5000": {"Name": "lab:5000", "Mirrors": [], "Official": false, "Secure": false},
            },
            "InsecureRegistryCIDRs": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"],
            "Mirrors": ["https://mirror.example/"],
        });
        assert_eq!(config(&told), want);
        assert_eq!(config(&RegistryConfig::default())["Mirrors"], Value::Null);
    }
}
