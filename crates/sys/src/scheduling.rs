//! When the calling thread runs, and where its memory and its reads come from: sched_setattr(2), ioprio_set(2),
//! set_mempolicy(2).

use std::io;

/// A scheduling policy with what belongs to it, as `struct sched_attr` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19, for the ordinary policies.
    pub nice: i32,
    /// 1 to 99, for the real-time policies.
    pub priority: u32,
    /// Nanoseconds, for the deadline policy.
    pub runtime: u64,
    /// Nanoseconds, for the deadline policy.
    pub deadline: u64,
    /// Nanoseconds, for the deadline policy.
    pub period: u64,
}

/// `struct sched_attr` in its first version.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Sets the scheduling of the calling thread.
///
/// # Errors
/// Those of sched_setattr(2).
pub fn set_scheduling(wanted: &Scheduling) -> io::Result<()> {
    let Scheduling { policy, flags, nice, priority, runtime, deadline, period } = *wanted;
    let size = size_of::<Attributes>() as u32;
    let attributes = Attributes { size, policy, flags, nice, priority, runtime, deadline, period };
    // SAFETY: 0 is the calling thread; the structure is live and says its own size.
    checked(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) })
}

/// Sets the priority of the calling thread's reads and writes: the class, 1 real time, 2 best effort, 3 idle, and the
/// level in it.
///
/// # Errors
/// Those of ioprio_set(2).
pub fn set_io_priority(class: u32, level: u32) -> io::Result<()> {
    const OF_PROCESS: libc::c_int = 1;
    const CLASS_SHIFT: u32 = 13;
    let value = class << CLASS_SHIFT | level;
    // SAFETY: 0 is the calling thread; no memory is touched.
    checked(unsafe { libc::syscall(libc::SYS_ioprio_set, OF_PROCESS, 0, value) })
}

/// Sets from which nodes the calling thread gets memory: `MPOL_*` with its flags, and the nodes.
///
/// # Errors
/// Those of set_mempolicy(2); ENOSYS on a kernel without nodes.
pub fn set_memory_policy(mode: u32, nodes: u64) -> io::Result<()> {
    let bits: libc::c_ulong = if nodes == 0 { 0 } else { libc::c_ulong::from(u64::BITS) + 1 };
    // SAFETY: the mask is one live word, and that many bits of it are read.
    checked(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, &raw const nodes, bits) })
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_becomes_idle() {
        // In a thread of its own, which ends with it.
        std::thread::spawn(|| {
            const SCHED_IDLE: u32 = 5;
            set_scheduling(&Scheduling { policy: SCHED_IDLE, ..Scheduling::default() }).unwrap();
            // SAFETY: 0 is the calling thread; no memory is touched.
            assert_eq!(unsafe { libc::sched_getscheduler(0) }, SCHED_IDLE as i32);
            set_io_priority(3, 0).unwrap();
            assert!(set_io_priority(5, 0).is_err());
        })
        .join()
        .unwrap();
    }
}
