//! From a request to a verb: version, endpoint, and the one table of all operations.

use crate::answer::{Outcome, refusal};
use crate::daemon::Daemon;
use crate::error::Error;
use crate::request::Call;
use crate::routes::{archive, container, event, exec, image, network, stats, system, usage, volume};
use http::Request;
use hyper::body::Incoming;
use sampan_api::endpoint::find;
use sampan_api::query::Query;
use sampan_api::version::split_path;
use sampan_api::{ApiVersion, Operation};
use std::sync::Arc;

/// Answers a request; a refusal is an answer too.
pub(crate) async fn answer(daemon: Arc<Daemon>, request: Request<Incoming>) -> Outcome {
    let line = format!("{} {}", request.method(), request.uri());
    tracing::debug!("{line}");
    let result = match prepare(daemon, request) {
        Ok((operation, call)) => perform(operation, call).await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        tracing::debug!("{line}: {error}");
        Outcome::Answer(refusal(&error))
    })
}

fn prepare(daemon: Arc<Daemon>, request: Request<Incoming>) -> Result<(Operation, Call), Error> {
    let (head, body) = request.into_parts();
    let (version, path) = split_path(head.uri.path());
    let (operation, name) = find(head.method.as_str(), path).ok_or(Error::NoEndpoint)?;
    let version = version.map_or(Ok(ApiVersion::MAX), ApiVersion::served)?;
    let query = Query::parse(head.uri.query().unwrap_or_default());
    Ok((operation, Call { daemon, version, name, query, headers: head.headers, body }))
}

async fn perform(operation: Operation, call: Call) -> Result<Outcome, Error> {
    match operation {
        Operation::Ping => Ok(system::ping()),
        Operation::Version => Ok(system::version()),
        Operation::Info => system::info(&call).await,
        Operation::Login => system::login(call).await,
        Operation::Events => event::events(&call).await,
        Operation::DiskUsage => usage::usage(&call).await,
        Operation::BuildPrune => usage::build_prune(&call),
        Operation::Plugins => Ok(system::plugins()),
        Operation::PluginInspect => Err(Error::NoSuchPlugin(call.name)),
        Operation::Search => Err(Error::unsupported("searching a registry")),
        Operation::Swarm => Err(Error::NoSwarm),
        Operation::ContainerCreate => container::create(call).await,
        Operation::ContainerList => container::list(&call).await,
        Operation::ContainerInspect => container::inspect(&call).await,
        Operation::ContainerStart => container::start(&call).await,
        Operation::ContainerStop => container::stop(&call).await,
        Operation::ContainerKill => container::kill(&call).await,
        Operation::ContainerPause => container::pause(&call).await,
        Operation::ContainerUnpause => container::unpause(&call).await,
        Operation::ContainerRestart => container::restart(&call).await,
        Operation::ContainerRename => container::rename(&call).await,
        Operation::ContainerStats => stats::stats(&call).await,
        Operation::ContainerPathStat => archive::stat(&call).await,
        Operation::ContainerArchive => archive::read(&call).await,
        Operation::ContainerUnpack => archive::write(call).await,
        Operation::ContainerUpdate => container::update(call).await,
        Operation::ContainerChanges => container::changes(&call).await,
        Operation::ContainerPrune => container::prune(&call).await,
        Operation::ContainerTop => container::top(&call).await,
        Operation::ContainerRemove => container::remove(&call).await,
        Operation::ContainerWait => container::wait(&call).await,
        Operation::ContainerAttach => container::attach(&call).await,
        Operation::ContainerLogs => container::logs(&call).await,
        Operation::ContainerResize => container::resize(&call).await,
        Operation::ExecCreate => exec::create(call).await,
        Operation::ExecStart => exec::start(call).await,
        Operation::ExecResize => exec::resize(&call).await,
        Operation::ExecInspect => exec::inspect(&call).await,
        Operation::ImageList => image::list(&call).await,
        Operation::ImageCreate => image::create(call).await,
        Operation::ImageLoad => Ok(image::load(call)),
        Operation::ImageInspect => image::inspect(&call).await,
        Operation::ImageHistory => image::history(&call).await,
        Operation::ImagePrune => image::prune(&call).await,
        Operation::ImageTag => image::tag(&call).await,
        Operation::ImageRemove => image::remove(&call).await,
        Operation::NetworkList => network::list(&call),
        Operation::NetworkInspect => network::inspect(&call).await,
        Operation::NetworkCreate => network::create(call).await,
        Operation::NetworkConnect => {
            network::connect(call, "connecting a container to a further network").await
        }
        Operation::NetworkDisconnect => {
            network::connect(call, "disconnecting a container from its network").await
        }
        Operation::NetworkPrune => network::prune(&call),
        Operation::NetworkRemove => network::remove(&call),
        Operation::VolumeList => volume::list(&call),
        Operation::VolumeCreate => volume::create(call).await,
        Operation::VolumeInspect => volume::inspect(&call),
        Operation::VolumePrune => volume::prune(&call).await,
        Operation::VolumeRemove => volume::remove(&call).await,
    }
}
