//! `process` (config.md "Process").

use super::{objects, words};
use std::path::PathBuf;

objects! {
    #[derive(Default)]
    Process {
        cwd: PathBuf,
        #[serde(default)]
        user: User,
        ;
        terminal: bool,
        console_size: ConsoleSize,
        args: Vec<String>,
        command_line: String,
        env: Vec<String>,
        capabilities: LinuxCapabilities,
        rlimits: Vec<PosixRlimit>,
        no_new_privileges: bool,
        apparmor_profile: String,
        oom_score_adj: i32,
        selinux_label: String,
        io_priority: LinuxIoPriority,
        scheduler: Scheduler,
        #[serde(rename = "execCPUAffinity")]
        exec_cpu_affinity: ExecCpuAffinity,
    }

    #[derive(Default)]
    ConsoleSize { height: u64, width: u64, ; }

    #[derive(Default)]
    User {
        #[serde(default)]
        uid: u32,
        #[serde(default)]
        gid: u32,
        ;
        umask: u32,
        additional_gids: Vec<u32>,
        username: String,
    }

    /// Names, because one that this program does not know is only worth a warning.
    #[derive(Default)]
    LinuxCapabilities {
        ;
        bounding: Vec<String>,
        effective: Vec<String>,
        inheritable: Vec<String>,
        permitted: Vec<String>,
        ambient: Vec<String>,
    }

    PosixRlimit {
        #[serde(rename = "type")]
        typ: PosixRlimitType,
        hard: u64,
        soft: u64,
        ;
    }

    LinuxIoPriority {
        class: IoPriorityClass,
        #[serde(default)]
        priority: i32,
        ;
    }

    Scheduler {
        policy: LinuxSchedulerPolicy,
        ;
        nice: i32,
        priority: i32,
        flags: Vec<LinuxSchedulerFlag>,
        runtime: u64,
        deadline: u64,
        period: u64,
    }

    /// Lists of processors: `0-2,4`.
    #[derive(Default)]
    ExecCpuAffinity {
        ;
        initial: String,
        #[serde(rename = "final")]
        last: String,
    }
}

words! {
    PosixRlimitType {
        Cpu = "RLIMIT_CPU",
        Fsize = "RLIMIT_FSIZE",
        Data = "RLIMIT_DATA",
        Stack = "RLIMIT_STACK",
        Core = "RLIMIT_CORE",
        Rss = "RLIMIT_RSS",
        Nproc = "RLIMIT_NPROC",
        Nofile = "RLIMIT_NOFILE",
        Memlock = "RLIMIT_MEMLOCK",
        As = "RLIMIT_AS",
        Locks = "RLIMIT_LOCKS",
        Sigpending = "RLIMIT_SIGPENDING",
        Msgqueue = "RLIMIT_MSGQUEUE",
        Nice = "RLIMIT_NICE",
        Rtprio = "RLIMIT_RTPRIO",
        Rttime = "RLIMIT_RTTIME",
    }

    IoPriorityClass {
        RealTime = "IOPRIO_CLASS_RT",
        BestEffort = "IOPRIO_CLASS_BE",
        Idle = "IOPRIO_CLASS_IDLE",
    }

    LinuxSchedulerPolicy {
        Other = "SCHED_OTHER",
        Fifo = "SCHED_FIFO",
        Rr = "SCHED_RR",
        Batch = "SCHED_BATCH",
        Iso = "SCHED_ISO",
        Idle = "SCHED_IDLE",
        Deadline = "SCHED_DEADLINE",
    }

    LinuxSchedulerFlag {
        ResetOnFork = "SCHED_FLAG_RESET_ON_FORK",
        Reclaim = "SCHED_FLAG_RECLAIM",
        DeadlineOverrun = "SCHED_FLAG_DL_OVERRUN",
        KeepPolicy = "SCHED_FLAG_KEEP_POLICY",
        KeepParams = "SCHED_FLAG_KEEP_PARAMS",
        UtilClampMin = "SCHED_FLAG_UTIL_CLAMP_MIN",
        UtilClampMax = "SCHED_FLAG_UTIL_CLAMP_MAX",
    }
}
