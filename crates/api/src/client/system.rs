//! The endpoints about the engine as a whole, as functions.

use super::verbs::filtered;
use super::{Body, Client, JsonLines};
use crate::body::{BuildPruned, DiskUsage, Event, NetworksPruned};
use crate::query::Query;
use crate::{Filters, Result};
use http::Method;

/// Every function fails when the daemon cannot be reached or refuses ([`crate::Error`]).
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /events`. Times are seconds since 1970, with decimals.
    pub async fn events(
        &self,
        since: Option<&str>,
        until: Option<&str>,
        filters: &Filters,
    ) -> Result<JsonLines<Event>> {
        let query = Query::default().with_some("since", since).with_some("until", until);
        self.lines(Method::GET, &format!("/events{}", filtered(query, filters).to_suffix()), Body::Empty)
            .await
    }

    /// `GET /system/df`.
    pub async fn disk_usage(&self) -> Result<DiskUsage> {
        self.json(Method::GET, "/system/df", Body::Empty).await
    }

    /// `POST /build/prune`. `all`: also what a next build could use.
    pub async fn build_prune(&self, all: bool, filters: &Filters) -> Result<BuildPruned> {
        let query = filtered(Query::default().with_flag("all", all), filters).to_suffix();
        self.json(Method::POST, &format!("/build/prune{query}"), Body::Empty).await
    }

    /// `POST /networks/prune`.
    pub async fn network_prune(&self, filters: &Filters) -> Result<NetworksPruned> {
        let query = filtered(Query::default(), filters).to_suffix();
        self.json(Method::POST, &format!("/networks/prune{query}"), Body::Empty).await
    }
}
