//! IPv4 addresses with a prefix length, and hardware addresses.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 address and the length of its network's prefix, as in `172.18.0.1/16` (RFC 4632).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ipv4Net {
    address: Ipv4Addr,
    prefix: u8,
}

/// A string is not an IPv4 address with a prefix length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct ParseNetError(pub String);

impl Ipv4Net {
    /// An address in a network of this prefix length; `None` above 32.
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        if prefix <= 32 { Some(Self { address, prefix }) } else { None }
    }

    /// The address, with its host part.
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// The prefix length, 0 to 32.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// The network this address is in: the host part set to zero.
    pub fn network(self) -> Self {
        Self { address: Ipv4Addr::from_bits(self.address.to_bits() & self.mask()), prefix: self.prefix }
    }

    /// The network's last address.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// Another address in the same network.
    pub const fn with_address(self, address: Ipv4Addr) -> Self {
        Self { address, prefix: self.prefix }
    }

    /// Whether `address` is in this network.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.address.to_bits() & self.mask()
    }

    /// Whether the two networks share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let mask = self.mask() & other.mask();
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }
}

impl FromStr for Ipv4Net {
    type Err = ParseNetError;

    fn from_str(s: &str) -> Result<Self, ParseNetError> {
        let bad = || ParseNetError(s.to_owned());
        let (address, prefix) = s.split_once('/').ok_or_else(bad)?;
        if prefix.len() > 2 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let address = address.parse().map_err(|_| bad())?;
        Self::new(address, prefix.parse().map_err(|_| bad())?).ok_or_else(bad)
    }
}

impl TryFrom<String> for Ipv4Net {
    type Error = ParseNetError;
    fn try_from(s: String) -> Result<Self, ParseNetError> {
        s.parse()
    }
}

impl From<Ipv4Net> for String {
    fn from(net: Ipv4Net) -> Self {
        net.to_string()
    }
}

impl fmt::Display for Ipv4Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A hardware (MAC) address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

/// A string is no hardware address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid MAC address {0}")]
pub struct ParseMacError(pub String);

impl Mac {
    /// The locally administered address that belongs to an IPv4 address. Whoever gets an address after another
    /// container has the same hardware address too, so no neighbour keeps a wrong entry.
    pub const fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl FromStr for Mac {
    type Err = ParseMacError;

    /// Two digits each between `:` or `-`, or four each between `.`.
    fn from_str(s: &str) -> Result<Self, ParseMacError> {
        let bad = || ParseMacError(s.to_owned());
        let (separator, width) = match s.as_bytes().get(2) {
            Some(b':') => (':', 2),
            Some(b'-') => ('-', 2),
            _ => ('.', 4),
        };
        let is_group = |part: &str| part.len() == width && part.bytes().all(|b| b.is_ascii_hexdigit());
        if !s.split(separator).all(is_group) {
            return Err(bad());
        }
        let digits: String = s.split(separator).collect();
        let byte = |i: usize| digits.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(bad)
    }
}

impl TryFrom<String> for Mac {
    type Error = ParseMacError;
    fn try_from(s: String) -> Result<Self, ParseMacError> {
        s.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(s: &str) -> Ipv4Net {
        s.parse().unwrap()
    }

    #[test]
    fn networks_and_their_edges() {
        for (text, network, broadcast) in [
            ("172.18.0.1/16", "172.18.0.0/16", "172.18.255.255"),
            ("10.1.2.3/8", "10.0.0.0/8", "10.255.255.255"),
            ("192.168.1.7/32", "192.168.1.7/32", "192.168.1.7"),
            ("1.2.3.4/0", "0.0.0.0/0", "255.255.255.255"),
        ] {
            assert_eq!(net(text).network(), net(network), "{text}");
            assert_eq!(net(text).broadcast().to_string(), broadcast, "{text}");
        }
    }

    #[test]
    fn overlap_is_mutual() {
        for (a, b, want) in [
            ("172.18.0.1/16", "172.18.3.0/24", true),
            ("172.18.0.0/16", "172.19.0.0/16", false),
            ("0.0.0.0/0", "10.0.0.1/32", true),
        ] {
            assert_eq!(net(a).overlaps(net(b)), want, "{a} {b}");
            assert_eq!(net(b).overlaps(net(a)), want, "{b} {a}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_network() {
        for bad in ["", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3/8", "1.2.3.4/+8", "1.2.3.4/8/8", "::1/64"]
        {
            assert!(bad.parse::<Ipv4Net>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_parses(bits: u32, prefix in 0u8..=32) {
            let net = Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap();
            prop_assert_eq!(net.to_string().parse(), Ok(net));
            prop_assert!(net.contains(net.broadcast()) && net.contains(net.network().address()));
        }

        #[test]
        fn never_panics(s in ".*") {
            let _ = s.parse::<Ipv4Net>();
        }
    }

    #[test]
    fn hardware_addresses_are_read_in_three_forms() {
        for good in ["02:42:ac:12:00:0F", "02-42-AC-12-00-0f", "0242.ac12.000f"] {
            assert_eq!(good.parse::<Mac>().unwrap().to_string(), "02:42:ac:12:00:0f");
        }
        for bad in
            ["", "zz", "02:42:ac:12:00", "02:42:ac:12:00:0f:01", "02:42:ac-12:00:0f", "+2:42:ac:12:00:0f"]
        {
            assert_eq!(bad.parse::<Mac>().unwrap_err().to_string(), format!("invalid MAC address {bad}"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_hardware_address_or_refused(s in "[0-9a-f:.-]{0,18}|.{0,6}") {
            if let Ok(mac) = s.parse::<Mac>() {
                prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            }
        }
    }

    #[test]
    fn hardware_addresses_follow_the_address() {
        assert_eq!(Mac::of(Ipv4Addr::new(172, 18, 0, 2)).to_string(), "02:42:ac:12:00:02");
    }
}
