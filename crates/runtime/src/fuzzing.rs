//! What the fuzz targets reach into this crate for. It is in no other build.

use sampan_sys::seccomp::Instruction;

/// The filter program of a seccomp profile in JSON, if it makes one.
pub fn seccomp(profile: &[u8]) -> Option<Vec<Instruction>> {
    let profile = serde_json::from_slice(profile).ok()?;
    crate::seccomp::program(&profile).ok().map(|program| program.code)
}
