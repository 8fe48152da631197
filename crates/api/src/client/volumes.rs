//! The endpoints of volumes as functions.

use super::verbs::filtered;
use super::{Body, Client, to_body};
use crate::body::{Volume, VolumeCreate, VolumeList, VolumesPruned};
use crate::query::{Query, escape};
use crate::{Filters, Result};
use http::Method;

/// Every function fails when the daemon cannot be reached or refuses ([`crate::Error`]).
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /volumes`.
    pub async fn volume_list(&self, filters: &Filters) -> Result<VolumeList> {
        let query = filtered(Query::default(), filters).to_suffix();
        self.json(Method::GET, &format!("/volumes{query}"), Body::Empty).await
    }

    /// `POST /volumes/create`.
    pub async fn volume_create(&self, body: &VolumeCreate) -> Result<Volume> {
        let path = "/volumes/create";
        self.json(Method::POST, path, to_body(path, body)?).await
    }

    /// `DELETE /volumes/{name}`. With `force`, one that is not there is no error.
    pub async fn volume_remove(&self, name: &str, force: bool) -> Result<()> {
        let query = Query::default().with_flag("force", force).to_suffix();
        self.done(Method::DELETE, &format!("/volumes/{}{query}", escape(name)), Body::Empty).await.map(drop)
    }

    /// `POST /volumes/prune`.
    pub async fn volume_prune(&self, filters: &Filters) -> Result<VolumesPruned> {
        let query = filtered(Query::default(), filters).to_suffix();
        self.json(Method::POST, &format!("/volumes/prune{query}"), Body::Empty).await
    }
}
