//! Which address a container gets: a pure function of the subnet and of the addresses in use.

use crate::{Error, Ipv4Net};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The networks that Docker takes its own from by default, as (pool, prefix length of the pieces). The first network is
/// kept for Docker's own bridge and comes last.
const POOLS: [(Ipv4Net, u8); 7] = [
    (pool([172, 18, 0, 0], 16), 16),
    (pool([172, 19, 0, 0], 16), 16),
    (pool([172, 20, 0, 0], 14), 16),
    (pool([172, 24, 0, 0], 14), 16),
    (pool([172, 28, 0, 0], 14), 16),
    (pool([192, 168, 0, 0], 16), 20),
    (pool([172, 17, 0, 0], 16), 16),
];

const fn pool([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    match Ipv4Net::new(Ipv4Addr::new(a, b, c, d), prefix) {
        Some(net) => net,
        None => panic!("a prefix above 32"),
    }
}

/// The addresses of one subnet.
#[derive(Clone, Debug)]
pub struct Ipam {
    gateway: Ipv4Net,
    used: BTreeSet<Ipv4Addr>,
}

impl Ipam {
    /// The subnet that `gateway` is in. Network, broadcast and gateway address are never given away.
    pub const fn new(gateway: Ipv4Net) -> Self {
        Self { gateway, used: BTreeSet::new() }
    }

    /// The gateway's address with the subnet's prefix length.
    pub const fn gateway(&self) -> Ipv4Net {
        self.gateway
    }

    /// Takes the lowest free address, as Docker does.
    pub fn allocate(&mut self) -> Result<Ipv4Net, Error> {
        let first = self.gateway.network().address().to_bits();
        let last = self.gateway.broadcast().to_bits();
        let free = (first.saturating_add(1)..last).map(Ipv4Addr::from_bits).find(|a| self.is_free(*a));
        let address = free.ok_or(Error::SubnetFull { subnet: self.gateway.network() })?;
        self.used.insert(address);
        Ok(self.gateway.with_address(address))
    }

    /// Takes this very address: of a container that is found again, or one that the user asked for.
    pub fn claim(&mut self, address: Ipv4Addr) -> Result<Ipv4Net, Error> {
        let net = self.gateway.with_address(address);
        if !self.gateway.contains(address) || address == net.network().address() || address == net.broadcast()
        {
            return Err(Error::AddressOutside { address, subnet: self.gateway.network() });
        }
        if !self.is_free(address) {
            return Err(Error::AddressInUse);
        }
        self.used.insert(address);
        Ok(net)
    }

    /// Gives an address back. One that was never taken changes nothing.
    pub fn release(&mut self, address: Ipv4Addr) {
        self.used.remove(&address);
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        address != self.gateway.address() && !self.used.contains(&address)
    }
}

/// The first gateway address of Docker's default pools whose network overlaps none of `taken`.
pub(crate) fn first_free(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    let pieces = POOLS.into_iter().flat_map(|(pool, prefix)| {
        let first = pool.network().address().to_bits();
        let count = 1u32 << (prefix - pool.prefix());
        (0..count)
            .filter_map(move |i| Ipv4Net::new(Ipv4Addr::from_bits(first + (i << (32 - prefix)) + 1), prefix))
    });
    pieces.into_iter().find(|piece| !taken.iter().any(|t| t.overlaps(*piece)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(s: &str) -> Ipv4Net {
        s.parse().unwrap()
    }

    #[test]
    fn gives_the_lowest_free_address() {
        let mut ipam = Ipam::new(net("172.18.0.1/16"));
        assert_eq!(ipam.allocate().unwrap(), net("172.18.0.2/16"));
        assert_eq!(ipam.allocate().unwrap(), net("172.18.0.3/16"));
        ipam.release(Ipv4Addr::new(172, 18, 0, 2));
        assert_eq!(ipam.allocate().unwrap(), net("172.18.0.2/16"));
        assert_eq!(ipam.allocate().unwrap(), net("172.18.0.4/16"));
    }

    #[test]
    fn a_full_subnet_says_so() {
        let mut ipam = Ipam::new(net("10.0.0.1/30"));
        assert_eq!(ipam.allocate().unwrap(), net("10.0.0.2/30"));
        assert!(matches!(ipam.allocate(), Err(Error::SubnetFull { .. })));
        assert!(matches!(Ipam::new(net("10.0.0.1/32")).allocate(), Err(Error::SubnetFull { .. })));
    }

    #[test]
    fn claims_only_what_is_free_and_inside() {
        let mut ipam = Ipam::new(net("10.0.0.1/24"));
        assert_eq!(ipam.claim(Ipv4Addr::new(10, 0, 0, 9)).unwrap(), net("10.0.0.9/24"));
        for (address, inside) in [
            ([10, 0, 0, 9], true),
            ([10, 0, 0, 1], true),
            ([10, 0, 0, 0], false),
            ([10, 0, 0, 255], false),
            ([10, 0, 1, 2], false),
        ] {
            let refused = ipam.claim(Ipv4Addr::from(address)).unwrap_err();
            assert_eq!(matches!(refused, Error::AddressInUse), inside, "{address:?}");
        }
    }

    #[test]
    fn the_first_free_network() {
        for (taken, want) in [
            (vec![], Some("172.18.0.1/16")),
            (vec!["172.18.5.0/24"], Some("172.19.0.1/16")),
            (vec!["172.18.0.0/15"], Some("172.20.0.1/16")),
            (vec!["172.16.0.0/12"], Some("192.168.0.1/20")),
            (vec!["172.16.0.0/12", "192.168.0.0/19"], Some("192.168.32.1/20")),
            (vec!["0.0.0.0/0"], None),
        ] {
            let taken: Vec<_> = taken.into_iter().map(net).collect();
            assert_eq!(first_free(&taken), want.map(net), "{taken:?}");
        }
    }
}
