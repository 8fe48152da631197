//! Clients that wait for the container's end (Engine API, "Wait for a container").

use crate::client::{Client, Role};
use crate::monitor::{Monitor, State};
use sampan_spec::journal::Summary;
use sampan_spec::monitor::WaitCondition;
use sampan_spec::stream::Stream;
use serde::Serialize;

/// The answer's body, with the fields in Docker's order.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "Error", skip_serializing_if = "Option::is_none")]
    error: Option<BodyError<'a>>,
    #[serde(rename = "StatusCode")]
    status_code: i32,
}

#[derive(Serialize)]
struct BodyError<'a> {
    #[serde(rename = "Message")]
    message: &'a str,
}

impl Monitor {
    /// Answers those who wait for one of these.
    pub(crate) fn answer_waiters(&mut self, conditions: &[WaitCondition]) {
        let summary = self.record.summary();
        for client in self.clients.values_mut() {
            if let Role::Wait(condition) = client.role
                && conditions.contains(&condition)
            {
                answer(client, condition, summary);
            }
        }
    }

    /// Whether this is so without waiting.
    pub(crate) fn is_met(&self, condition: WaitCondition) -> bool {
        match condition {
            WaitCondition::NotRunning => !self.is_active(),
            // One that comes just after an end, and there is no other with this monitor, has met it.
            WaitCondition::NextExit => matches!(self.state, State::Ended),
            WaitCondition::Removed => self.life.removed,
        }
    }
}

/// Sends the exit code, and why a start failed to whoever asked about that container: who waits for an end or a removal
/// to come hears it from the start itself, as with Docker.
fn answer(client: &mut Client, condition: WaitCondition, summary: &Summary) {
    client.push(Stream::Stdout, &body(condition, summary));
    client.end();
}

fn body(condition: WaitCondition, summary: &Summary) -> Vec<u8> {
    let error = (condition == WaitCondition::NotRunning && !summary.error.is_empty())
        .then_some(BodyError { message: &summary.error });
    let status_code = summary.exit.map_or(0, |exit| exit.code);
    let mut text = serde_json::to_vec(&Body { error, status_code }).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::journal::Exit;

    #[test]
    fn bodies_are_dockers() {
        let exit = Some(Exit { code: 127, signal: None, oom: false });
        let failed = Summary { exit, error: "no \"nope\"".into(), ..Summary::default() };
        let well = Summary { exit, ..Summary::default() };
        for (condition, summary, want) in [
            (WaitCondition::NextExit, &well, "{\"StatusCode\":127}\n"),
            (WaitCondition::NotRunning, &Summary::default(), "{\"StatusCode\":0}\n"),
            (
                WaitCondition::NotRunning,
                &failed,
                "{\"Error\":{\"Message\":\"no \\\"nope\\\"\"},\"StatusCode\":127}\n",
            ),
            (WaitCondition::NextExit, &failed, "{\"StatusCode\":127}\n"),
            (WaitCondition::Removed, &failed, "{\"StatusCode\":127}\n"),
        ] {
            assert_eq!(String::from_utf8(body(condition, summary)).unwrap(), want);
        }
    }
}
