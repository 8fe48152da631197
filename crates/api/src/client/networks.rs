//! The endpoints of networks as functions.

use super::verbs::filtered;
use super::{Body, Client};
use crate::body::Network;
use crate::query::Query;
use crate::{Filters, Result};
use http::Method;

/// Every function fails when the daemon cannot be reached or refuses ([`crate::Error`]).
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /networks`.
    pub async fn network_list(&self, filters: &Filters) -> Result<Vec<Network>> {
        let query = filtered(Query::default(), filters).to_suffix();
        self.json(Method::GET, &format!("/networks{query}"), Body::Empty).await
    }
}
