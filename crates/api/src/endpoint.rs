//! All endpoints that are served, as data: method, path, operation.

use percent_encoding::percent_decode_str;

/// What a request asks for. The server handles each in one exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each is")]
pub enum Operation {
    Ping,
    Version,
    Login,
    Info,
    Events,
    DiskUsage,
    BuildPrune,
    Plugins,
    PluginInspect,
    Search,
    /// Whatever a swarm's manager would do.
    Swarm,
    ContainerCreate,
    ContainerList,
    ContainerInspect,
    ContainerStart,
    ContainerStop,
    ContainerKill,
    ContainerPause,
    ContainerUnpause,
    ContainerRestart,
    ContainerRename,
    ContainerTop,
    ContainerStats,
    ContainerChanges,
    ContainerUpdate,
    ContainerPathStat,
    ContainerArchive,
    ContainerUnpack,
    ContainerPrune,
    ContainerRemove,
    ContainerWait,
    ContainerAttach,
    ContainerLogs,
    ContainerResize,
    ExecCreate,
    ExecStart,
    ExecResize,
    ExecInspect,
    ImageList,
    ImageCreate,
    ImageLoad,
    ImageInspect,
    ImageHistory,
    ImagePrune,
    ImageTag,
    ImageRemove,
    NetworkList,
    NetworkInspect,
    NetworkCreate,
    NetworkConnect,
    NetworkDisconnect,
    NetworkPrune,
    NetworkRemove,
    VolumeCreate,
    VolumeList,
    VolumeInspect,
    VolumePrune,
    VolumeRemove,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// The path behind the version. `{name}` is one part of it, `{name...}` may have slashes in it.
    pub path: &'static str,
    /// What is asked for.
    pub operation: Operation,
}

const fn on(method: &'static str, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { method, path, operation }
}

/// Every endpoint. The first line that fits a request holds.
pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/_ping", Operation::Ping),
    on("HEAD", "/_ping", Operation::Ping),
    on("GET", "/version", Operation::Version),
    on("GET", "/info", Operation::Info),
    on("POST", "/auth", Operation::Login),
    on("GET", "/events", Operation::Events),
    on("GET", "/system/df", Operation::DiskUsage),
    on("POST", "/build/prune", Operation::BuildPrune),
    on("GET", "/swarm", Operation::Swarm),
    on("GET", "/plugins", Operation::Plugins),
    on("GET", "/plugins/{name...}/json", Operation::PluginInspect),
    on("GET", "/images/search", Operation::Search),
    on("GET", "/nodes", Operation::Swarm),
    on("GET", "/nodes/{name}", Operation::Swarm),
    on("GET", "/services", Operation::Swarm),
    on("GET", "/services/{name}", Operation::Swarm),
    on("GET", "/tasks", Operation::Swarm),
    on("GET", "/tasks/{name}", Operation::Swarm),
    on("GET", "/secrets", Operation::Swarm),
    on("GET", "/secrets/{name}", Operation::Swarm),
    on("GET", "/configs", Operation::Swarm),
    on("GET", "/configs/{name}", Operation::Swarm),
    on("POST", "/services/create", Operation::Swarm),
    on("POST", "/secrets/create", Operation::Swarm),
    on("POST", "/configs/create", Operation::Swarm),
    on("POST", "/containers/create", Operation::ContainerCreate),
    on("POST", "/containers/prune", Operation::ContainerPrune),
    on("GET", "/containers/json", Operation::ContainerList),
    on("GET", "/containers/{name...}/json", Operation::ContainerInspect),
    on("POST", "/containers/{name...}/start", Operation::ContainerStart),
    on("POST", "/containers/{name...}/stop", Operation::ContainerStop),
    on("POST", "/containers/{name...}/kill", Operation::ContainerKill),
    on("POST", "/containers/{name...}/pause", Operation::ContainerPause),
    on("POST", "/containers/{name...}/unpause", Operation::ContainerUnpause),
    on("POST", "/containers/{name...}/restart", Operation::ContainerRestart),
    on("POST", "/containers/{name...}/rename", Operation::ContainerRename),
    on("GET", "/containers/{name...}/top", Operation::ContainerTop),
    on("GET", "/containers/{name...}/stats", Operation::ContainerStats),
    on("GET", "/containers/{name...}/changes", Operation::ContainerChanges),
    on("POST", "/containers/{name...}/update", Operation::ContainerUpdate),
    on("HEAD", "/containers/{name...}/archive", Operation::ContainerPathStat),
    on("GET", "/containers/{name...}/archive", Operation::ContainerArchive),
    on("PUT", "/containers/{name...}/archive", Operation::ContainerUnpack),
    on("DELETE", "/containers/{name...}", Operation::ContainerRemove),
    on("POST", "/containers/{name...}/wait", Operation::ContainerWait),
    on("POST", "/containers/{name...}/attach", Operation::ContainerAttach),
    on("GET", "/containers/{name...}/logs", Operation::ContainerLogs),
    on("POST", "/containers/{name...}/resize", Operation::ContainerResize),
    on("POST", "/containers/{name...}/exec", Operation::ExecCreate),
    on("POST", "/exec/{name}/start", Operation::ExecStart),
    on("POST", "/exec/{name}/resize", Operation::ExecResize),
    on("GET", "/exec/{name}/json", Operation::ExecInspect),
    on("GET", "/images/json", Operation::ImageList),
    on("POST", "/images/create", Operation::ImageCreate),
    on("POST", "/images/load", Operation::ImageLoad),
    on("POST", "/images/prune", Operation::ImagePrune),
    on("GET", "/images/{name...}/json", Operation::ImageInspect),
    on("GET", "/images/{name...}/history", Operation::ImageHistory),
    on("POST", "/images/{name...}/tag", Operation::ImageTag),
    on("DELETE", "/images/{name...}", Operation::ImageRemove),
    on("GET", "/networks", Operation::NetworkList),
    on("POST", "/networks/create", Operation::NetworkCreate),
    on("POST", "/networks/prune", Operation::NetworkPrune),
    on("POST", "/networks/{name...}/connect", Operation::NetworkConnect),
    on("POST", "/networks/{name...}/disconnect", Operation::NetworkDisconnect),
    on("GET", "/networks/{name...}", Operation::NetworkInspect),
    on("DELETE", "/networks/{name...}", Operation::NetworkRemove),
    on("GET", "/volumes", Operation::VolumeList),
    on("POST", "/volumes/create", Operation::VolumeCreate),
    on("POST", "/volumes/prune", Operation::VolumePrune),
    on("GET", "/volumes/{name...}", Operation::VolumeInspect),
    on("DELETE", "/volumes/{name...}", Operation::VolumeRemove),
];

