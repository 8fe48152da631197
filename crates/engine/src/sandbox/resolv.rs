//! `resolv.conf`(5): the host's, as far as a container can make use of it, and what the user wants instead.

use crate::container::Dns;
use std::fmt;
use std::net::Ipv4Addr;

/// What a container asks when the host has no server that it can reach.
const PUBLIC_SERVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];
/// systemd-resolved's stub, which a container cannot reach.
const STUB: &str = "127.0.0.53";

/// The parts of the file.
#[derive(Debug, Default)]
pub(super) struct ResolvConf {
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
    /// Lines of any other kind.
    others: Vec<String>,
}

impl ResolvConf {
    /// Reads the host's file. `behind_stub` reads the one that has the servers which the stub asks.
    pub(super) fn of_host(host: &str, behind_stub: impl FnOnce() -> Option<String>) -> Self {
        let own = Self::parse(host);
        if own.servers != [STUB] {
            return own;
        }
        behind_stub().map_or(own, |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let keyword = words.next().unwrap_or_default();
            let values = words.map(str::to_owned);
            match keyword {
                "nameserver" => parsed.servers.extend(values.take(1)),
                // The last one holds.
                "search" | "domain" => parsed.search = values.collect(),
                "options" => parsed.options.extend(values),
                comment if comment.is_empty() || comment.starts_with(['#', ';']) => {}
                _ => parsed.others.push(line.to_owned()),
            }
        }
        parsed
    }

    /// Leaves the servers that a container with an IPv4 address of its own can reach.
    pub(super) fn within_reach(mut self) -> Self {
        let reachable = |server: &String| server.parse().is_ok_and(|ip: Ipv4Addr| !ip.is_loopback());
        self.servers.retain(reachable);
        if self.servers.is_empty() {
            self.servers = PUBLIC_SERVERS.map(str::to_owned).into();
        }
        self
    }

    /// What is said there instead of what is said here.
    pub(super) fn overridden(mut self, dns: &Dns) -> Self {
        if !dns.servers.is_empty() {
            self.servers = dns.servers.iter().map(ToString::to_string).collect();
        }
        if !dns.search.is_empty() {
            self.search = dns.search.iter().filter(|domain| *domain != ".").cloned().collect();
        }
        if !dns.options.is_empty() {
            self.options.clone_from(&dns.options);
        }
        self
    }
}

impl fmt::Display for ResolvConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.servers.iter().try_for_each(|server| writeln!(f, "nameserver {server}"))?;
        for (keyword, values) in [("search", &self.search), ("options", &self.options)] {
            if !values.is_empty() {
                writeln!(f, "{keyword} {}", values.join(" "))?;
            }
        }
        self.others.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn servers_out_of_reach_are_replaced() {
        let check = |host: &str, stub: Option<&str>, want: &str| {
            let file = ResolvConf::of_host(host, || stub.map(str::to_owned)).within_reach();
            assert_eq!(file.to_string(), want, "{host}");
        };
        let public = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
        check("nameserver 10.0.0.1\nsearch x\n", None, "nameserver 10.0.0.1\nsearch x\n");
        let stub = "# the stub\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n";
        check(stub, Some("nameserver 10.0.0.2\nsearch a.b\n"), "nameserver 10.0.0.2\nsearch a.b\n");
        check(stub, None, &format!("{public}search .\noptions edns0 trust-ad\n"));
        check("nameserver 127.0.0.53\nnameserver 10.0.0.3\n", Some("nope"), "nameserver 10.0.0.3\n");
        check("# nothing\n", None, public);
        check(
            "nameserver ::1\nnameserver fd00::1\nsortlist 10.0.0.0\n",
            None,
            &format!("{public}sortlist 10.0.0.0\n"),
        );
        check(
            "domain a\nsearch b c\noptions x\noptions y\n",
            None,
            &format!("{public}search b c\noptions x y\n"),
        );
    }

    #[test]
    fn what_the_user_says_holds() {
        let dns =
            Dns { servers: vec!["fd00::9".parse().unwrap()], search: vec![".".into()], options: vec![] };
        let host = ResolvConf::of_host("nameserver 127.0.0.1\nsearch x\noptions y\n", || None);
        assert_eq!(host.within_reach().overridden(&dns).to_string(), "nameserver fd00::9\noptions y\n");
    }

    proptest! {
        #[test]
        fn any_file_gives_one_with_servers(host in "((nameserver|search|options|#| )?[ 0-9a-f.:]{0,12}\n){0,5}") {
            let file = ResolvConf::of_host(&host, || None).within_reach().to_string();
            prop_assert!(file.starts_with("nameserver "), "{}", file);
        }
    }
}
