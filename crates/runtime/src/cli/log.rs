//! Where engines read what went wrong: the file of `--log`, as text or JSON lines.

use super::args::Parsed;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// A log file, if there is one.
pub(super) struct Log {
    file: Option<PathBuf>,
    json: bool,
    debug: bool,
}

impl Log {
    /// The log that the global options name.
    pub(super) fn of(global: &Parsed) -> Self {
        Self {
            file: global.text("log").map(PathBuf::from),
            json: global.value("log-format") == Some("json"),
            debug: global.has("debug"),
        }
    }

    /// Something that the user should know, and that stops nothing.
    pub(super) fn warn(&self, message: &str) {
        self.write("warning", message);
    }

    /// Why the command failed.
    pub(super) fn error(&self, message: &str) {
        self.write("error", message);
    }

    /// A step, told with `--debug` only.
    pub(super) fn debug(&self, message: &str) {
        if self.debug {
            self.write("debug", message);
        }
    }

    fn write(&self, level: &str, message: &str) {
        let Some(path) = &self.file else { return };
        let time = sampan_spec::Timestamp::now().to_string();
        let line = if self.json {
            serde_json::json!({"level": level, "msg": message, "time": time}).to_string()
        } else {
            format!("time={time:?} level={level} msg={message:?}")
        };
        // Nobody is left to tell about a log that cannot be written.
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let _ = opened.and_then(|mut log| writeln!(log, "{line}"));
    }
}
