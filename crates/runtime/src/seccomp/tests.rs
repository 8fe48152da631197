//! The program against a naive reading of the rules, call by call.

use super::compile::{
    AND, ARCHITECTURE_AT, ARGUMENTS_AT, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_NOT_LESS, LOAD, NUMBER_AT,
    RETURN,
};
use super::*;
use proptest::prelude::*;
use sampan_spec::oci::LinuxSeccompArg;

/// One system call, as the kernel shows it to a filter.
#[derive(Clone, Copy, Debug)]
struct Call {
    architecture: u32,
    number: u32,
    arguments: [u64; 6],
}

/// Runs a program as the kernel would.
fn run(code: &[Instruction], call: Call) -> u32 {
    let (mut at, mut a) = (0, 0u32);
    loop {
        let Instruction { code: what, jump_true, jump_false, constant } = code[at];
        let branch = |holds| usize::from(if holds { jump_true } else { jump_false });
        at += 1 + match what {
            LOAD => {
                a = load(call, constant);
                0
            }
            AND => {
                a &= constant;
                0
            }
            JUMP => constant as usize,
            JUMP_EQUAL => branch(a == constant),
            JUMP_GREATER => branch(a > constant),
            JUMP_NOT_LESS => branch(a >= constant),
            RETURN => return constant,
            other => panic!("code {other:#x}"),
        };
    }
}

fn load(call: Call, at: u32) -> u32 {
    match at {
        NUMBER_AT => call.number,
        ARCHITECTURE_AT => call.architecture,
        _ => {
            let offset = at - ARGUMENTS_AT;
            (call.arguments[offset as usize / 8] >> (offset % 8 * 8)) as u32
        }
    }
}

/// The rules read as they are written.
fn expected(filter: &Filter, call: Call) -> u32 {
    let architecture = filter.architectures.iter().find(|a| a.audit == call.architecture);
    let in_range = |r: &&Range| (r.first..=r.last).contains(&call.number);
    let Some(range) = architecture.and_then(|a| a.ranges.iter().find(in_range)) else {
        return RET_KILL_THREAD;
    };
    if range.rules.last_key_value().is_some_and(|(highest, _)| call.number > *highest) {
        return range.beyond;
    }
    let rules = range.rules.get(&call.number).map(Vec::as_slice).unwrap_or_default();
    let rule = rules.iter().find(|r| r.conditions.iter().all(|c| holds(*c, call)));
    rule.map_or(filter.default, |r| r.action)
}

fn holds(condition: Condition, call: Call) -> bool {
    let Condition { argument, operator, value, second } = condition;
    let actual = call.arguments[usize::from(argument)];
    match operator {
        LinuxSeccompOperator::Ne => actual != value,
        LinuxSeccompOperator::Lt => actual < value,
        LinuxSeccompOperator::Le => actual <= value,
        LinuxSeccompOperator::Eq => actual == value,
        LinuxSeccompOperator::Ge => actual >= value,
        LinuxSeccompOperator::Gt => actual > value,
        LinuxSeccompOperator::MaskedEq => actual & value == second,
    }
}

/// Values that often meet: small, around the halves' border, and any.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![0..4u64, (0..3u64, 0..3u64).prop_map(|(h, l)| h << 32 | l), any::<u64>()]
}

fn operator() -> impl Strategy<Value = LinuxSeccompOperator> {
    prop::sample::select(LinuxSeccompOperator::ALL)
}

fn argument() -> impl Strategy<Value = LinuxSeccompArg> {
    (0..3u32, operator(), value(), value()).prop_map(|(index, op, value, second)| LinuxSeccompArg {
        index,
        op,
        value,
        value_two: Some(second),
    })
}

fn syscall() -> impl Strategy<Value = LinuxSyscall> {
    let names = prop::sample::subsequence(
        vec!["read", "write", "open", "close", "execve", "clone3", "socketcall", "nosuch", "pwritev2"],
        1..4,
    );
    let action = prop::sample::select(vec![
        LinuxSeccompAction::Allow,
        LinuxSeccompAction::Errno,
        LinuxSeccompAction::Trap,
        LinuxSeccompAction::KillProcess,
        LinuxSeccompAction::Log,
    ]);
    let arguments = prop::collection::vec(argument(), 0..4);
    (names, action, 0..200u32, arguments).prop_map(|(names, action, errno, arguments)| {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        LinuxSyscall { names, action, errno_ret: Some(errno), args: Some(arguments) }
    })
}

