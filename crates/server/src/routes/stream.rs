//! Heads of long-lived answers, which a monitor writes.

use crate::answer::{Outcome, stream_head};
use crate::handover::{Handover, Refusal, Taker};
use crate::request::Call;
use sampan_api::{ApiVersion, MULTIPLEXED_STREAM, RAW_STREAM};
use sampan_spec::monitor::Framing;

/// Since this version a stream's content type says whether it is multiplexed.
const TOLD_APART_SINCE: ApiVersion = ApiVersion::new(1, 42);

/// What a stream of a process's output is called.
pub(super) fn content_type(version: ApiVersion, tty: bool) -> &'static str {
    if tty || version < TOLD_APART_SINCE { RAW_STREAM } else { MULTIPLEXED_STREAM }
}

/// A two-way stream for attach and exec, by upgrade if the client asks for one.
pub(super) fn attach_stream(call: &Call, taker: Box<dyn Taker>, tty: bool, refusal: Refusal) -> Outcome {
    let head = if call.upgrades() {
        let kind = content_type(call.version, tty);
        stream_head("101 UPGRADED", &[("Content-Type", kind), ("Connection", "Upgrade"), ("Upgrade", "tcp")])
    } else {
        stream_head("200 OK", &[("Content-Type", RAW_STREAM)])
    };
    Outcome::Handover(Box::new(Handover {
        taker,
        head,
        framing: Framing { multiplexed: !tty, chunked: false },
        refusal,
    }))
}

/// A JSON document that comes later.
pub(super) fn json_stream(handover: sampan_engine::Handover) -> Outcome {
    chunked(handover, "application/json", false)
}

/// A log that grows.
pub(super) fn log_stream(call: &Call, handover: sampan_engine::Handover, tty: bool) -> Outcome {
    chunked(handover, content_type(call.version, tty), !tty)
}

/// Such a connection cannot be used again: the client must hear of it.
fn chunked(handover: sampan_engine::Handover, kind: &str, multiplexed: bool) -> Outcome {
    let headers = [("Content-Type", kind), ("Transfer-Encoding", "chunked"), ("Connection", "close")];
    Outcome::Handover(Box::new(Handover {
        taker: Box::new(handover),
        head: stream_head("200 OK", &headers),
        framing: Framing { multiplexed, chunked: true },
        refusal: Refusal::Status,
    }))
}
