//! Notices when the kernel kills a process of the container for want of memory.

use crate::monitor::Monitor;
use sampan_spec::journal::Event;
use sampan_sys::cgroup::Cgroup;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Version 1 tells before the kill: look again after this time, so many times.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 20;

/// What is known of a container's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    cgroup: Option<Cgroup>,
    pub(crate) events: Option<OwnedFd>,
    kills: u64,
    pub(crate) look_at: Option<Instant>,
    looks: u32,
}

impl Memory {
    /// Watches a cgroup; one without a memory controller never runs out.
    pub(crate) fn watch(cgroup: &Cgroup) -> Self {
        let kills = cgroup.oom_kills().unwrap_or(0);
        let events = cgroup.oom_events().ok();
        Self { cgroup: Some(cgroup.clone()), events, kills, look_at: None, looks: 0 }
    }

    /// Whether there were kills since the last look.
    fn new_kills(&mut self) -> bool {
        let kills = self.cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills().ok()).unwrap_or(self.kills);
        let more = kills > self.kills;
        self.kills = kills;
        more
    }
}

impl Monitor {
    /// The kernel said something.
    pub(crate) fn memory_event(&mut self) {
        if let Some(events) = &self.memory.events {
            // Whatever it says, the counter is what counts.
            while rustix::io::read(events, &mut self.buffer[..]).is_ok_and(|count| count > 0) {}
        }
        self.memory.looks = LOOKS;
        self.look_at_memory();
    }

    /// Tells new kills.
    pub(crate) fn look_at_memory(&mut self) {
        self.memory.look_at = None;
        if self.memory.new_kills() {
            self.memory.looks = 0;
            self.report(Event::OutOfMemory);
        } else if self.memory.looks > 0 {
            self.memory.looks -= 1;
            self.memory.look_at = Some(Instant::now() + LOOK_AGAIN);
        }
    }
}