/// Finds the endpoint of a request by its method and its path without the version. The second value is what stands for
/// `{name}`, percent-decoded; empty where the path has no such part.
pub fn find(method: &str, path: &str) -> Option<(Operation, String)> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    ENDPOINTS.iter().filter(|endpoint| endpoint.method == method).find_map(|endpoint| {
        let name = capture(endpoint.path, &path)?;
        Some((endpoint.operation, name.to_owned()))
    })
}

fn capture<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, rest)) = template.split_once('{') else {
        return (template == path).then_some("");
    };
    let (variable, after) = rest.split_once('}')?;
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    let fits = !name.is_empty() && (variable.ends_with("...") || !name.contains('/'));
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_find_their_endpoint() {
        for (method, path, want) in [
            ("GET", "/_ping", Some((Operation::Ping, ""))),
            ("HEAD", "/_ping", Some((Operation::Ping, ""))),
            ("GET", "/containers/json", Some((Operation::ContainerList, ""))),
            ("PATCH", "/containers/json", None),
            ("HEAD", "/containers/json", None),
            ("GET", "/containers/a/json", Some((Operation::ContainerInspect, "a"))),
            ("GET", "/containers//json", None),
            ("GET", "/containers/a/b/json", Some((Operation::ContainerInspect, "a/b"))),
            ("GET", "/images/json", Some((Operation::ImageList, ""))),
            ("GET", "/images/a/b:1/json", Some((Operation::ImageInspect, "a/b:1"))),
            ("GET", "/images/a%2Fb:1/json", Some((Operation::ImageInspect, "a/b:1"))),
            ("DELETE", "/images/localhost:5000/a/b", Some((Operation::ImageRemove, "localhost:5000/a/b"))),
            ("POST", "/images/a/tag", Some((Operation::ImageTag, "a"))),
            ("DELETE", "/containers/a", Some((Operation::ContainerRemove, "a"))),
            ("GET", "/nothing/here", None),
            ("GET", "/containers/%ff/json", None),
        ] {
            let got = find(method, path);
            assert_eq!(got.as_ref().map(|(op, name)| (*op, name.as_str())), want, "{method} {path}");
        }
    }

    proptest! {
        #[test]
        fn names_come_through_paths(name in "[^/]{1,12}") {
            let escaped = crate::query::escape(&name).to_string();
            let got = find("GET", &format!("/containers/{escaped}/json"));
            prop_assert_eq!(got, Some((Operation::ContainerInspect, name)));
        }

        #[test]
        fn any_path_is_found_or_not(path in "[/%a-z0-9{}.]{0,40}") {
            for method in ["GET", "POST", "DELETE"] {
                let _ = find(method, &path);
            }
        }
    }
}
