//! `sampan`: the command line, and the engine as `sampan daemon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sampan_cli::main(std::env::args_os().skip(1))
}
