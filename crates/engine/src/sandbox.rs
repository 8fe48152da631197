//! A container's place in the network: reserved before its start, joined while its monitor mounts, given back first of all
//! when it ends.

mod names;
mod ports;
mod resolv;

pub(crate) use names::{move_hosts, names_files};
pub(crate) use ports::hand_over;

use crate::blocking::blocking;
use crate::container::{Container, Driver, Endpoint, NetworkMode};
use crate::engine::{Options, random};
use crate::{Error, Result};
use sampan_network::{
    Bridge, BridgeConfig, Firewall, Ipam, Ipv4Net, Mac, PortMapping, Ports, attach as join, endpoint,
    ensure_bridge, firewall, refuse_taken,
};
use sampan_spec::{ContainerId, NetworkId, with_sources};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The engine's bridge, and who has which address and port of it.
pub(crate) struct Network {
    /// As it was last seen: others may remove it, and it gets another index then.
    bridge: Mutex<Bridge>,
    firewall: Firewall,
    leases: Mutex<Leases>,
    /// Held while published ports change in the firewall and in [`Leases::connected`]: putting back must not bring back
    /// what was just taken out.
    publishing: Mutex<()>,
    /// Held while a file of hosts is made of other containers' addresses, or changed when one gets another.
    naming: Mutex<()>,
}

struct Leases {
    addresses: Ipam,
    ports: Ports,
    /// Who is on the bridge, and what is in the firewall for it: to put it back if someone takes it away.
    connected: HashMap<ContainerId, Vec<PortMapping>>,
}

impl Network {
    /// Makes the bridge and the firewall's table, or finds them.
    pub(crate) fn open(options: &Options) -> Result<Self> {
        let gateway = options.bip.as_deref().map(parse_bip).transpose()?;
        if let Some(gateway) = gateway {
            refuse_taken(&options.bridge, gateway)?;
        }
        let bridge = ensure_bridge(&BridgeConfig { name: options.bridge.clone(), gateway })?;
        let rules = firewall::Network {
            bridge: bridge.name.clone(),
            subnet: bridge.gateway.network(),
            icc: true,
            masquerade: true,
        };
        let firewall = Firewall { table: firewall::table_name(&bridge.name), networks: vec![rules] };
        for obstacle in firewall::ensure(&firewall)? {
            tracing::warn!("containers may not be reachable from other hosts: {obstacle}");
        }
        let leases =
            Leases { addresses: Ipam::new(bridge.gateway), ports: Ports::new(), connected: HashMap::new() };
        let bridge = Mutex::new(bridge);
        Ok(Self {
            bridge,
            firewall,
            leases: Mutex::new(leases),
            publishing: Mutex::default(),
            naming: Mutex::default(),
        })
    }

    fn bridge(&self) -> MutexGuard<'_, Bridge> {
        self.bridge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bridge's link, and its address with the subnet's prefix length.
    pub(crate) fn link(&self) -> (String, Ipv4Net) {
        let bridge = self.bridge();
        (bridge.name.clone(), bridge.gateway)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publishing(&self) -> MutexGuard<'_, ()> {
        self.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn naming(&self) -> MutexGuard<'_, ()> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, container: &Container) -> Result<(Endpoint, Vec<OwnedFd>)> {
        let id = NetworkId::from_bytes(random()?).to_string();
        let requests = ports::requests(container);
        let bridge = self.bridge().clone();
        let mut leases = self.leases();
        let address = leases.addresses.allocate()?;
        let reserved = leases.ports.reserve(&container.id, address.address(), &requests).map_err(|e| {
            leases.addresses.release(address.address());
            Error::Endpoint(e.on_endpoint(&container.name, &id))
        })?;
        let (gateway, mac) = (bridge.gateway.address(), container.config.host.mac);
        let place = Endpoint { id, bridge: bridge.name, address, gateway, mac, ports: reserved.mappings };
        Ok((place, reserved.sockets))
    }

    fn release(&self, container: &ContainerId, address: Ipv4Addr) {
        let mut leases = self.leases();
        leases.addresses.release(address);
        leases.ports.release(container);
    }

