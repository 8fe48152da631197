//! One client's connection: HTTP until it ends, or until a request turns it into a stream and it leaves for a monitor.

use crate::answer::{Body, Outcome};
use crate::handover::Handover;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sampan_api::socket::Socket;
use std::convert::Infallible;
use std::future::Future;
use tokio::sync::{mpsc, watch};

/// So much is read from a client at a time, in bytes: less than what the allocator gets from the system each time anew,
/// page by page, and still enough for the longest head that there may be.
const BUFFER_MAX: usize = 96 << 10;

/// Serves a client to its end. `answer` is asked for each request. When `stopping` becomes true, the request under way is
/// the last.
pub(crate) async fn serve<A, F>(socket: Socket, answer: A, mut stopping: watch::Receiver<bool>)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Outcome>,
{
    let (sender, mut handovers) = mpsc::channel::<Box<Handover>>(1);
    let service = service_fn(|request| respond(answer(request), sender.clone()));
    let mut http = http1::Builder::new();
    // Without half close a client that has no more input would not get its answer. There is no time limit for idle
    // connections: clients keep them, and one that closes as it is used again fails a request.
    http.half_close(true).pipeline_flush(false).max_buf_size(BUFFER_MAX);
    let mut connection = http.serve_connection(TokioIo::new(socket), service);
    let handover = loop {
        tokio::select! {
            biased;
            Some(handover) = handovers.recv() => break handover,
            ended = &mut connection => return note(ended),
            true = stops(&mut stopping) => std::pin::Pin::new(&mut connection).graceful_shutdown(),
        }
    };
    let parts = connection.into_parts();
    if let Err(error) = handover.complete(parts.io.into_inner(), parts.read_buf).await {
        tracing::debug!("a client was lost on the way to its monitor: {error}");
    }
}

/// A request's response; a handover goes another way, and its request stays without an answer for ever: the connection
/// is taken from under it.
async fn respond(
    outcome: impl Future<Output = Outcome>,
    handovers: mpsc::Sender<Box<Handover>>,
) -> Result<Response<Body>, Infallible> {
    match outcome.await {
        Outcome::Answer(response) => Ok(response),
        Outcome::Handover(handover) => {
            // The connection's task is there as long as this future is polled.
            let _ = handovers.send(handover).await;
            std::future::pending().await
        }
    }
}

/// True once, when the daemon stops; pending otherwise.
async fn stops(stopping: &mut watch::Receiver<bool>) -> bool {
    match stopping.changed().await {
        Ok(()) => *stopping.borrow(),
        Err(_) => std::future::pending().await,
    }
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended badly: {error}");
    }
}
