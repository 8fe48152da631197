//! Volumes.

use crate::answer::{Outcome, empty, json};
use crate::convert::volume as convert;
use crate::error::Error;
use crate::request::Call;
use http::StatusCode;
use sampan_api::ApiVersion;
use sampan_api::body::{VolumeCreate, VolumeList};
use sampan_engine::volume;
use sampan_spec::ErrorKind;

/// Since this version a prune leaves volumes that have a name, if nobody says otherwise.
const PRUNE_SPARES: ApiVersion = ApiVersion::new(1, 42);

/// `GET /volumes`.
pub(crate) fn list(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::FILTERS)?;
    let chosen = convert::choose(volume::list(call.engine()), &filters)?;
    let volumes = chosen.iter().map(convert::volume).collect();
    Ok(json(StatusCode::OK, &VolumeList { volumes, warnings: None }))
}

/// `POST /volumes/create`.
pub(crate) async fn create(mut call: Call) -> Result<Outcome, Error> {
    let body: VolumeCreate = call.json_or_default().await?;
    let made = volume::create(call.engine(), convert::create(body)?).await?;
    Ok(json(StatusCode::CREATED, &convert::volume(&made)))
}

/// `GET /volumes/{name}`.
pub(crate) fn inspect(call: &Call) -> Result<Outcome, Error> {
    Ok(json(StatusCode::OK, &convert::volume(&volume::inspect(call.engine(), &call.name)?)))
}

/// `DELETE /volumes/{name}`.
pub(crate) async fn remove(call: &Call) -> Result<Outcome, Error> {
    match volume::remove(call.engine(), &call.name).await {
        // What is to be gone is gone.
        Err(error) if error.kind() == ErrorKind::NotFound && call.query.flag("force") => {}
        result => result?,
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /volumes/prune`.
pub(crate) async fn prune(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::PRUNE_FILTERS)?;
    let wanted = convert::prunable(filters, call.version < PRUNE_SPARES)?;
    let pruned = volume::prune(call.engine(), wanted).await?;
    Ok(json(StatusCode::OK, &convert::pruned(pruned)))
}
