//! The engine as a value: what all verbs share.

use crate::blocking::blocking;
use crate::boot;
use crate::container::{self, Container, Dns, LogConfig, Registry};
use crate::event::{Hub, Writer};
use crate::host::Host;
use crate::image::Turns;
use crate::paths::Paths;
use crate::recover;
use crate::runtime::Runtime;
use crate::sandbox::Network;
use crate::shared::Shared;
use crate::volume::{self, Volumes};
use crate::{Error, Result};
use sampan_spec::{Digest, Timestamp};
use sampan_store::records::Directory;
use sampan_store::{Store, builtin};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The bridge of an engine that was told nothing else. Another name sets an engine apart from others on its host.
pub(crate) const DEFAULT_BRIDGE: &str = "sampan0";

/// How to open an engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept.
    pub data_root: PathBuf,
    /// Where what does not outlive a boot is kept.
    pub exec_root: PathBuf,
    /// The bridge's name.
    pub bridge: String,
    /// The bridge's address with the subnet's prefix length; `None`: the first free of the default ones.
    pub bip: Option<String>,
    /// How containers look names up that do not say how.
    pub dns: Dns,
    /// What `host-gateway` stands for; empty: the bridge's address.
    pub host_gateways: Vec<IpAddr>,
    /// What the owner says about registries.
    pub registries: sampan_registry::Config,
    /// Where containers' output is kept that say nothing else.
    pub log: LogConfig,
    /// The program `sampan-runtime`.
    pub runtime: PathBuf,
}

/// An open engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: Options,
    paths: Paths,
    host: Host,
    store: Arc<Store>,
    records: Records,
    runtime: Arc<Runtime>,
    network: Arc<Network>,
    containers: Registry,
    volumes: Volumes,
    events: Hub,
    opened: Timestamp,
    machine: String,
    /// Images of which containers are being made, and how many.
    wanted: Mutex<HashMap<Digest, usize>>,
    transfers: Transfers,
    measuring: Measuring,
}

/// What is being measured.
#[derive(Default)]
pub(crate) struct Measuring {
    pub(crate) containers: Shared<Vec<container::Measured>>,
    pub(crate) volumes: Shared<Vec<volume::Usage>>,
}

/// What all pulls share.
pub(crate) struct Transfers {
    /// How many blobs may be fetched at once.
    pub(crate) downloads: Arc<Semaphore>,
    pub(crate) turns: Turns,
}

/// As with Docker.
const DOWNLOADS: usize = 3;

/// Where containers' records are: on disk, and in the exec-root for those that remove themselves.
pub(crate) struct Records {
    pub(crate) lasting: Directory<Container>,
    pub(crate) passing: Directory<Container>,
}

impl Engine {
    /// Opens the data-root, finds the containers that are there, and finishes or undoes what was cut short. The caller
    /// holds the data-root's lock.
    ///
    /// # Errors
    /// When the data-root, the runtime program or the network cannot be used. One damaged object is no error: it is set
    /// aside and reported.
    pub async fn open(options: Options) -> Result<Self> {
        let (engine, found, writer) = blocking(move || Self::assemble(options)).await?;
        tokio::spawn(writer.run());
        engine.runtime().reap()?;
        let returning = recover::all(&engine, found).await?;
        engine.network().guard()?;
        boot::start_all(&engine, returning);
        Ok(engine)
    }

    fn assemble(options: Options) -> Result<(Self, recover::Found, Writer)> {
        let paths = Paths { data_root: options.data_root.clone(), exec_root: options.exec_root.clone() };
        let own_name = (options.bridge != DEFAULT_BRIDGE).then_some(options.bridge.as_str());
        let host = Host::detect(own_name);
        let store = Store::open(&options.data_root)?;
        for damaged in store.damaged() {
            tracing::warn!("set aside {}: {}", damaged.path.display(), damaged.reason);
        }
        builtin::ensure(&store, sampan_hello::PROGRAM)?;
        let (lasting, on_disk) = Directory::nested(&paths.homes(), crate::paths::RECORD)?;
        let (passing, in_memory) = Directory::nested(&paths.bundles(), crate::paths::RECORD)?;
        let (volumes, found) = Volumes::open(paths.volumes())?;
        volume::recover(&volumes, found)?;
        // What may be refused comes before what is made on the host.
        let program = Runtime::copy_program(&options.runtime)?;
        let network = Network::open(&options)?;
        let runtime = Runtime::open(program, &host, &paths)?;
        let (events, writer) = Hub::open(&paths.events())?;
        let inner = Inner {
            paths,
            host,
            store: Arc::new(store),
            records: Records { lasting, passing },
            runtime: Arc::new(runtime),
            network: Arc::new(network),
            containers: Registry::default(),
            volumes,
            events,
            opened: Timestamp::now(),
            // Not every host has one (machine-id(5)).
            machine: std::fs::read_to_string("/etc/machine-id").unwrap_or_default(),
            wanted: Mutex::default(),
            transfers: Transfers { downloads: Arc::new(Semaphore::new(DOWNLOADS)), turns: Turns::default() },
            measuring: Measuring::default(),
            options,
        };
        Ok((Self(Arc::new(inner)), recover::Found { on_disk, in_memory }, writer))
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.0.paths
    }

    pub(crate) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    pub(crate) fn transfers(&self) -> &Transfers {
        &self.0.transfers
    }

    pub(crate) fn measuring(&self) -> &Measuring {
        &self.0.measuring
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.0.runtime
    }

    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.0.network
    }

    pub(crate) fn containers(&self) -> &Registry {
        &self.0.containers
    }

    pub(crate) fn events(&self) -> &Hub {
        &self.0.events
    }

    /// When it was opened.
    pub(crate) fn opened(&self) -> Timestamp {
        self.0.opened
    }

    /// The host's own id; empty where it has none.
    pub(crate) fn machine(&self) -> &str {
        &self.0.machine
    }

    pub(crate) fn volumes(&self) -> &Volumes {
        &self.0.volumes
    }

    /// The record folder of a container.
    pub(crate) fn records(&self, removes_itself: bool) -> &Directory<Container> {
        if removes_itself { &self.0.records.passing } else { &self.0.records.lasting }
    }

    /// Keeps an image from being removed while a container is made of it.
    pub(crate) fn want_image(&self, image: &Digest) -> Wanted {
        *self.wanted().entry(image.clone()).or_default() += 1;
        Wanted { engine: self.clone(), image: image.clone() }
    }

    /// Whether a container is being made of an image.
    pub(crate) fn is_wanted(&self, image: &Digest) -> bool {
        self.wanted().contains_key(image)
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, usize>> {
        self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Engine::want_image`].
pub(crate) struct Wanted {
    engine: Engine,
    image: Digest,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut wanted = self.engine.wanted();
        if let Some(count) = wanted.get_mut(&self.image) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(&self.image);
            }
        }
    }
}

/// Random bytes for ids and names.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::Host { what: "get random bytes".into(), source: io::Error::other(e) })?;
    Ok(bytes)
}
