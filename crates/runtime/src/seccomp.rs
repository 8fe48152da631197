//! From a configuration's `linux.seccomp` to a filter program (runtime specification, config-linux.md "Seccomp").
//!
//! What a rule means here:
//! - Of the rules for a system call the first that matches decides; those without arguments match always, so a rule with
//!   arguments behind one counts for nothing. If none matches, the default action does.
//! - A rule's arguments must all hold; where it names one argument twice, any of them.
//! - A name that this program does not know counts for nothing, as with the other runtimes. So that programs may try new
//!   system calls, those with higher numbers than all named ones fail with ENOSYS where the default is to refuse.
//! - An architecture that is not listed is killed; without a list only the native one is allowed.

mod compile;
mod numbers;

use crate::failure::{failure, stage};
use numbers::{Numbers, Table};
use sampan_spec::journal::Failure;
use sampan_spec::oci::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSeccompOperator, LinuxSyscall,
};
use sampan_sys::seccomp::Instruction;
use std::collections::BTreeMap;

/// A filter that can be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The instructions.
    pub(crate) code: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub(crate) flags: u32,
}

/// A filter with numbers instead of names.
#[derive(Clone, Debug, Default)]
struct Filter {
    default: u32,
    architectures: Vec<Architecture>,
}

/// The rules for one value of `seccomp_data.arch`.
#[derive(Clone, Debug, Default)]
struct Architecture {
    audit: u32,
    /// Number ranges of this architecture: x86_64 has another one for x32.
    ranges: Vec<Range>,
}

/// The system calls of one kind of program: numbers of `first..=last`.
#[derive(Clone, Debug, Default)]
struct Range {
    first: u32,
    last: u32,
    rules: BTreeMap<u32, Vec<Rule>>,
    /// What happens to numbers above all named ones.
    beyond: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    action: u32,
    conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Condition {
    argument: u8,
    operator: LinuxSeccompOperator,
    value: u64,
    second: u64,
}

const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
/// The kernel cuts an error number here (`SECCOMP_RET_DATA`).
const DATA_MASK: u32 = 0xffff;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const ARGUMENTS: u32 = 6;

/// The actions that can be taken.
pub(crate) fn actions() -> Vec<&'static str> {
    let can = |one: &&LinuxSeccompAction| action(**one, None).is_ok();
    LinuxSeccompAction::ALL.iter().filter(can).map(|one| one.name()).collect()
}

/// The architectures whose programs this machine executes.
pub(crate) fn architectures() -> Vec<&'static str> {
    if std::env::consts::ARCH == "x86_64" {
        [Arch::X86_64, Arch::X86, Arch::X32].iter().map(|one| one.name()).collect()
    } else {
        Vec::new()
    }
}

/// Makes the program for a profile.
///
/// # Errors
/// A failure that names what cannot be done: notification, an argument that does not exist, a program that is too long.
pub(crate) fn program(profile: &LinuxSeccomp) -> Result<Program, Failure> {
    if profile.listener_path.is_some() {
        return Err(failure(stage::SECCOMP, "seccomp notification (listenerPath) is not supported"));
    }
    let filter = resolve(profile)?;
    let code = compile::compile(&filter);
    if code.len() > sampan_sys::seccomp::LENGTH_MAX {
        let message = format!("the seccomp profile makes a program of {} instructions", code.len());
        return Err(failure(stage::SECCOMP, message));
    }
    Ok(Program { code, flags: flags(profile) })
}

/// Names to numbers.
fn resolve(profile: &LinuxSeccomp) -> Result<Filter, Failure> {
    let default = action(profile.default_action, profile.default_errno_ret)?;
    let permissive = matches!(default & !DATA_MASK, RET_ALLOW | RET_LOG | RET_TRACE);
    let beyond = if permissive { default } else { RET_ERRNO | ENOSYS };
    let mut filter = Filter { default, architectures: Vec::new() };
    let numbers = Numbers::new();
    for table in tables(profile.architectures.as_deref())? {
        let number = |name: &str| numbers.number(table, name);
        let rules = rules(profile.syscalls.as_deref().unwrap_or_default(), number, default)?;
        let range = Range { first: table.first(), last: table.last(), rules, beyond };
        match filter.architectures.iter_mut().find(|a| a.audit == table.audit()) {
            Some(architecture) => architecture.ranges.push(range),
            None => {
                filter.architectures.push(Architecture { audit: table.audit(), ranges: vec![range] });
            }
        }
    }
    Ok(filter)
}

