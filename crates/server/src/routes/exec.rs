//! Processes executed in containers.

use super::container::size;
use super::stream::attach_stream;
use crate::answer::{Outcome, empty, json};
use crate::convert::exec as convert;
use crate::error::Error;
use crate::handover::{Refusal, Refuses};
use crate::request::{Call, typed};
use http::StatusCode;
use sampan_api::body::{ExecCreated, ExecStart};
use sampan_engine::Error as EngineError;
use sampan_engine::container::{self, ExecStarted};

/// `POST /containers/{name}/exec`.
pub(crate) async fn create(mut call: Call) -> Result<Outcome, Error> {
    let request = convert::request(typed(call.json().await?)?)?;
    let id = container::exec_create(call.engine(), &call.name, request).await?;
    Ok(json(StatusCode::CREATED, &ExecCreated { id: id.to_string() }))
}

/// `POST /exec/{id}/start`.
pub(crate) async fn start(mut call: Call) -> Result<Outcome, Error> {
    let body: ExecStart = call.json_or_default().await?;
    let start = container::ExecStart { detach: body.detach, size: convert::size(body.console_size) };
    match container::exec_start(call.engine(), &call.name, start).await {
        Ok(ExecStarted::Detached) => Ok(empty(StatusCode::OK)),
        Ok(ExecStarted::Handover(handover, tty)) => {
            Ok(attach_stream(&call, Box::new(handover), tty, Refusal::Stream))
        }
        // Docker finds this out when the stream has begun, and says it there.
        Err(error @ EngineError::ExecAlreadyRan(_)) if !body.detach => {
            Ok(attach_stream(&call, Box::new(Refuses(error.into())), body.tty, Refusal::Stream))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /exec/{id}/resize`.
pub(crate) async fn resize(call: &Call) -> Result<Outcome, Error> {
    let (rows, columns) = size(call)?;
    match container::exec_resize(call.engine(), &call.name, rows, columns).await {
        // As for containers.
        Err(EngineError::NoTerminal(_)) => {}
        other => other?,
    }
    Ok(empty(StatusCode::OK))
}

/// `GET /exec/{id}/json`.
pub(crate) async fn inspect(call: &Call) -> Result<Outcome, Error> {
    let snapshot = container::exec_inspect(call.engine(), &call.name).await?;
    Ok(json(StatusCode::OK, &convert::inspect(&snapshot)))
}
