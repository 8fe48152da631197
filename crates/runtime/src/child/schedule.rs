//! When and where a process runs: scheduler, priority of disk access, processors, memory nodes.

use crate::failure::{OrFail, stage};
use crate::plan::ProcessPlan;
use rustix::thread::{CpuSet, sched_setaffinity};
use sampan_spec::journal::Failure;
use sampan_sys::scheduling::{set_io_priority, set_memory_policy, set_scheduling};

/// What the configuration says of it; nothing of it needs more than the rights that the process still has.
pub(super) fn set(process: &ProcessPlan) -> Result<(), Failure> {
    if let Some(wanted) = &process.scheduling {
        set_scheduling(wanted).or_fail(stage::PROCESS, || format!("set process.scheduler {wanted:?}"))?;
    }
    if let Some((class, level)) = process.io_priority {
        set_io_priority(class, level)
            .or_fail(stage::PROCESS, || format!("set process.ioPriority: class {class}, priority {level}"))?;
    }
    if let Some((mode, nodes)) = process.memory_policy {
        set_memory_policy(mode, nodes).or_fail(stage::PROCESS, || "set linux.memoryPolicy")?;
    }
    Ok(())
}

/// On these processors only; all, if there are none.
pub(crate) fn run_on(processors: &[usize]) -> Result<(), Failure> {
    if processors.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(*processor);
    }
    sched_setaffinity(None, &set).or_fail(stage::PROCESS, || format!("run on processors {processors:?}"))
}