    fn attach(
        &self,
        container: &Container,
        place: &Endpoint,
        name_space: &OwnedFd,
        route: &OwnedFd,
    ) -> Result<()> {
        let bridge = self.bridge().clone();
        let endpoint = endpoint::Endpoint {
            container: &container.id,
            bridge: &bridge,
            netns: name_space.as_fd(),
            netlink: route.as_fd(),
            address: place.address,
            gateway: place.gateway,
            mac: place.mac(),
        };
        self.join(&endpoint)?;
        let _in_one_go = self.publishing();
        if !place.ports.is_empty() {
            let published = firewall::publish(&self.firewall, &container.id, &place.ports);
            published.map_err(|e| Error::Endpoint(e.on_endpoint(&container.name, &place.id)))?;
        }
        self.leases().connected.insert(container.id.clone(), place.ports.clone());
        Ok(())
    }

    /// Makes the container's link, and first the bridge if somebody has removed it.
    fn join(&self, endpoint: &endpoint::Endpoint<'_>) -> Result<()> {
        match join(endpoint) {
            Err(error @ sampan_network::Error::MakeLink { .. }) => {
                let bridge = self.mend_bridge()?;
                if bridge.index == endpoint.bridge.index {
                    return Err(error.into());
                }
                Ok(join(&endpoint::Endpoint { bridge: &bridge, ..endpoint.clone() })?)
            }
            done => Ok(done?),
        }
    }

    /// Brings back the bridge, with the address that it had, and the links of those who were on it.
    fn mend_bridge(&self) -> std::result::Result<Bridge, sampan_network::Error> {
        let mut bridge = self.bridge();
        let wanted = BridgeConfig { name: bridge.name.clone(), gateway: Some(bridge.gateway) };
        *bridge = ensure_bridge(&wanted)?;
        // It also remembers what concerns forwarding.
        let _the_start_told_of_obstacles = firewall::ensure(&self.firewall)?;
        let connected: Vec<ContainerId> = self.leases().connected.keys().cloned().collect();
        let mut result = Ok(());
        for id in &connected {
            result = result.and(endpoint::rejoin(id, &bridge));
        }
        result.map(|()| bridge.clone())
    }

    /// Takes ports out of the firewall. The link goes with its name space.
    fn detach(&self, container: &ContainerId, place: &Endpoint) -> Result<()> {
        let _in_one_go = self.publishing();
        self.leases().connected.remove(container);
        if place.ports.is_empty() {
            Ok(())
        } else {
            Ok(firewall::unpublish(&self.firewall, container, &place.ports)?)
        }
    }

    /// Puts back what others take out of the firewall, as long as the daemon lives.
    pub(crate) fn guard(self: &Arc<Self>) -> Result<()> {
        let failed = |source| Error::Host { what: "watch the firewall".into(), source };
        let network = self.clone();
        let guard = move || {
            // What is published already stays so: the table may have been lost while there was no daemon.
            if let Err(e) = network.publish_all() {
                tracing::error!("the published ports: {}", with_sources(&e));
            }
            // Its other end is never closed: the thread ends with the process.
            let Ok((stop, _open)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else { return };
            if let Err(e) = firewall::watch(&network.firewall, stop.as_fd(), || network.put_back()) {
                tracing::error!("the firewall is not watched any more: {}", with_sources(&e));
            }
        };
        std::thread::Builder::new().name("firewall".into()).spawn(guard).map(drop).map_err(failed)
    }

    fn put_back(&self) -> std::result::Result<(), sampan_network::Error> {
        tracing::info!("bridge or firewall were changed by another program: putting back what was ours");
        self.mend_bridge()?;
        self.publish_all()
    }

    /// Each container's, whatever became of the others'.
    fn publish_all(&self) -> std::result::Result<(), sampan_network::Error> {
        let _in_one_go = self.publishing();
        let connected = self.leases().connected.clone();
        let mut result = Ok(());
        for (container, ports) in connected.iter().filter(|(_, ports)| !ports.is_empty()) {
            result = result.and(firewall::publish(&self.firewall, container, ports));
        }
        result
    }

    /// The place of a container that was found.
    fn take_again(&self, id: &ContainerId, place: &Endpoint) -> Result<()> {
        let bridge = self.bridge().clone();
        if let Err(e) = endpoint::rejoin(id, &bridge) {
            tracing::error!(container = id.short(), "it is cut off from the network: {}", with_sources(&e));
        }
        let mut leases = self.leases();
        leases.connected.insert(id.clone(), place.ports.clone());
        leases.ports.adopt(id, &place.ports);
        leases.addresses.claim(place.address.address())?;
        Ok(())
    }

    /// Removes what no known container claims.
    pub(crate) fn sweep(&self, known: &HashSet<ContainerId>) -> Result<()> {
        let known: BTreeSet<ContainerId> = known.iter().cloned().collect();
        let gone = sampan_network::sweep(&self.firewall, &self.bridge().name, &known)?;
        for id in gone {
            tracing::info!(container = id.short(), "removed links and ports that a removed container left");
        }
        Ok(())
    }
}

fn parse_bip(text: &str) -> Result<Ipv4Net> {
    text.parse()
        .map_err(|e| Error::InvalidParameter(format!("--bip: {e}; expected an address like 10.10.0.1/24")))
}

impl Endpoint {
    /// Its hardware address.
    pub fn mac(&self) -> Mac {
        self.mac.unwrap_or(Mac::of(self.address.address()))
    }
}

/// Takes an address and ports for a container that has its own place on the bridge, and writes down which. Gives the sockets
/// that hold the ports, for [`hand_over`].
pub(crate) async fn reserve(driver: &Driver) -> Result<Option<(Endpoint, Vec<OwnedFd>)>> {
    match &driver.container.config.host.network {
        NetworkMode::Bridge => {}
        NetworkMode::Named(name) => return Err(Error::NoNetworkToJoin(name.clone())),
        NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_) => return Ok(None),
    }
    let (engine, container) = (driver.engine.clone(), driver.container.clone());
    let (file, hosts) = (driver.paths.endpoint(), driver.paths.names_file("hosts"));
    blocking(move || {
        let (place, sockets) = engine.network().reserve(&container)?;
        let written = serde_json::to_vec(&place)
            .map_err(std::io::Error::from)
            .and_then(|json| std::fs::write(&file, json))
            .map_err(Error::file("write", file))
            .and_then(|()| names::write_hosts(&engine, &container, &place, &hosts));
        match written {
            Ok(()) => Ok(Some((place, sockets))),
            Err(e) => {
                drop(sockets);
                engine.network().release(&container.id, place.address.address());
                Err(e)
            }
        }
    })
    .await
}

