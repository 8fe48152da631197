//! The endpoints about the engine as a whole, as functions.

use super::{Body, Client, JsonLines};
use crate::body::Event;
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
        let query = query.with_some("filters", (!filters.is_empty()).then(|| filters.to_json()));
        self.lines(Method::GET, &format!("/events{}", query.to_suffix()), Body::Empty).await
    }
}
