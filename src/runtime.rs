//! The runtime's program: an OCI runtime's command line, the monitor of a container, its relay and what compresses its log, the
//! keeper of the daemon, and process 1 of a container with `--init`, where it is mounted as `docker-init`.

use sampan_monitor::{PACK_LOG, keep, relay};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == "docker-init") {
        // Behind the name stands `--`.
        return code(sampan_runtime::init::run(std::env::args_os().skip(2)));
    }
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("monitor") if args.len() == 2 => match sampan_monitor::run(Path::new(&args[1])) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        Some(PACK_LOG) if args.len() == 1 => match sampan_monitor::pack_log() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        Some("relay") if args.len() == 2 => match relay::relay() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        Some("keep") => keep::keep(&args[1..]).unwrap_or_else(|error| fail(&error)),
        Some("keep-exec") => fail(&keep::execute(&args[1..])),
        _ => oci(&args),
    }
}

fn oci(args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    code(sampan_runtime::cli::run(&args, &mut std::io::stdout(), &mut std::io::stderr()))
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn fail(error: &dyn Display) -> ExitCode {
    // There is nowhere else to tell it.
    let _ = writeln!(std::io::stderr(), "sampan-runtime: {error}");
    ExitCode::FAILURE
}
