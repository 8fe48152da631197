//! Sampan's daemon: the Engine API over HTTP on unix sockets and loopback TCP, and where everything is wired.
//!
//! A request goes through four files: [`connection`] (its client), [`route`] (its endpoint), `routes/` (body to verb to
//! body, a file per noun) and `convert/` (Docker's shapes to the engine's and back). A long-lived one ends in
//! [`handover`]: the client's socket itself goes to the container's monitor.

mod answer;
mod connection;
mod convert;
mod daemon;
mod error;
mod group;
mod handover;
mod listen;
mod lock;
mod notify;
mod options;
mod request;
mod route;
mod routes;
mod upload;

pub use daemon::{DaemonError, clean_up, daemon};
pub use options::{ConfigError, DaemonOptions, Level};

use clap::Parser;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// `sampan daemon`: reads the options (the program's name and `daemon` come first), runs until it is told to stop.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match options::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Only a closed output can be wrong with it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    let run = |options: DaemonOptions| if options.clean_up { clean_up(&options) } else { daemon(options) };
    let result = DaemonOptions::new(arguments).map_err(DaemonError::Config).and_then(run);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The daemon's own last word, whether or not its log was set up.
fn complain(error: &DaemonError) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "sampan daemon: {}", error::with_sources(error));
}
