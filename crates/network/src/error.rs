//! What can go wrong here. Texts that users of Docker know are equal to Docker's.

use crate::{Ipv4Net, PortMapping};
use sampan_spec::ErrorKind;
use sampan_sys::netlink;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

/// A failed operation of the network layer, with its operands.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address of the subnet is left.
    #[error("no available IPv4 addresses on this network's address pools: {subnet}")]
    SubnetFull {
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// The address is not one of the subnet's.
    #[error("no configured subnet or ip-range contain the IP address {address}")]
    AddressOutside {
        /// What was asked for.
        address: Ipv4Addr,
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// Another container, or the gateway, has the address.
    #[error("Address already in use")]
    AddressInUse,
    /// The host has a use for the subnet already.
    #[error("the subnet {subnet} of --bip overlaps {taken}, to which the host has a way through {link}")]
    SubnetTaken {
        /// What was asked for.
        subnet: Ipv4Net,
        /// The network that the host knows.
        taken: Ipv4Net,
        /// The link's name.
        link: String,
    },
    /// Every default network overlaps one that the host already has.
    #[error("all predefined address pools have been fully subnetted")]
    NoFreeSubnet,

    /// Another container has the host port.
    #[error("Bind for {address}:{port} failed: port is already allocated")]
    PortAllocated {
        /// The host address at which that has it.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// All ports of the range are taken.
    #[error("all ports are allocated")]
    NoFreePort {
        /// The range.
        ports: RangeInclusive<u16>,
    },
    /// So many sockets cannot be held.
    #[error(
        "{sockets} addresses and ports are more than the {room} that the limit of open files allows: raise LimitNOFILE of the daemon, or publish fewer"
    )]
    TooManyPorts {
        /// How many ports, each counted once for each address.
        sockets: usize,
        /// How many are possible.
        room: usize,
    },
    /// The host port cannot be had: a program listens there, or the address is not the host's.
    #[error("failed to bind host port for {mapping}: {}", go_words(.source))]
    BindHostPort {
        /// The mapping that was asked for.
        mapping: PortMapping,
        /// Why.
        source: io::Error,
    },

    /// A link exists under the bridge's name and is no bridge.
    #[error("{name} exists and is not a bridge")]
    NotABridge {
        /// The name.
        name: String,
    },
    /// The bridge is not there.
    #[error("bridge {name} does not exist")]
    NoBridge {
        /// The name.
        name: String,
    },
    /// The bridge could not be made or changed.
    #[error("cannot set up bridge {name}")]
    SetUpBridge {
        /// The name.
        name: String,
        /// Why.
        source: netlink::Error,
    },
    /// The bridge could not be removed.
    #[error("cannot remove bridge {name}")]
    RemoveBridge {
        /// The name.
        name: String,
        /// Why.
        source: netlink::Error,
    },
    /// The host's links, addresses or routes could not be listed.
    #[error("cannot list the host's {what}")]
    List {
        /// Of what.
        what: &'static str,
        /// Why.
        source: netlink::Error,
    },
    /// A kernel setting could not be read or written.
    #[error("cannot set /proc/sys/net/{path}")]
    Sysctl {
        /// The file below `/proc/sys/net`.
        path: String,
        /// Why.
        source: io::Error,
    },

    /// The pair of links could not be made.
    #[error("failed to add the host ({host}) <=> sandbox ({sandbox}) pair interfaces")]
    MakeLink {
        /// The host's end.
        host: String,
        /// The container's end.
        sandbox: String,
        /// Why.
        source: netlink::Error,
    },
    /// The container's end could not be configured.
    #[error("cannot configure {link} with {address} in the container")]
    ConfigureLink {
        /// The container's end.
        link: String,
        /// Its address.
        address: Ipv4Net,
        /// Why.
        source: netlink::Error,
    },
    /// A link could not be connected to the bridge again.
    #[error("cannot connect {link} to {bridge} again")]
    JoinLink {
        /// The link.
        link: String,
        /// The bridge.
        bridge: String,
        /// Why.
        source: netlink::Error,
    },
    /// A link could not be removed.
    #[error("cannot remove link {link}")]
    RemoveLink {
        /// The link.
        link: String,
        /// Why.
        source: netlink::Error,
    },

    /// The table or one of its chains could not be set up.
    #[error("cannot set up the firewall table {table}")]
    SetUpFirewall {
        /// The table.
        table: String,
        /// Why.
        source: netlink::Error,
    },
    /// The table could not be read.
    #[error("cannot read the firewall table {table}")]
    ReadFirewall {
        /// The table.
        table: String,
        /// Why.
        source: netlink::Error,
    },
    /// The ports could not be published.
    #[error("cannot publish ports in the firewall table {table}")]
    Publish {
        /// The table.
        table: String,
        /// Why.
        source: netlink::Error,
    },
    /// The ports could not be taken back.
    #[error("cannot remove published ports from the firewall table {table}")]
    Unpublish {
        /// The table.
        table: String,
        /// Why.
        source: netlink::Error,
    },
    /// The kernel could not be made to forget datagrams' flows through a port.
    #[error("cannot reset the flows through {ports} ports")]
    ForgetFlows {
        /// How many.
        ports: usize,
        /// Why.
        source: netlink::Error,
    },
    /// Changes of the firewall cannot be followed.
    #[error("cannot watch the firewall")]
    Watch {
        /// Why.
        source: netlink::Error,
    },
}

impl Error {
    /// Which kind of failure this is. Docker answers 500 for a port that is taken, so that is the kind here.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::AddressOutside { .. } => ErrorKind::InvalidParameter,
            Self::AddressInUse | Self::NoFreeSubnet | Self::SubnetTaken { .. } => ErrorKind::Forbidden,
            Self::NotABridge { .. } => ErrorKind::Conflict,
            Self::NoBridge { .. } => ErrorKind::NotFound,
            _ => ErrorKind::System,
        }
    }

    /// The whole text that Docker gives when an endpoint cannot be connected, with the container's name and the
    /// endpoint's id, of which this error is the end.
    pub fn on_endpoint(&self, name: &str, endpoint: &str) -> String {
        match self {
            Self::PortAllocated { .. }
            | Self::NoFreePort { .. }
            | Self::TooManyPorts { .. }
            | Self::BindHostPort { .. }
            | Self::Publish { .. } => {
                format!(
                    "failed to set up container networking: driver failed programming external connectivity on \
                     endpoint {name} ({endpoint}): {self}"
                )
            }
            _ => format!("failed to set up container networking: {self}"),
        }
    }
}

/// The words that Go has for a failed bind.
fn go_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