fn profile() -> impl Strategy<Value = LinuxSeccomp> {
    let default = prop::sample::select(vec![
        LinuxSeccompAction::Allow,
        LinuxSeccompAction::Errno,
        LinuxSeccompAction::Kill,
    ]);
    let architectures = prop::sample::subsequence(vec![Arch::X86_64, Arch::X86, Arch::X32], 0..=3);
    let syscalls = prop::collection::vec(syscall(), 0..12);
    (default, architectures, syscalls)
        .prop_map(|(default, architectures, syscalls)| with_rules(default, architectures, syscalls))
}

fn with_rules(default: LinuxSeccompAction, on: Vec<Arch>, syscalls: Vec<LinuxSyscall>) -> LinuxSeccomp {
    LinuxSeccomp {
        default_action: default,
        default_errno_ret: None,
        architectures: Some(on),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls: Some(syscalls),
    }
}

fn call() -> impl Strategy<Value = Call> {
    let architecture = prop::sample::select(vec![0xc000_003eu32, 0x4000_0003, 0xc000_00b7]);
    let number = prop_oneof![
        0..8u32,
        Just(11),
        Just(59),
        Just(102),
        Just(328),
        Just(379),
        434..437u32,
        any::<u32>(),
        (0..4u32).prop_map(|n| 0x4000_0000 | n),
        Just(0x4000_0000 | 520),
        Just(0x4000_0000 | 547),
        Just(0x4000_0000 | 548),
        Just(0x3fff_ffff),
    ];
    (architecture, number, prop::array::uniform6(value()))
        .prop_map(|(architecture, number, arguments)| Call { architecture, number, arguments })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_program_decides_as_the_rules_read(
        profile in profile(),
        calls in prop::collection::vec(call(), 1..40),
    ) {
        let filter = resolve(&profile).unwrap();
        let code = compile::compile(&filter);
        for call in calls {
            prop_assert_eq!(run(&code, call), expected(&filter, call), "{:?}", call);
        }
    }
}

const X86_64: u32 = 0xc000_003e;

fn check(profile: &str, number: u32, arguments: [u64; 6], want: u32) {
    let profile: LinuxSeccomp = serde_json::from_str(profile).unwrap();
    let code = program(&profile).unwrap().code;
    let call = Call { architecture: X86_64, number, arguments };
    assert_eq!(run(&code, call), want, "{number} {arguments:x?}");
}

#[test]
fn rules_with_arguments_defaults_and_unknown_calls() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],
        "syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
        {"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},
        {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]},
        {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}]}"#;
    let first = |a| [a, 0, 0, 0, 0, 0];
    check(profile, 0, first(0), RET_ALLOW);
    check(profile, 2, first(0), RET_ERRNO | 1);
    check(profile, 56, first(0x11), RET_ALLOW);
    check(profile, 56, first(0x1000_0000), RET_ERRNO | 1);
    check(profile, 435, first(0), RET_ERRNO | 38);
    check(profile, 436, first(0), RET_ERRNO | 38);
    check(profile, 135, first(8), RET_ALLOW);
    check(profile, 135, first(1), RET_ERRNO | 1);
    check(profile, 135, first(1 << 32), RET_ERRNO | 1);
    check(profile, 0x4000_0000, first(0), RET_KILL_THREAD);
}

#[test]
fn a_large_profile_is_shallow() {
    let names: Vec<String> = (0..460u32)
        .filter(|n| n % 3 != 0)
        .filter_map(|n| syscalls::x86_64::Sysno::new(n as usize).map(|s| s.name().to_owned()))
        .collect();
    let syscall = LinuxSyscall { names, action: LinuxSeccompAction::Allow, errno_ret: None, args: None };
    let on = vec![Arch::X86_64, Arch::X86, Arch::X32];
    let profile = with_rules(LinuxSeccompAction::Errno, on, vec![syscall]);
    let program = program(&profile).unwrap();
    assert!(program.code.len() < 3000, "{}", program.code.len());
    assert_eq!(program.flags, 4);
    let filter = resolve(&profile).unwrap();
    for number in (0..600).chain((0..600).map(|n| n | 0x4000_0000)) {
        for architecture in [X86_64, 0x4000_0003] {
            let call = Call { architecture, number, arguments: [0; 6] };
            assert_eq!(run(&program.code, call), expected(&filter, call), "{call:x?}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (profile, word) in [
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "NOTIFY"),
        (r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}"#, "listenerPath"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO",
                "args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
            "argument 6",
        ),
    ] {
        let profile: LinuxSeccomp = serde_json::from_str(profile).unwrap();
        assert!(program(&profile).unwrap_err().message.contains(word));
    }
}
