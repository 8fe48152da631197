//! `linux.seccomp` (config-linux.md "Seccomp").

use super::{State, objects, words};
use std::path::PathBuf;

objects! {
    LinuxSeccomp {
        default_action: LinuxSeccompAction,
        ;
        default_errno_ret: u32,
        architectures: Vec<Arch>,
        flags: Vec<LinuxSeccompFilterFlag>,
        listener_path: PathBuf,
        listener_metadata: String,
        syscalls: Vec<LinuxSyscall>,
    }

    LinuxSyscall {
        names: Vec<String>,
        action: LinuxSeccompAction,
        ;
        errno_ret: u32,
        args: Vec<LinuxSeccompArg>,
    }

    #[derive(Copy)]
    LinuxSeccompArg {
        index: u32,
        value: u64,
        op: LinuxSeccompOperator,
        ;
        value_two: u64,
    }

    /// What is sent with the listener's descriptor ("The Container Process State").
    ContainerProcessState {
        oci_version: String,
        fds: Vec<String>,
        pid: i32,
        state: State,
        ;
        metadata: String,
    }
}

words! {
    LinuxSeccompAction {
        Allow = "SCMP_ACT_ALLOW",
        Errno = "SCMP_ACT_ERRNO",
        Kill = "SCMP_ACT_KILL",
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        KillThread = "SCMP_ACT_KILL_THREAD",
        Log = "SCMP_ACT_LOG",
        Notify = "SCMP_ACT_NOTIFY",
        Trace = "SCMP_ACT_TRACE",
        Trap = "SCMP_ACT_TRAP",
    }

    LinuxSeccompOperator {
        Eq = "SCMP_CMP_EQ",
        Ge = "SCMP_CMP_GE",
        Gt = "SCMP_CMP_GT",
        Le = "SCMP_CMP_LE",
        Lt = "SCMP_CMP_LT",
        MaskedEq = "SCMP_CMP_MASKED_EQ",
        Ne = "SCMP_CMP_NE",
    }

    LinuxSeccompFilterFlag {
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        Log = "SECCOMP_FILTER_FLAG_LOG",
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }

    Arch {
        Aarch64 = "SCMP_ARCH_AARCH64",
        Arm = "SCMP_ARCH_ARM",
        Loongarch64 = "SCMP_ARCH_LOONGARCH64",
        M68k = "SCMP_ARCH_M68K",
        Mips = "SCMP_ARCH_MIPS",
        Mips64 = "SCMP_ARCH_MIPS64",
        Mips64n32 = "SCMP_ARCH_MIPS64N32",
        Mipsel = "SCMP_ARCH_MIPSEL",
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        Mipsel64n32 = "SCMP_ARCH_MIPSEL64N32",
        Parisc = "SCMP_ARCH_PARISC",
        Parisc64 = "SCMP_ARCH_PARISC64",
        Ppc = "SCMP_ARCH_PPC",
        Ppc64 = "SCMP_ARCH_PPC64",
        Ppc64le = "SCMP_ARCH_PPC64LE",
        Riscv64 = "SCMP_ARCH_RISCV64",
        S390 = "SCMP_ARCH_S390",
        S390x = "SCMP_ARCH_S390X",
        Sh = "SCMP_ARCH_SH",
        Sheb = "SCMP_ARCH_SHEB",
        X32 = "SCMP_ARCH_X32",
        X86 = "SCMP_ARCH_X86",
        X86_64 = "SCMP_ARCH_X86_64",
    }
}