/// Undoes [`reserve`].
pub(crate) async fn give_back(driver: &Driver, place: Option<Endpoint>) {
    if let Some(place) = place {
        driver.engine.network().release(&driver.container.id, place.address.address());
        forget(driver).await;
    }
}

/// Joins a container's network name space to the bridge, and publishes its ports.
pub(crate) async fn attach(
    driver: &Driver,
    place: &Endpoint,
    name_space: OwnedFd,
    route: OwnedFd,
) -> Result<()> {
    let (network, container, place) =
        (driver.engine.network().clone(), driver.container.clone(), place.clone());
    blocking(move || network.attach(&container, &place, &name_space, &route)).await
}

/// Undoes [`attach`], as far as it does not go with the name space.
pub(crate) async fn detach(driver: &Driver, place: &Endpoint) {
    let (network, id, place) = (driver.engine.network().clone(), driver.container.id.clone(), place.clone());
    if let Err(e) = blocking(move || network.detach(&id, &place)).await {
        tracing::error!(
            container = driver.container.id.short(),
            "its ports could not be taken back: {}",
            with_sources(&e)
        );
    }
}

/// A container has ended: gives its place back.
pub(crate) async fn release(driver: &mut Driver) {
    if let Some(place) = driver.endpoint.take() {
        detach(driver, &place).await;
        give_back(driver, Some(place)).await;
    }
}

async fn forget(driver: &Driver) {
    let file = driver.paths.endpoint();
    let _with_the_bundle_at_the_latest =
        blocking(move || std::fs::remove_file(&file).map_err(Error::file("remove", file))).await;
}

/// After a daemon's start: takes the place again that a container has.
pub(crate) async fn restore(driver: &mut Driver) {
    let (file, network, id) =
        (driver.paths.endpoint(), driver.engine.network().clone(), driver.container.id.clone());
    let read = move || -> Result<Option<Endpoint>> {
        let Ok(json) = std::fs::read(&file) else { return Ok(None) };
        let place: Endpoint =
            serde_json::from_slice(&json).map_err(|e| Error::file("read", file)(e.into()))?;
        network.take_again(&id, &place)?;
        Ok(Some(place))
    };
    match blocking(read).await {
        Ok(place) => driver.endpoint = place,
        Err(e) => tracing::error!(
            container = driver.container.id.short(),
            "its place in the network: {}",
            with_sources(&e)
        ),
    }
}
