//! Other containers whose name spaces a container shares: found when it is created, looked up when it is started.

use super::{Config, Container, Handle, IpcMode, NetworkMode, Peer, Phase, PidMode};
use crate::engine::Engine;
use crate::{Error, Result};

/// Their process 1's pids on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) pid: Option<i32>,
    pub(crate) ipc: Option<i32>,
    pub(crate) network: Option<i32>,
}

/// Replaces the names that a user gave by ids.
///
/// # Errors
/// When there is no such container.
pub(crate) fn name(engine: &Engine, config: &mut Config) -> Result<()> {
    if let PidMode::Container(peer) = &mut config.host.pid {
        identify(engine, peer)?;
    }
    if let IpcMode::Container(peer) = &mut config.host.ipc {
        identify(engine, peer)?;
    }
    if let NetworkMode::Container(peer) = &mut config.host.network {
        identify(engine, peer)
            .map_err(|e| Error::InvalidParameter(format!("joining network namespace of container: {e}")))?;
    }
    Ok(())
}

fn identify(engine: &Engine, peer: &mut Peer) -> Result<()> {
    // Not as "not found": for clients that would be the image.
    let found = engine.containers().resolve(peer.text());
    let found = found.map_err(|e| Error::InvalidParameter(e.to_string()))?;
    *peer = Peer::Is(found.id().clone());
    Ok(())
}

/// Looks the peers up.
///
/// # Errors
/// When one does not run, or does not share what is wanted.
pub(crate) fn find(engine: &Engine, config: &Config) -> Result<Peers> {
    let mut peers = Peers::default();
    if let PidMode::Container(peer) = &config.host.pid {
        peers.pid = Some(running(engine, peer, "PID")?.1);
    }
    if let IpcMode::Container(peer) = &config.host.ipc {
        let (handle, pid) = running(engine, peer, "IPC")?;
        may_join_ipc(&handle)?;
        peers.ipc = Some(pid);
    }
    if let NetworkMode::Container(peer) = &config.host.network {
        peers.network = Some(network(engine, peer)?);
    }
    Ok(peers)
}

fn running(engine: &Engine, peer: &Peer, what: &str) -> Result<(Handle, i32)> {
    let handle = engine.containers().resolve(peer.text())?;
    let refused = |state: &str| {
        Error::Peer(format!("failed to join {what} namespace: container {} is {state}", handle.id()))
    };
    match handle.snapshot().state.phase {
        Phase::Running { pid } | Phase::Paused { pid } => Ok((handle, pid)),
        Phase::Restarting => Err(refused("restarting")),
        _ => Err(refused("not running")),
    }
}

fn may_join_ipc(handle: &Handle) -> Result<()> {
    match handle.container().config.host.ipc {
        IpcMode::Shareable | IpcMode::Host => Ok(()),
        _ => Err(Error::Peer(format!(
            "failed to join IPC namespace: container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
            handle.id()
        ))),
    }
}

fn network(engine: &Engine, peer: &Peer) -> Result<i32> {
    let handle = engine.containers().resolve(peer.text())?;
    let phase = handle.snapshot().state.phase;
    phase.pid().ok_or_else(|| {
        Error::Peer(format!(
            "cannot join network namespace of a non running container: container {} is {}",
            handle.container().name,
            phase.name()
        ))
    })
}

/// The container whose network this one uses.
pub(crate) fn network_owner(engine: &Engine, container: &Container) -> Option<Handle> {
    match &container.config.host.network {
        NetworkMode::Container(peer) => engine.containers().resolve(peer.text()).ok(),
        _ => None,
    }
}
