//! System call numbers by name, of the three kinds of programs that an x86_64 kernel executes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use syscalls::{x86, x86_64};

/// Numbers by name. Made once for a profile: a look-up in the tables as they come compares hundreds of names.
#[derive(Debug)]
pub(super) struct Numbers {
    x86_64: Map,
    x86: Map,
}

type Map = HashMap<&'static str, u32, BuildHasherDefault<Fnv>>;

/// FNV-1a: quick for short names, and these come from nobody who would make them collide.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    X86_64,
    X86,
    X32,
}

const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_X86: u32 = 0x4000_0003;
/// Marks the numbers of x32 programs, which say that they are x86_64 (`__X32_SYSCALL_BIT`).
const X32_BIT: u32 = 0x4000_0000;
/// The calls with a number of their own in x32, from 512 on (arch/x86/entry/syscalls/syscall_64.tbl).
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];
const X32_OWN_FIRST: u32 = 512;

impl Table {
    /// The value of `seccomp_data.arch`.
    pub(super) const fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => AUDIT_X86_64,
            Self::X86 => AUDIT_X86,
        }
    }

    /// The first number.
    pub(super) const fn first(self) -> u32 {
        match self {
            Self::X86_64 | Self::X86 => 0,
            Self::X32 => X32_BIT,
        }
    }

    /// The last number.
    pub(super) const fn last(self) -> u32 {
        match self {
            Self::X86_64 => X32_BIT - 1,
            Self::X86 | Self::X32 => u32::MAX,
        }
    }
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            x86_64: x86_64::Sysno::iter().map(|s| (s.name(), s.id() as u32)).collect(),
            x86: x86::Sysno::iter().map(|s| (s.name(), s.id() as u32)).collect(),
        }
    }

    /// The number of a call, `None` if there is none of that name.
    pub(super) fn number(&self, table: Table, name: &str) -> Option<u32> {
        match table {
            Table::X86_64 => self.x86_64.get(name).copied(),
            Table::X86 => self.x86.get(name).copied(),
            Table::X32 => {
                let own = X32_OWN.iter().position(|n| *n == name).map(|i| X32_OWN_FIRST + i as u32);
                Some(X32_BIT | own.or_else(|| self.x86_64.get(name).copied())?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_three_kinds() {
        let numbers = Numbers::new();
        for (name, x86_64, x86, x32) in [
            ("read", Some(0), Some(3), Some(X32_BIT)),
            ("execve", Some(59), Some(11), Some(X32_BIT | 520)),
            ("pwritev2", Some(328), Some(379), Some(X32_BIT | 547)),
            ("clone3", Some(435), Some(435), Some(X32_BIT | 435)),
            ("socketcall", None, Some(102), None),
            ("nosuchcall", None, None, None),
        ] {
            let got = [Table::X86_64, Table::X86, Table::X32].map(|t| numbers.number(t, name));
            assert_eq!(got, [x86_64, x86, x32], "{name}");
        }
    }
}
