//! Compiles `src/main.rs` into the static program that `src/lib.rs` embeds: cargo cannot do that for a stable library.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("hello");
    let mut rustc = Command::new(env::var_os("RUSTC").ok_or("no RUSTC")?);
    rustc.args(["--edition=2024", "--crate-name=hello", "src/main.rs", "-o"]).arg(&out);
    rustc.arg("--target").arg(env::var_os("TARGET").ok_or("no TARGET")?);
    for option in ["opt-level=s", "lto=fat", "codegen-units=1", "panic=abort", "strip=symbols"] {
        rustc.args(["-C", option]);
    }
    rustc.args(["-C", "target-feature=+crt-static", "-C", "relocation-model=static"]);
    // It is built for embedding, not for looking at: cargo checks the same file as a program of its own.
    rustc.arg("--cap-lints=allow");
    let status = rustc.status()?;
    println!("cargo::rerun-if-changed=src/main.rs");
    if status.success() { Ok(()) } else { Err(format!("{rustc:?} ended with {status}").into()) }
}
