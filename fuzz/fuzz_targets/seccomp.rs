//! A profile makes a filter that the kernel would take: no jump leads out of it, and it ends with a return.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_sys::seccomp::{Instruction, LENGTH_MAX};

const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;

fuzz_target!(|profile: &[u8]| {
    let Some(code) = sampan_runtime::fuzzing::seccomp(profile) else { return };
    assert!(code.len() <= LENGTH_MAX);
    assert_eq!(code.last().map(|last| last.code), Some(RETURN));
    for (at, instruction) in code.iter().enumerate() {
        for skipped in skips(instruction) {
            assert!(at + 1 + skipped < code.len(), "{at}: {instruction:?} leads out of the filter");
        }
    }
});

/// How many instructions may be jumped over.
fn skips(instruction: &Instruction) -> Vec<usize> {
    match instruction.code {
        JUMP => vec![instruction.constant as usize],
        code if code & 7 == JUMP => [instruction.jump_true, instruction.jump_false].map(usize::from).to_vec(),
        _ => Vec::new(),
    }
}