/// The architectures that this machine can execute, each once, the native one first.
fn tables(architectures: Option<&[Arch]>) -> Result<Vec<Table>, Failure> {
    if std::env::consts::ARCH != "x86_64" {
        let message = format!("seccomp is not supported on {}", std::env::consts::ARCH);
        return Err(failure(stage::SECCOMP, message));
    }
    let mut tables = vec![Table::X86_64];
    for architecture in architectures.unwrap_or_default() {
        let table = match architecture {
            Arch::X86 => Table::X86,
            Arch::X32 => Table::X32,
            _ => continue,
        };
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    Ok(tables)
}

fn rules(
    syscalls: &[LinuxSyscall],
    number: impl Fn(&str) -> Option<u32>,
    default: u32,
) -> Result<BTreeMap<u32, Vec<Rule>>, Failure> {
    let mut rules: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    for syscall in syscalls {
        let action = action(syscall.action, syscall.errno_ret)?;
        let alternatives = conditions(syscall)?;
        for number in syscall.names.iter().filter_map(|name| number(name)) {
            let rules = rules.entry(number).or_default();
            if action != default {
                let new = alternatives.iter().map(|c| Rule { action, conditions: c.clone() });
                rules.extend(new);
            }
        }
    }
    Ok(rules)
}

/// The conditions of a rule, as alternatives.
fn conditions(syscall: &LinuxSyscall) -> Result<Vec<Vec<Condition>>, Failure> {
    let mut all = Vec::new();
    for argument in syscall.args.as_deref().unwrap_or_default() {
        if argument.index >= ARGUMENTS {
            let message = format!("seccomp: a system call has no argument {}", argument.index);
            return Err(failure(stage::SECCOMP, message));
        }
        all.push(Condition {
            argument: argument.index as u8,
            operator: argument.op,
            value: argument.value,
            second: argument.value_two.unwrap_or(0),
        });
    }
    let twice = all.iter().enumerate().any(|(i, c)| all[..i].iter().any(|d| d.argument == c.argument));
    Ok(if twice { all.into_iter().map(|c| vec![c]).collect() } else { vec![all] })
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32, Failure> {
    let errno = errno.unwrap_or(EPERM) & DATA_MASK;
    Ok(match action {
        LinuxSeccompAction::Kill | LinuxSeccompAction::KillThread => RET_KILL_THREAD,
        LinuxSeccompAction::KillProcess => RET_KILL_PROCESS,
        LinuxSeccompAction::Trap => RET_TRAP,
        LinuxSeccompAction::Errno => RET_ERRNO | errno,
        LinuxSeccompAction::Trace => RET_TRACE | errno,
        LinuxSeccompAction::Log => RET_LOG,
        LinuxSeccompAction::Allow => RET_ALLOW,
        LinuxSeccompAction::Notify => {
            return Err(failure(stage::SECCOMP, "seccomp notification (SCMP_ACT_NOTIFY) is not supported"));
        }
    })
}

/// Without a list, the speculation mitigation that a filter would bring is left off, as the other runtimes do.
fn flags(profile: &LinuxSeccomp) -> u32 {
    const SPEC_ALLOW: u32 = 4;
    let Some(flags) = &profile.flags else { return SPEC_ALLOW };
    let bit = |flag: &LinuxSeccompFilterFlag| match flag {
        LinuxSeccompFilterFlag::Tsync => 1,
        LinuxSeccompFilterFlag::Log => 2,
        LinuxSeccompFilterFlag::SpecAllow => SPEC_ALLOW,
        LinuxSeccompFilterFlag::WaitKillableRecv => 32,
    };
    flags.iter().map(bit).fold(0, |all, bit| all | bit)
}

#[cfg(test)]
mod tests;
