//! `sampan`: the command line, and the engine as `sampan daemon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "daemon") {
        return sampan_server::main(std::env::args_os().skip(1));
    }
    sampan_cli::main(std::env::args_os().skip(1))
}
