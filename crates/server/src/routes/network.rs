//! Networks: those that are always there. Users cannot make others yet.

use crate::answer::{Outcome, empty, json};
use crate::convert::networks as convert;
use crate::error::Error;
use crate::request::Call;
use http::StatusCode;
use sampan_api::body::NetworksPruned;
use sampan_engine::network;
use sampan_spec::Timestamp;

/// `GET /networks`.
pub(crate) fn list(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::FILTERS)?;
    let chosen = convert::choose(network::list(call.engine()), &filters)?;
    let shown: Vec<_> = chosen.iter().map(|network| convert::network(network, &[])).collect();
    Ok(json(StatusCode::OK, &shown))
}

/// `GET /networks/{name}`.
pub(crate) async fn inspect(call: &Call) -> Result<Outcome, Error> {
    let found = network::find(call.engine(), &call.name)?;
    if !matches!(call.query.text("scope"), "" | convert::SCOPE) {
        return Err(sampan_engine::Error::NoSuchNetwork(call.name.clone()).into());
    }
    let members = network::members(call.engine(), &found).await;
    Ok(json(StatusCode::OK, &convert::network(&found, &members)))
}

/// `POST /networks/create`.
pub(crate) async fn create(mut call: Call) -> Result<Outcome, Error> {
    // A body that nobody reads would break the client's connection before it has the answer.
    call.json().await?;
    Err(Error::unsupported("creating networks"))
}

/// `POST /networks/{name}/connect` and `disconnect`.
pub(crate) async fn connect(mut call: Call, what: &str) -> Result<Outcome, Error> {
    call.json().await?;
    network::find(call.engine(), &call.name)?;
    Err(Error::unsupported(what))
}

/// `DELETE /networks/{name}`.
pub(crate) fn remove(call: &Call) -> Result<Outcome, Error> {
    network::remove(call.engine(), &call.name)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /networks/prune`: what is always there stays.
pub(crate) fn prune(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&["label", "label!", "until"])?;
    let now = Timestamp::now();
    filters.get("until").iter().try_for_each(|text| sampan_api::time::seconds(text, now).map(drop))?;
    Ok(json(StatusCode::OK, &NetworksPruned::default()))
}
