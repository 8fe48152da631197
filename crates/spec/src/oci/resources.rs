//! `linux.resources` (config-linux.md "Control groups").

use super::{LinuxDeviceType, objects};
use std::collections::BTreeMap;

objects! {
    #[derive(Default)]
    LinuxResources {
        ;
        devices: Vec<LinuxDeviceCgroup>,
        memory: LinuxMemory,
        cpu: LinuxCpu,
        pids: LinuxPids,
        #[serde(rename = "blockIO")]
        block_io: LinuxBlockIo,
        hugepage_limits: Vec<LinuxHugepageLimit>,
        network: LinuxNetwork,
        rdma: BTreeMap<String, LinuxRdma>,
        unified: BTreeMap<String, String>,
    }

    #[derive(Default)]
    LinuxDeviceCgroup {
        allow: bool,
        ;
        #[serde(rename = "type")]
        typ: LinuxDeviceType,
        major: i64,
        minor: i64,
        access: String,
    }

    #[derive(Default)]
    LinuxMemory {
        ;
        limit: i64,
        reservation: i64,
        swap: i64,
        kernel: i64,
        #[serde(rename = "kernelTCP")]
        kernel_tcp: i64,
        swappiness: u64,
        #[serde(rename = "disableOOMKiller")]
        disable_oom_killer: bool,
        use_hierarchy: bool,
        check_before_update: bool,
    }

    #[derive(Default)]
    LinuxCpu {
        ;
        shares: u64,
        quota: i64,
        burst: u64,
        period: u64,
        realtime_runtime: i64,
        realtime_period: u64,
        cpus: String,
        mems: String,
        idle: i64,
    }

    /// Some engines write it without a limit.
    #[derive(Default)]
    LinuxPids { ; limit: i64, }

    #[derive(Default)]
    LinuxBlockIo {
        ;
        weight: u16,
        leaf_weight: u16,
        weight_device: Vec<LinuxWeightDevice>,
        throttle_read_bps_device: Vec<LinuxThrottleDevice>,
        throttle_write_bps_device: Vec<LinuxThrottleDevice>,
        #[serde(rename = "throttleReadIOPSDevice")]
        throttle_read_iops_device: Vec<LinuxThrottleDevice>,
        #[serde(rename = "throttleWriteIOPSDevice")]
        throttle_write_iops_device: Vec<LinuxThrottleDevice>,
    }

    #[derive(Default)]
    LinuxWeightDevice { major: i64, minor: i64, ; weight: u16, leaf_weight: u16, }

    #[derive(Default)]
    LinuxThrottleDevice { major: i64, minor: i64, rate: u64, ; }

    #[derive(Default)]
    LinuxHugepageLimit { page_size: String, limit: u64, ; }

    #[derive(Default)]
    LinuxNetwork {
        ;
        #[serde(rename = "classID")]
        class_id: u32,
        priorities: Vec<LinuxInterfacePriority>,
    }

    #[derive(Default)]
    LinuxInterfacePriority { name: String, priority: u32, ; }

    #[derive(Copy, Default)]
    LinuxRdma { ; hca_handles: u32, hca_objects: u32, }
}
