//! The kernel's capabilities by name (capabilities(7)), in the order of their numbers.

use super::words;

words! {
    Capability {
        Chown = "CAP_CHOWN",
        DacOverride = "CAP_DAC_OVERRIDE",
        DacReadSearch = "CAP_DAC_READ_SEARCH",
        Fowner = "CAP_FOWNER",
        Fsetid = "CAP_FSETID",
        Kill = "CAP_KILL",
        Setgid = "CAP_SETGID",
        Setuid = "CAP_SETUID",
        Setpcap = "CAP_SETPCAP",
        LinuxImmutable = "CAP_LINUX_IMMUTABLE",
        NetBindService = "CAP_NET_BIND_SERVICE",
        NetBroadcast = "CAP_NET_BROADCAST",
        NetAdmin = "CAP_NET_ADMIN",
        NetRaw = "CAP_NET_RAW",
        IpcLock = "CAP_IPC_LOCK",
        IpcOwner = "CAP_IPC_OWNER",
        SysModule = "CAP_SYS_MODULE",
        SysRawio = "CAP_SYS_RAWIO",
        SysChroot = "CAP_SYS_CHROOT",
        SysPtrace = "CAP_SYS_PTRACE",
        SysPacct = "CAP_SYS_PACCT",
        SysAdmin = "CAP_SYS_ADMIN",
        SysBoot = "CAP_SYS_BOOT",
        SysNice = "CAP_SYS_NICE",
        SysResource = "CAP_SYS_RESOURCE",
        SysTime = "CAP_SYS_TIME",
        SysTtyConfig = "CAP_SYS_TTY_CONFIG",
        Mknod = "CAP_MKNOD",
        Lease = "CAP_LEASE",
        AuditWrite = "CAP_AUDIT_WRITE",
        AuditControl = "CAP_AUDIT_CONTROL",
        Setfcap = "CAP_SETFCAP",
        MacOverride = "CAP_MAC_OVERRIDE",
        MacAdmin = "CAP_MAC_ADMIN",
        Syslog = "CAP_SYSLOG",
        WakeAlarm = "CAP_WAKE_ALARM",
        BlockSuspend = "CAP_BLOCK_SUSPEND",
        AuditRead = "CAP_AUDIT_READ",
        Perfmon = "CAP_PERFMON",
        Bpf = "CAP_BPF",
        CheckpointRestore = "CAP_CHECKPOINT_RESTORE",
    }
}

impl Capability {
    /// The capability of a name, `CAP_CHOWN`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|capability| capability.name() == name)
    }

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        self as u32
    }
}
