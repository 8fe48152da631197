//! A container's ports in one line: `0.0.0.0:80-81->80-81/tcp, 443/tcp`.

/// A port of a container, and where it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub private: u16,
    /// The host's address; empty: not published.
    pub address: String,
    pub public: u16,
    /// `tcp`.
    pub protocol: String,
}

/// Ports that follow each other and are published at the same address under the same numbers.
struct Group {
    address: String,
    protocol: String,
    first: u16,
    last: u16,
}

/// Writes ports as `docker ps` does: runs of ports first, then those that are published under other numbers.
pub(crate) fn display(mut ports: Vec<Port>) -> String {
    ports.sort();
    let mut done = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut shifted = Vec::new();
    for port in ports {
        if !port.address.is_empty() && port.public != port.private {
            let host = join(&port.address, &port.public.to_string());
            shifted.push(format!("{host}->{}/{}", port.private, port.protocol));
            continue;
        }
        let next =
            Group { first: port.private, last: port.private, address: port.address, protocol: port.protocol };
        match groups.iter_mut().find(|g| g.address == next.address && g.protocol == next.protocol) {
            None => groups.push(next),
            Some(group) if u32::from(next.first) == u32::from(group.last) + 1 => group.last = next.first,
            Some(group) => done.push(std::mem::replace(group, next).display()),
        }
    }
    done.extend(groups.iter().map(Group::display));
    done.extend(shifted);
    done.join(", ")
}

impl Group {
    fn display(&self) -> String {
        let ports = match (self.first, self.last) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        match self.address.as_str() {
            "" => format!("{ports}/{}", self.protocol),
            address => format!("{}->{ports}/{}", join(address, &ports), self.protocol),
        }
    }
}

/// `address:port`, with an IPv6 address in brackets.
pub(crate) fn join(address: &str, port: &str) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ports: &[(u16, &str, u16)], want: &str) {
        let port = |(private, address, public): &(u16, &str, u16)| Port {
            private: *private,
            address: (*address).to_owned(),
            public: *public,
            protocol: "tcp".to_owned(),
        };
        assert_eq!(display(ports.iter().map(port).collect()), want);
    }

    #[test]
    fn runs_and_mappings() {
        check(&[], "");
        check(&[(80, "", 0)], "80/tcp");
        check(&[(81, "", 0), (80, "", 0), (90, "", 0)], "80-81/tcp, 90/tcp");
        check(&[(80, "0.0.0.0", 8080)], "0.0.0.0:8080->80/tcp");
        check(&[(80, "0.0.0.0", 80), (81, "0.0.0.0", 81)], "0.0.0.0:80-81->80-81/tcp");
        check(&[(80, "::", 8080), (80, "0.0.0.0", 8080)], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
        check(&[(443, "", 0), (80, "0.0.0.0", 8080)], "443/tcp, 0.0.0.0:8080->80/tcp");
    }
}
