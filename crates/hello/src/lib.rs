//! The program of the built-in image `hello`, as bytes: what `main.rs` beside this file compiles to, static.

/// A static ELF program for this platform.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hello"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_an_executable_that_needs_no_loader() {
        assert_eq!(&PROGRAM[..4], b"\x7fELF");
        let loader = b"/lib64/ld-linux";
        assert!(!PROGRAM.windows(loader.len()).any(|w| w == loader));
        assert!(PROGRAM.len() < 1_500_000, "{} bytes", PROGRAM.len());
    }
}
