//! Networks as they are shown, and the filters that choose among them.

use super::list::Pattern;
use crate::error::Error;
use sampan_api::Filters;
use sampan_api::body::{Ipam, IpamConfig, Network as Shown, NetworkMember};
use sampan_engine::container::Snapshot;
use sampan_engine::network::Network;
use std::collections::BTreeMap;

/// The filters of a list.
pub(crate) const FILTERS: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];
/// How far a network reaches.
pub(crate) const SCOPE: &str = "local";

/// A network as Docker shows it, with those who are in it.
pub(crate) fn network(network: &Network, members: &[Snapshot]) -> Shown {
    Shown {
        name: network.which.name().into(),
        id: network.id.clone(),
        created: network.created.to_string(),
        scope: SCOPE.into(),
        driver: network.which.driver().into(),
        enable_ipv4: true,
        ipam: ipam(network),
        containers: members.iter().map(member).collect(),
        options: network.bridge.iter().flat_map(|(link, _)| bridge_options(link)).collect(),
        ..Shown::default()
    }
}

fn ipam(network: &Network) -> Ipam {
    let config = network.bridge.iter().map(|(_, gateway)| IpamConfig {
        subnet: gateway.network().to_string(),
        gateway: gateway.address().to_string(),
    });
    let config = network.bridge.is_some().then(|| config.collect());
    Ipam { driver: "default".into(), options: None, config }
}

/// Docker's names for what is so of the default bridge.
fn bridge_options(link: &str) -> BTreeMap<String, String> {
    let options = [
        ("bridge.default_bridge", "true"),
        ("bridge.enable_icc", "true"),
        ("bridge.enable_ip_masquerade", "true"),
        ("bridge.host_binding_ipv4", "0.0.0.0"),
        ("bridge.name", link),
        ("driver.mtu", "1500"),
    ];
    options.map(|(name, value)| (format!("com.docker.network.{name}"), value.to_owned())).into()
}

fn member(snapshot: &Snapshot) -> (String, NetworkMember) {
    let place = snapshot.state.endpoint.as_ref();
    let member = NetworkMember {
        name: snapshot.container.name.clone(),
        endpoint_id: snapshot.endpoint_id(),
        mac_address: place.map(|place| place.mac().to_string()).unwrap_or_default(),
        ipv4_address: place.map(|place| place.address.to_string()).unwrap_or_default(),
        ipv6_address: String::new(),
    };
    (snapshot.container.id.to_string(), member)
}

/// Chooses from all networks.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn choose(all: Vec<Network>, filters: &Filters) -> Result<Vec<Network>, Error> {
    check(filters)?;
    let any = |name: &str, fits: &dyn Fn(&String) -> bool| {
        let values = filters.get(name);
        values.is_empty() || values.iter().any(fits)
    };
    let fits = |network: &Network| {
        let which = network.which;
        any("name", &|name| Pattern::new(name).fits(which.name()))
            && any("id", &|id| Pattern::new(id).fits(&network.id))
            && any("driver", &|driver| driver == which.driver())
            && any("scope", &|scope| scope == SCOPE)
            && any("type", &|kind| kind == "builtin")
            // What is always there is never left over.
            && any("dangling", &|dangling| matches!(dangling.as_str(), "false" | "0"))
            && filters.labels_fit("label", &BTreeMap::new())
    };
    Ok(all.into_iter().filter(fits).collect())
}

fn check(filters: &Filters) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::Invalid(text));
    match filters.get("dangling") {
        [] => {}
        [value] if matches!(value.as_str(), "true" | "1" | "false" | "0") => {}
        [_] => {
            return invalid(
                "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")"
                    .into(),
            );
        }
        _ => return invalid("got more than one value for filter key \"dangling\"".into()),
    }
    match filters.get("type").iter().find(|kind| !matches!(kind.as_str(), "builtin" | "custom")) {
        Some(kind) => invalid(format!("invalid filter: 'type'='{kind}'")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use sampan_engine::container::{Ipv4Net, Phase};
    use sampan_engine::network::Which;
    use sampan_spec::Timestamp;

    fn all() -> Vec<Network> {
        let gateway: Ipv4Net = "10.0.0.1/24".parse().unwrap();
        let bridge = |which| (which == Which::Bridge).then(|| ("sampan0".to_owned(), gateway));
        let of = |(which, digit): (Which, &str)| Network {
            id: digit.repeat(64),
            which,
            created: Timestamp::new(1_000_000, 500).unwrap(),
            bridge: bridge(which),
        };
        [(Which::Bridge, "a"), (Which::Host, "b"), (Which::None, "c")].map(of).into()
    }

    #[test]
    fn filters_choose() {
        let chosen = |filters: &str| {
            let chosen = choose(all(), &Filters::parse(filters).unwrap()).map_err(|e| e.to_string())?;
            Ok::<_, String>(chosen.iter().map(|n| n.which.name()).collect::<Vec<_>>().join(" "))
        };
        for (filters, want) in [
            ("", "bridge host none"),
            (r#"{"name":["o"]}"#, "host none"),
            (r#"{"name":["^h"]}"#, "host"),
            (r#"{"id":["bbb"]}"#, "host"),
            (r#"{"driver":["x","null"]}"#, "none"),
            (r#"{"scope":["local"]}"#, "bridge host none"),
            (r#"{"scope":["swarm"]}"#, ""),
            (r#"{"type":["builtin","custom"]}"#, "bridge host none"),
            (r#"{"type":["custom"]}"#, ""),
            (r#"{"dangling":["true"]}"#, ""),
            (r#"{"dangling":["0"]}"#, "bridge host none"),
            (r#"{"label":["x"]}"#, ""),
        ] {
            assert_eq!(chosen(filters).unwrap(), want, "{filters}");
        }
        for (filters, want) in [
            (r#"{"type":["zz"]}"#, "invalid filter: 'type'='zz'"),
            (
                r#"{"dangling":["zz"]}"#,
                "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")",
            ),
            (r#"{"dangling":["true","false"]}"#, "got more than one value for filter key \"dangling\""),
        ] {
            assert_eq!(chosen(filters).unwrap_err(), want);
        }
    }

    #[test]
    fn a_network_is_shown_in_dockers_words() {
        let shown = network(&all()[0], &[sample::container("c", Phase::Running { pid: 7 })]);
        assert_eq!(shown.created, "1970-01-12T13:46:40.0000005Z");
        let subnet = shown.ipam.config.unwrap();
        assert_eq!((subnet[0].subnet.as_str(), subnet[0].gateway.as_str()), ("10.0.0.0/24", "10.0.0.1"));
        assert_eq!(shown.options["com.docker.network.bridge.name"], "sampan0");
        let member = shown.containers.values().next().unwrap();
        assert_eq!((member.name.as_str(), member.ipv4_address.as_str()), ("c", "10.0.0.2/24"));
        assert_eq!(member.mac_address, "02:42:0a:00:00:02");
        assert_eq!(network(&all()[1], &[]).ipam.config, None);
    }
}
