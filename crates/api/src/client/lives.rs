//! The endpoints that change or look at a container during its life, as functions.

use super::{Body, ByteStream, Client, JsonLines, to_body};
use crate::Error;
use crate::Filters;
use crate::Result;
use crate::body::{Change, ContainersPruned, HostConfig, PATH_STAT, PathStat, Processes, Stats, Updated};
use crate::query::{Query, escape};
use http::{Method, Response};
use hyper::body::Incoming;
use tokio::io::AsyncRead;

/// Every function fails when the daemon cannot be reached or refuses ([`crate::Error`]).
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `POST /containers/{name}/pause`.
    pub async fn container_pause(&self, name: &str) -> Result<()> {
        self.to_container(name, "pause", Query::default()).await
    }

    /// `POST /containers/{name}/unpause`.
    pub async fn container_unpause(&self, name: &str) -> Result<()> {
        self.to_container(name, "unpause", Query::default()).await
    }

    /// `POST /containers/{name}/restart`, with another signal and time-out (seconds) than its own.
    pub async fn container_restart(
        &self,
        name: &str,
        signal: Option<&str>,
        timeout: Option<i64>,
    ) -> Result<()> {
        let query = Query::default().with_some("signal", signal).with_some("t", timeout);
        self.to_container(name, "restart", query).await
    }

    /// `POST /containers/{name}/rename`.
    pub async fn container_rename(&self, name: &str, new: &str) -> Result<()> {
        self.to_container(name, "rename", Query::default().with("name", new)).await
    }

    /// `GET /containers/{name}/top`, with options of ps(1).
    pub async fn container_top(&self, name: &str, options: &str) -> Result<Processes> {
        let query = Query::default().with_some("ps_args", (!options.is_empty()).then_some(options));
        let path = format!("/containers/{}/top{}", escape(name), query.to_suffix());
        self.json(Method::GET, &path, Body::Empty).await
    }

    /// `GET /containers/{name}/stats`: one sample with the one before it.
    pub async fn container_stats(&self, name: &str) -> Result<Stats> {
        self.json(Method::GET, &format!("/containers/{}/stats?stream=0", escape(name)), Body::Empty).await
    }

    /// `GET /containers/{name}/stats`: a sample each second.
    pub async fn container_stats_stream(&self, name: &str) -> Result<JsonLines<Stats>> {
        self.lines(Method::GET, &format!("/containers/{}/stats?stream=1", escape(name)), Body::Empty).await
    }

    /// `POST /containers/{name}/update`: limits and restart policy of a host configuration, of which the rest means nothing.
    /// What is 0 or empty stays.
    pub async fn container_update(&self, name: &str, host: &HostConfig) -> Result<Updated> {
        let path = format!("/containers/{}/update", escape(name));
        self.json(Method::POST, &path, to_body(&path, host)?).await
    }

    /// `GET /containers/{name}/changes`.
    pub async fn container_changes(&self, name: &str) -> Result<Vec<Change>> {
        let path = format!("/containers/{}/changes", escape(name));
        Ok(self.json::<Option<_>>(Method::GET, &path, Body::Empty).await?.unwrap_or_default())
    }

    /// `POST /containers/prune`.
    pub async fn containers_prune(&self, filters: &Filters) -> Result<ContainersPruned> {
        let query = Query::default().with_some("filters", (!filters.is_empty()).then(|| filters.to_json()));
        self.json(Method::POST, &format!("/containers/prune{}", query.to_suffix()), Body::Empty).await
    }

    /// `HEAD /containers/{name}/archive`: what is at a path. An absence has no text.
    pub async fn container_path_stat(&self, name: &str, path: &str) -> Result<PathStat> {
        let path = archive_path(name, Query::default().with("path", path));
        described(&self.send(Method::HEAD, &path, Body::Empty).await?, &path)
    }

    /// `GET /containers/{name}/archive`: what is at a path, as a tar.
    pub async fn container_archive(&self, name: &str, path: &str) -> Result<(PathStat, ByteStream)> {
        let path = archive_path(name, Query::default().with("path", path));
        let response = self.send(Method::GET, &path, Body::Empty).await?;
        let stat = described(&response, &path)?;
        Ok((stat, ByteStream::new(response)))
    }

    /// `PUT /containers/{name}/archive`: a tar into a folder, in which folders do not replace anything else nor the other way
    /// round. `for_user`: all belongs to the container's user.
    pub async fn container_unpack(
        &self,
        name: &str,
        path: &str,
        tar: Box<dyn AsyncRead + Send + Unpin>,
        for_user: bool,
    ) -> Result<()> {
        let query = Query::default().with("path", path).with("noOverwriteDirNonDir", "true");
        let query = if for_user { query.with("copyUIDGID", "true") } else { query };
        self.done(Method::PUT, &archive_path(name, query), Body::Tar(tar)).await.map(drop)
    }

    /// `POST /containers/{name}/{verb}`, of which only the success counts.
    async fn to_container(&self, name: &str, verb: &str, query: Query) -> Result<()> {
        let path = format!("/containers/{}/{verb}{}", escape(name), query.to_suffix());
        self.done(Method::POST, &path, Body::Empty).await.map(drop)
    }
}

fn archive_path(name: &str, query: Query) -> String {
    format!("/containers/{}/archive{}", escape(name), query.to_suffix())
}

/// The header that says what is at the path.
fn described(response: &Response<Incoming>, path: &str) -> Result<PathStat> {
    let stat = response.headers().get(PATH_STAT).and_then(|value| PathStat::from_header(value.as_bytes()));
    let missing = || serde::de::Error::custom(format!("the header {PATH_STAT} is missing"));
    stat.ok_or_else(|| Error::Answer { path: path.to_owned(), source: missing() })
}
