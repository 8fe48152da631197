//! `linux` (config-linux.md), without resources and seccomp.

use super::{LinuxResources, LinuxSeccomp, objects, words};
use std::collections::BTreeMap;
use std::path::PathBuf;

objects! {
    #[derive(Default)]
    Linux {
        ;
        namespaces: Vec<LinuxNamespace>,
        uid_mappings: Vec<LinuxIdMapping>,
        gid_mappings: Vec<LinuxIdMapping>,
        time_offsets: BTreeMap<LinuxClock, LinuxTimeOffset>,
        devices: Vec<LinuxDevice>,
        net_devices: BTreeMap<String, LinuxNetDevice>,
        cgroups_path: PathBuf,
        resources: LinuxResources,
        rootfs_propagation: String,
        seccomp: LinuxSeccomp,
        sysctl: BTreeMap<String, String>,
        masked_paths: Vec<String>,
        readonly_paths: Vec<String>,
        mount_label: String,
        intel_rdt: LinuxIntelRdt,
        memory_policy: LinuxMemoryPolicy,
        personality: LinuxPersonality,
    }

    LinuxNamespace {
        #[serde(rename = "type")]
        typ: LinuxNamespaceType,
        ;
        path: PathBuf,
    }

    #[derive(Copy, Default)]
    LinuxIdMapping {
        #[serde(rename = "containerID")]
        container_id: u32,
        #[serde(rename = "hostID")]
        host_id: u32,
        size: u32,
        ;
    }

    #[derive(Copy, Default)]
    LinuxTimeOffset { ; secs: i64, nanosecs: u32, }

    LinuxDevice {
        path: PathBuf,
        #[serde(rename = "type")]
        typ: LinuxDeviceType,
        ;
        major: i64,
        minor: i64,
        file_mode: u32,
        uid: u32,
        gid: u32,
    }

    #[derive(Default)]
    LinuxNetDevice { ; name: String, }

    #[derive(Default)]
    LinuxIntelRdt {
        ;
        #[serde(rename = "closID")]
        clos_id: String,
        schemata: Vec<String>,
        l3_cache_schema: String,
        mem_bw_schema: String,
        enable_monitoring: bool,
    }

    #[derive(Default)]
    LinuxMemoryPolicy { ; mode: MemoryPolicyMode, nodes: String, flags: Vec<MemoryPolicyFlag>, }

    LinuxPersonality { domain: LinuxPersonalityDomain, ; flags: Vec<String>, }
}

words! {
    LinuxNamespaceType {
        Cgroup = "cgroup",
        Ipc = "ipc",
        Mount = "mount",
        Network = "network",
        Pid = "pid",
        Time = "time",
        User = "user",
        Uts = "uts",
    }

    LinuxClock { Boottime = "boottime", Monotonic = "monotonic", }

    LinuxDeviceType { A = "a", B = "b", C = "c", U = "u", P = "p", }

    LinuxPersonalityDomain { Linux = "LINUX", Linux32 = "LINUX32", }

    MemoryPolicyMode {
        Default = "MPOL_DEFAULT",
        Preferred = "MPOL_PREFERRED",
        Bind = "MPOL_BIND",
        Interleave = "MPOL_INTERLEAVE",
        Local = "MPOL_LOCAL",
        PreferredMany = "MPOL_PREFERRED_MANY",
        WeightedInterleave = "MPOL_WEIGHTED_INTERLEAVE",
    }

    MemoryPolicyFlag {
        NumaBalancing = "MPOL_F_NUMA_BALANCING",
        RelativeNodes = "MPOL_F_RELATIVE_NODES",
        StaticNodes = "MPOL_F_STATIC_NODES",
    }
}
