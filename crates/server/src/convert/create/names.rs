//! By which names a container finds others.

use super::Error;
use sampan_api::body::HostConfig;
use sampan_engine::container::{Dns, ExtraHost, Link, ParseExtraHostError, ParseLinkError};
use std::net::IpAddr;

pub(super) fn dns(host: &HostConfig) -> Result<Dns, Error> {
    let server = |text: &String| {
        let wrong = |_| format!("bad nameserver address {text}: ParseAddr({text:?}): unable to parse IP");
        text.parse::<IpAddr>().map_err(|e| Error::Invalid(wrong(e)))
    };
    Ok(Dns {
        servers: host.dns.iter().flatten().map(server).collect::<Result<_, _>>()?,
        search: words(host.dns_search.as_deref()),
        options: words(host.dns_options.as_deref()),
    })
}

/// Each becomes a part of a line.
fn words(list: Option<&[String]>) -> Vec<String> {
    let list = list.unwrap_or_default().iter();
    list.flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

pub(super) fn extra_hosts(host: &HostConfig) -> Result<Vec<ExtraHost>, Error> {
    let wrong = |e: ParseExtraHostError| Error::Invalid(e.to_string());
    host.extra_hosts.iter().flatten().map(|text| text.parse().map_err(wrong)).collect()
}

pub(super) fn links(host: &HostConfig) -> Result<Vec<Link>, Error> {
    let wrong = |e: ParseLinkError| Error::Invalid(e.to_string());
    host.links.iter().flatten().map(|text| text.parse().map_err(wrong)).collect()
}
