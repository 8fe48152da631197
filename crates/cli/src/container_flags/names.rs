//! How the container finds others, and is found by them.

use crate::error::Error;
use crate::options::hosts::{extra_host, link, server};
use crate::options::networks::{Attachment, attachment};
use sampan_api::body::{AddressWish, Endpoint, HostConfig, NetworkingConfig};
use std::collections::BTreeMap;

/// Networks, and names in them.
#[derive(clap::Args, Debug)]
pub(super) struct Names {
    /// Add a custom host-to-IP mapping (host:ip)
    #[arg(long, value_name = "list", value_parser = extra_host)]
    add_host: Vec<String>,
    /// Set custom DNS servers
    #[arg(long, value_name = "list", value_parser = server)]
    dns: Vec<String>,
    /// Set DNS options
    #[arg(long, alias = "dns-opt", value_name = "list")]
    dns_option: Vec<String>,
    /// Set custom DNS search domains
    #[arg(long, value_name = "list")]
    dns_search: Vec<String>,
    /// IPv4 address (e.g., 172.30.100.104)
    #[arg(long, value_name = "string")]
    ip: Option<String>,
    /// IPv6 address (e.g., 2001:db8::33)
    #[arg(long, value_name = "string")]
    ip6: Option<String>,
    /// Add link to another container
    #[arg(long, value_name = "list", value_parser = link)]
    link: Vec<String>,
    /// Container IPv4/IPv6 link-local addresses
    #[arg(long, value_name = "list")]
    link_local_ip: Vec<String>,
    /// Container MAC address (e.g., 92:d0:c6:0a:29:33)
    #[arg(long, value_name = "string")]
    mac_address: Option<String>,
    /// Connect a container to a network
    #[arg(long, alias = "net", value_name = "network", value_parser = attachment)]
    network: Vec<Attachment>,
    /// Add network-scoped alias for the container
    #[arg(long, alias = "net-alias", value_name = "list")]
    network_alias: Vec<String>,
}

impl Names {
    pub(super) fn fill(&self, host: &mut HostConfig) -> Result<Option<NetworkingConfig>, Error> {
        host.extra_hosts = some(&self.add_host);
        host.dns = Some(self.dns.clone());
        host.dns_options = Some(self.dns_option.clone());
        host.dns_search = Some(self.dns_search.clone());
        let default = Attachment { network: "default".into(), ..Attachment::default() };
        let (first, others) = match self.network.split_first() {
            Some((first, others)) => (first, others),
            None => (&default, &[][..]),
        };
        host.network_mode.clone_from(&first.network);
        host.links = some(&self.link).filter(|_| !is_made_by_users(&first.network));
        let endpoints = self.endpoints(&self.with_flags(first)?, others)?;
        Ok((!endpoints.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(endpoints) }))
    }

    /// What flags of their own say is meant for the first network.
    fn with_flags(&self, first: &Attachment) -> Result<Attachment, Error> {
        let mut first = first.clone();
        let twice = [
            (
                !first.aliases.is_empty() && !self.network_alias.is_empty(),
                "--network-alias and per-network alias",
            ),
            (!first.ipv4.is_empty() && self.ip.is_some(), "--ip and per-network IPv4 address"),
            (!first.ipv6.is_empty() && self.ip6.is_some(), "--ip6 and per-network IPv6 address"),
            (
                !first.mac.is_empty() && self.mac_address.is_some(),
                "--mac-address and per-network MAC address",
            ),
            (
                !first.link_local.is_empty() && !self.link_local_ip.is_empty(),
                "--link-local-ip and per-network link-local IP addresses",
            ),
        ];
        if let Some((_, what)) = twice.iter().find(|(is_so, _)| *is_so) {
            return Err(Error::Invalid(format!("conflicting options: cannot specify both {what}")));
        }
        let or = |own: &mut String, flag: &Option<String>| {
            if let Some(text) = flag {
                text.clone_into(own);
            }
        };
        or(&mut first.ipv4, &self.ip);
        or(&mut first.ipv6, &self.ip6);
        or(&mut first.mac, &self.mac_address);
        first.aliases.extend(self.network_alias.iter().cloned());
        if is_made_by_users(&first.network) {
            first.links.clone_from(&self.link);
        }
        first.link_local.extend(self.link_local_ip.iter().cloned());
        Ok(first)
    }

    /// A network alone of which nothing is wished stands in the mode already.
    fn endpoints(
        &self,
        first: &Attachment,
        others: &[Attachment],
    ) -> Result<BTreeMap<String, Endpoint>, Error> {
        let all = || [first].into_iter().chain(others);
        let mut endpoints = BTreeMap::new();
        for attachment in all() {
            let endpoint = endpoint(attachment)?;
            if others.is_empty() && endpoint == Endpoint::default() {
                continue;
            }
            if endpoints.insert(attachment.network.clone(), endpoint).is_some() {
                let text = format!("network {:?} is specified multiple times", attachment.network);
                return Err(Error::Invalid(text));
            }
        }
        let made_by_users = all().filter(|attachment| is_made_by_users(&attachment.network)).count();
        if made_by_users != 0 && made_by_users != all().count() {
            return Err(Error::Refused(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
            ));
        }
        Ok(endpoints)
    }
}

fn endpoint(attachment: &Attachment) -> Result<Endpoint, Error> {
    if attachment.network.trim().is_empty() {
        return Err(Error::Refused("no name set for network"));
    }
    if !is_made_by_users(&attachment.network) && !attachment.aliases.is_empty() {
        return Err(Error::Refused("network-scoped aliases are only supported for user-defined networks"));
    }
    if !attachment.mac.is_empty() && !is_hardware_address(&attachment.mac) {
        return Err(Error::Invalid(format!("{} is not a valid mac address", attachment.mac)));
    }
    let wish = AddressWish {
        ipv4_address: attachment.ipv4.clone(),
        ipv6_address: attachment.ipv6.clone(),
        link_local_ips: some(&attachment.link_local),
    };
    let options = &attachment.driver_options;
    Ok(Endpoint {
        links: some(&attachment.links),
        ipam_config: (wish != AddressWish::default()).then_some(wish),
        aliases: some(&attachment.aliases),
        mac_address: attachment.mac.clone(),
        driver_opts: (!options.is_empty()).then(|| options.clone()),
        gw_priority: attachment.gateway_priority,
        ..Endpoint::default()
    })
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn is_made_by_users(network: &str) -> bool {
    !matches!(network, "default" | "bridge" | "host" | "none") && !network.starts_with("container:")
}

/// As far as the engine need not be asked.
fn is_hardware_address(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 12 && text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'-' | b'.'))
}
