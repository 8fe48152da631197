//! Exec processes: what is asked for, and what is so.

use super::keys::escape_keys;
use crate::error::Error;
use sampan_api::body::{ExecCreate, ExecInspect, ExecProcessConfig};
use sampan_engine::container::{Attach, ExecRequest, ExecSnapshot};

/// The engine's request for a body.
///
/// # Errors
/// When the detach keys are no keys, or something is asked for that this engine cannot do.
pub(crate) fn request(body: ExecCreate) -> Result<ExecRequest, Error> {
    if body.privileged {
        return Err(Error::unsupported("Privileged"));
    }
    Ok(ExecRequest {
        command: body.cmd.unwrap_or_default(),
        env: body.env.unwrap_or_default(),
        working_dir: body.working_dir,
        user: body.user,
        tty: body.tty,
        attach: Attach { stdin: body.attach_stdin, stdout: body.attach_stdout, stderr: body.attach_stderr },
        detach_keys: escape_keys(&body.detach_keys)?,
        size: size(body.console_size),
    })
}

/// Rows and columns, where they are any.
pub(crate) fn size(size: Option<[u32; 2]>) -> Option<(u16, u16)> {
    let [rows, columns] = size?.map(|cells| u16::try_from(cells).unwrap_or(u16::MAX));
    (rows > 0 && columns > 0).then_some((rows, columns))
}

/// The body of `GET /exec/{id}/json`.
pub(crate) fn inspect(snapshot: &ExecSnapshot) -> ExecInspect {
    let exec = &snapshot.exec;
    let process = &exec.process.process;
    let mut arguments = process.args.iter().flatten().cloned();
    ExecInspect {
        id: snapshot.id.to_string(),
        running: exec.pid.is_some() && exec.ended.is_none(),
        exit_code: exec.code,
        process_config: ExecProcessConfig {
            tty: process.terminal.unwrap_or(false),
            entrypoint: arguments.next().unwrap_or_default(),
            arguments: arguments.collect(),
            privileged: false,
            user: String::new(),
        },
        open_stdin: exec.process.stdin,
        open_stderr: exec.process.stderr,
        open_stdout: exec.process.stdout,
        can_remove: false,
        container_id: snapshot.container.to_string(),
        detach_keys: String::new(),
        pid: exec.pid.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_are_none() {
        for (given, want) in [
            (None, None),
            (Some([0, 0]), None),
            (Some([24, 80]), Some((24, 80))),
            (Some([1, 70_000]), Some((1, 65_535))),
        ] {
            assert_eq!(size(given), want);
        }
    }
}
