//! The endpoints as functions.

use super::{Body, ByteStream, Client, Hijacked, JsonLines, Pending, to_body};
use crate::body::{
    ContainerCreate, ContainerCreated, ContainerInspect, ContainerSummary, ExecCreate, ExecCreated,
    ExecInspect, ExecStart, ImageDeleted, ImageHistory, ImageInspect, ImagePrune, ImageSummary, Info,
    LoginAnswer, Progress, RegistryAuth, Version, WaitAnswer,
};
use crate::query::{Query, escape};
use crate::{Error, Filters, Result};
use http::{Method, StatusCode};
use tokio::io::AsyncRead;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

pub(super) fn filtered(query: Query, filters: &Filters) -> Query {
    query.with_some("filters", (!filters.is_empty()).then(|| filters.to_json()))
}

/// A container's path. Without a name it would be another endpoint's.
fn container(name: &str, rest: &str) -> Result<String> {
    if name.trim().is_empty() {
        return Err(Error::NoName);
    }
    Ok(format!("/containers/{}{rest}", escape(name)))
}

/// Every function fails when the daemon cannot be reached or refuses ([`crate::Error`]).
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /version`.
    pub async fn system_version(&self) -> Result<Version> {
        self.json(GET, "/version", Body::Empty).await
    }

    /// `GET /info`.
    pub async fn info(&self) -> Result<Info> {
        self.json(GET, "/info", Body::Empty).await
    }

    /// `POST /auth`.
    pub async fn login(&self, auth: &RegistryAuth) -> Result<LoginAnswer> {
        self.json(POST, "/auth", to_body("/auth", auth)?).await
    }

    /// `POST /containers/create`, of an image for `platform`.
    pub async fn container_create(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        body: &ContainerCreate,
    ) -> Result<ContainerCreated> {
        let query = Query::default().with_some("name", name).with_some("platform", platform);
        let path = format!("/containers/create{}", query.to_suffix());
        self.json(POST, &path, to_body(&path, body)?).await
    }

    /// `GET /containers/json`. `all`: those that do not run too; `limit`: only the newest.
    pub async fn container_list(
        &self,
        all: bool,
        limit: Option<u64>,
        size: bool,
        filters: &Filters,
    ) -> Result<Vec<ContainerSummary>> {
        let query = Query::default().with_flag("all", all).with_some("limit", limit).with_flag("size", size);
        self.json(GET, &format!("/containers/json{}", filtered(query, filters).to_suffix()), Body::Empty)
            .await
    }

    /// `GET /containers/{name}/json`.
    pub async fn container_inspect(&self, name: &str, size: bool) -> Result<ContainerInspect> {
        let query = Query::default().with_flag("size", size).to_suffix();
        self.json(GET, &container(name, &format!("/json{query}"))?, Body::Empty).await
    }

    /// `POST /containers/{name}/start`. 304: it runs already.
    pub async fn container_start(&self, name: &str) -> Result<StatusCode> {
        self.done(POST, &container(name, "/start")?, Body::Empty).await
    }

    /// `POST /containers/{name}/stop`, with another signal and time-out (seconds) than its own. 304: it does not run.
    pub async fn container_stop(
        &self,
        name: &str,
        signal: Option<&str>,
        timeout: Option<i64>,
    ) -> Result<StatusCode> {
        let query = Query::default().with_some("signal", signal).with_some("t", timeout).to_suffix();
        self.done(POST, &container(name, &format!("/stop{query}"))?, Body::Empty).await
    }

    /// `POST /containers/{name}/kill`.
    pub async fn container_kill(&self, name: &str, signal: Option<&str>) -> Result<()> {
        let query = Query::default().with_some("signal", signal).to_suffix();
        self.done(POST, &container(name, &format!("/kill{query}"))?, Body::Empty).await.map(drop)
    }

    /// `DELETE /containers/{name}`, with its anonymous volumes, killed first if `force`.
    pub async fn container_remove(&self, name: &str, force: bool, volumes: bool) -> Result<()> {
        let query = Query::default().with_flag("force", force).with_flag("v", volumes).to_suffix();
        self.done(DELETE, &container(name, &query)?, Body::Empty).await.map(drop)
    }

    /// `DELETE /containers/{name}` of a link: `web/alias`.
    pub async fn link_remove(&self, name: &str) -> Result<()> {
        let query = Query::default().with_flag("link", true).to_suffix();
        self.done(DELETE, &container(name, &query)?, Body::Empty).await.map(drop)
    }

    /// `POST /containers/{name}/wait` for `not-running`, `next-exit` or `removed`. Comes back when the daemon has begun to
    /// wait; the answer comes with [`Pending::finish`].
    pub async fn container_wait(&self, name: &str, condition: Option<&str>) -> Result<Pending<WaitAnswer>> {
        let query = Query::default().with_some("condition", condition).to_suffix();
        let path = container(name, &format!("/wait{query}"))?;
        Ok(Pending::new(self.lines(POST, &path, Body::Empty).await?))
    }

    /// `POST /containers/{name}/attach`. The query is the caller's: `stream`, `stdin`, `stdout`, `stderr`, `logs`, `detachKeys`.
    pub async fn container_attach(&self, name: &str, query: &Query) -> Result<Hijacked> {
        self.hijack(&container(name, &format!("/attach{}", query.to_suffix()))?, Body::Empty).await
    }

    /// `GET /containers/{name}/logs`. The query is the caller's: `stdout`, `stderr`, `follow`, `since`, `until`, `timestamps`,
    /// `tail`. Without a terminal the bytes are multiplexed.
    pub async fn container_logs(&self, name: &str, query: &Query) -> Result<ByteStream> {
        self.bytes(GET, &container(name, &format!("/logs{}", query.to_suffix()))?, Body::Empty).await
    }

    /// `POST /containers/{name}/resize`.
    pub async fn container_resize(&self, name: &str, rows: u16, columns: u16) -> Result<()> {
        let query = Query::default().with("h", rows.to_string()).with("w", columns.to_string()).to_suffix();
        self.done(POST, &container(name, &format!("/resize{query}"))?, Body::Empty).await.map(drop)
    }

    /// `POST /containers/{name}/exec`.
    pub async fn exec_create(&self, name: &str, body: &ExecCreate) -> Result<ExecCreated> {
        let path = container(name, "/exec")?;
        self.json(POST, &path, to_body(&path, body)?).await
    }

    /// `POST /exec/{id}/start` with the client's streams; `body.detach` must be false.
    pub async fn exec_start(&self, id: &str, body: &ExecStart) -> Result<Hijacked> {
        let path = format!("/exec/{}/start", escape(id));
        self.hijack(&path, to_body(&path, body)?).await
    }

    /// `POST /exec/{id}/start` without streams; `body.detach` must be true.
    pub async fn exec_start_detached(&self, id: &str, body: &ExecStart) -> Result<()> {
        let path = format!("/exec/{}/start", escape(id));
        self.done(POST, &path, to_body(&path, body)?).await.map(drop)
    }

    /// `POST /exec/{id}/resize`.
    pub async fn exec_resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let query = Query::default().with("h", rows.to_string()).with("w", columns.to_string()).to_suffix();
        self.done(POST, &format!("/exec/{}/resize{query}", escape(id)), Body::Empty).await.map(drop)
    }

    /// `GET /exec/{id}/json`.
    pub async fn exec_inspect(&self, id: &str) -> Result<ExecInspect> {
        self.json(GET, &format!("/exec/{}/json", escape(id)), Body::Empty).await
    }

    /// `GET /images/json`.
    pub async fn image_list(&self, all: bool, filters: &Filters) -> Result<Vec<ImageSummary>> {
        let query = filtered(Query::default().with_flag("all", all), filters);
        self.json(GET, &format!("/images/json{}", query.to_suffix()), Body::Empty).await
    }

    /// `GET /images/{name}/json`.
    pub async fn image_inspect(&self, name: &str) -> Result<ImageInspect> {
        self.json(GET, &format!("/images/{}/json", escape(name)), Body::Empty).await
    }

    /// `GET /images/{name}/history`.
    pub async fn image_history(&self, name: &str) -> Result<Vec<ImageHistory>> {
        self.json(GET, &format!("/images/{}/history", escape(name)), Body::Empty).await
    }

    /// `POST /images/create?fromImage=`: pulls. `tag` is a tag or a digest; `auth` is the header `X-Registry-Auth`.
    pub async fn image_pull(
        &self,
        repository: &str,
        tag: &str,
        platform: Option<&str>,
        auth: &str,
    ) -> Result<JsonLines<Progress>> {
        let query = Query::default().with("fromImage", repository).with("tag", tag);
        let query = query.with_some("platform", platform).to_suffix();
        self.lines_with(POST, &format!("/images/create{query}"), &[("X-Registry-Auth", auth)]).await
    }

    /// `POST /images/prune`.
    pub async fn image_prune(&self, filters: &Filters) -> Result<ImagePrune> {
        let query = filtered(Query::default(), filters).to_suffix();
        self.json(POST, &format!("/images/prune{query}"), Body::Empty).await
    }

    /// `POST /images/{name}/tag`.
    pub async fn image_tag(&self, name: &str, repository: &str, tag: &str) -> Result<()> {
        let query = Query::default().with("repo", repository).with("tag", tag).to_suffix();
        self.done(POST, &format!("/images/{}/tag{query}", escape(name)), Body::Empty).await.map(drop)
    }

    /// `DELETE /images/{name}`.
    pub async fn image_remove(&self, name: &str, force: bool, no_prune: bool) -> Result<Vec<ImageDeleted>> {
        let query = Query::default().with_flag("force", force).with_flag("noprune", no_prune).to_suffix();
        self.json(DELETE, &format!("/images/{}{query}", escape(name)), Body::Empty).await
    }

    /// `POST /images/load`: an archive as `docker save` or an OCI layout makes it.
    pub async fn image_load(
        &self,
        archive: Box<dyn AsyncRead + Send + Unpin>,
        quiet: bool,
    ) -> Result<JsonLines<Progress>> {
        let query = Query::default().with_flag("quiet", quiet).to_suffix();
        self.lines(POST, &format!("/images/load{query}"), Body::Tar(archive)).await
    }

    /// `POST /images/create?fromSrc=-`: a root file system's tar becomes an image. `changes` are lines of a Dockerfile.
    pub async fn image_import(
        &self,
        archive: Box<dyn AsyncRead + Send + Unpin>,
        repository: &str,
        tag: &str,
        message: Option<&str>,
        changes: &[String],
    ) -> Result<JsonLines<Progress>> {
        let query = Query::default().with("fromSrc", "-").with("repo", repository).with("tag", tag);
        let query = query.with_some("message", message);
        let query = changes.iter().fold(query, |query, change| query.with("changes", change));
        self.lines(POST, &format!("/images/create{}", query.to_suffix()), Body::Tar(archive)).await
    }
}
