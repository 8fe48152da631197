//! The eBPF program that decides about device access on cgroup v2 (bpf(2), `BPF_PROG_TYPE_CGROUP_DEVICE`).

use crate::cgroup::{Access, DeviceRule};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// One instruction (Documentation/bpf/standardization/instruction-set.rst).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high half.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const LOAD_U32: u8 = 0x61;
const AND_IMMEDIATE: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE_REGISTER: u8 = 0xbc;
const MOVE_IMMEDIATE: u8 = 0xb7;
const JUMP_NOT_EQUAL: u8 = 0x56;
const JUMP_REGISTERS_DIFFER: u8 = 0x5e;
const JUMP_EQUAL: u8 = 0x16;
const EXIT: u8 = 0x95;

const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 1;

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// The program for these rules: the last that matches decides, and what none matches is allowed.
pub fn device_program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        op(LOAD_U32, KIND, CONTEXT, 0, 0),
        op(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        op(AND_IMMEDIATE, KIND, 0, 0, 0xffff),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(LOAD_U32, MAJOR, CONTEXT, 4, 0),
        op(LOAD_U32, MINOR, CONTEXT, 8, 0),
    ];
    // The kernel refuses code that is never reached.
    let always = rules.iter().rposition(matches_always);
    rules[always.unwrap_or(0)..].iter().rev().for_each(|rule| append_rule(&mut program, rule));
    if always.is_none() {
        program.extend(answer(true));
    }
    program
}

fn matches_always(rule: &DeviceRule) -> bool {
    let DeviceRule { kind, major, minor, access, .. } = rule;
    kind.is_none() && major.is_none() && minor.is_none() && *access == Access::all()
}

/// Conditions that jump behind the rule where they do not hold, then the answer.
fn append_rule(program: &mut Vec<Instruction>, rule: &DeviceRule) {
    let mut body = Vec::new();
    let mut conditions = Vec::new();
    let unequal = |register, value: u32| op(JUMP_NOT_EQUAL, register, 0, 0, value as i32);
    if let Some(kind) = rule.kind {
        conditions.push(body.len());
        body.push(unequal(KIND, kind as u32));
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number {
            conditions.push(body.len());
            body.push(unequal(register, number));
        }
    }
    if rule.access != Access::all() {
        body.push(op(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        body.push(op(AND_IMMEDIATE, SCRATCH, 0, 0, rule.access.bits() as i32));
        conditions.push(body.len());
        body.push(match rule.allow {
            true => op(JUMP_REGISTERS_DIFFER, SCRATCH, ACCESS, 0, 0),
            false => op(JUMP_EQUAL, SCRATCH, 0, 0, 0),
        });
    }
    body.extend(answer(rule.allow));
    let length = body.len();
    for at in conditions {
        body[at].offset = (length - at - 1) as i16;
    }
    program.extend(body);
}

fn answer(allow: bool) -> [Instruction; 2] {
    [op(MOVE_IMMEDIATE, RESULT, 0, 0, i32::from(allow)), op(EXIT, 0, 0, 0, 0)]
}

const fn op(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, immediate }
}

/// The part of `union bpf_attr` that loading takes.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    length: u32,
    instructions: u64,
    license: u64,
}

/// The part of `union bpf_attr` that attaching takes.
#[repr(C)]
struct AttachAttributes {
    cgroup: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Loads the program and attaches it to the cgroup v2 folder for as long as that exists.
///
/// # Errors
/// Those of opening the folder and of bpf(2).
pub fn load_and_attach_device_program(program: &[Instruction], cgroup: &Path) -> io::Result<()> {
    let cgroup = File::open(cgroup)?;
    let loaded = load(program)?;
    let mut attributes = AttachAttributes {
        cgroup: cgroup.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    bpf(PROG_ATTACH, &mut attributes)?;
    Ok(())
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut attributes = LoadAttributes {
        program_type: PROG_TYPE_CGROUP_DEVICE,
        length: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
    };
    let fd = bpf(PROG_LOAD, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are a live prefix of `union bpf_attr` of the given size; what their pointers refer to
    // outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::DeviceKind;
    use proptest::prelude::*;

    /// Runs a program on (kind, access, major, minor) as the kernel would.
    fn run(program: &[Instruction], context: [u32; 4]) -> bool {
        let [kind, access, major, minor] = context;
        let memory = [access << 16 | kind, major, minor];
        let mut r = [0u32; 6];
        let mut pc = 0;
        loop {
            let Instruction { code, registers, offset, immediate } = program[pc];
            let (d, s) = (usize::from(registers & 15), usize::from(registers >> 4));
            let jump = match code {
                LOAD_U32 => {
                    assert_eq!(s, usize::from(CONTEXT));
                    r[d] = memory[offset as usize / 4];
                    false
                }
                AND_IMMEDIATE => {
                    r[d] &= immediate as u32;
                    false
                }
                SHIFT_RIGHT => {
                    r[d] >>= immediate;
                    false
                }
                MOVE_REGISTER => {
                    r[d] = r[s];
                    false
                }
                MOVE_IMMEDIATE => {
                    r[d] = immediate as u32;
                    false
                }
                JUMP_NOT_EQUAL => r[d] != immediate as u32,
                JUMP_EQUAL => r[d] == immediate as u32,
                JUMP_REGISTERS_DIFFER => r[d] != r[s],
                EXIT => return r[0] == 1,
                other => panic!("code {other:#x}"),
            };
            pc += 1 + if jump { offset as usize } else { 0 };
        }
    }

    fn expected(rules: &[DeviceRule], context: [u32; 4]) -> bool {
        let [kind, access, major, minor] = context;
        let access = Access::from_bits_truncate(access);
        let matches = |rule: &&DeviceRule| {
            rule.kind.is_none_or(|k| k as u32 == kind)
                && rule.major.is_none_or(|m| m == major)
                && rule.minor.is_none_or(|m| m == minor)
                && if rule.allow { rule.access.contains(access) } else { rule.access.intersects(access) }
        };
        rules.iter().rev().find(matches).is_none_or(|rule| rule.allow)
    }

    fn any_rule() -> impl Strategy<Value = DeviceRule> {
        let kind = prop_oneof![Just(None), Just(Some(DeviceKind::Block)), Just(Some(DeviceKind::Char))];
        let number = || proptest::option::of(0..3u32);
        (any::<bool>(), kind, number(), number(), prop_oneof![1..8u32, Just(7)]).prop_map(
            |(allow, kind, major, minor, access)| DeviceRule {
                allow,
                kind,
                major,
                minor,
                access: Access::from_bits_truncate(access),
            },
        )
    }

    proptest! {
        #[test]
        fn the_program_decides_as_the_rules(
            rules in proptest::collection::vec(any_rule(), 0..8),
            context in (1..3u32, 1..8u32, 0..3u32, 0..3u32),
        ) {
            let context = [context.0, context.1, context.2, context.3];
            prop_assert_eq!(run(&device_program(&rules), context), expected(&rules, context));
        }
    }

    #[test]
    fn the_kernel_takes_it() {
        let rule = |allow, major| DeviceRule {
            allow,
            kind: Some(DeviceKind::Char),
            major,
            minor: Some(u32::MAX),
            access: Access::READ,
        };
        load(&device_program(&[rule(false, None), rule(true, Some(1)), rule(false, Some(5))])).unwrap();
        let all = DeviceRule { kind: None, minor: None, access: Access::all(), ..rule(false, None) };
        load(&device_program(&[rule(true, None), all, rule(true, Some(1))])).unwrap();
        load(&device_program(&[all])).unwrap();
        load(&device_program(&[])).unwrap();
    }
}
