//! After a boot: containers that ran when the host went down come back by their restart policies.

use crate::container::{Handle, start};
use crate::engine::Engine;
use sampan_spec::bundle::Restart;
use sampan_spec::journal::{Status, Summary};
use sampan_spec::{ContainerId, with_sources};
use tokio::task::JoinSet;

/// This boot's id. A debug build takes it from `SAMPAN_BOOT_ID`, so that tests need not boot.
pub(crate) fn id() -> String {
    let told = std::env::var("SAMPAN_BOOT_ID").ok().filter(|_| cfg!(debug_assertions));
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    told.unwrap_or_else(read).trim().to_owned()
}

/// Whether a container is to be started again, given what its journal said before this daemon looked after it.
pub(crate) fn comes_back(policy: Restart, summary: &Summary, boot: &str) -> bool {
    if summary.started.is_none() || summary.boot_id == boot {
        return false;
    }
    let by_user = summary.stop_requested && !summary.shutdown;
    let ran = !matches!(summary.status, Status::Created | Status::Exited);
    let failed = summary.exit.is_some_and(|exit| exit.code != 0);
    match policy {
        Restart::No => false,
        Restart::Always => true,
        Restart::UnlessStopped => !by_user,
        Restart::OnFailure { .. } => ran || (summary.shutdown && failed),
    }
}

/// Starts them, all at once but those that need others: these come after the others. One that cannot be started says so in
/// its state.
pub(crate) fn start_all(engine: &Engine, returning: Vec<ContainerId>) {
    let engine = engine.clone();
    tokio::spawn(async move {
        let all = returning.iter().filter_map(|id| engine.containers().resolve(id.as_str()).ok());
        let mut left: Vec<(ContainerId, Vec<ContainerId>)> = all.map(|handle| needs(&handle)).collect();
        while !left.is_empty() {
            let mut starts = JoinSet::new();
            for id in next_round(&mut left) {
                starts.spawn(start_one(engine.clone(), id));
            }
            starts.join_all().await;
        }
    });
}

fn needs(handle: &Handle) -> (ContainerId, Vec<ContainerId>) {
    let container = handle.container();
    let ids = container.config.host.needs().filter_map(|peer| peer.text().parse().ok());
    (container.id.clone(), ids.collect())
}

/// Takes out those that need none of the others; all, if each needs one.
fn next_round(left: &mut Vec<(ContainerId, Vec<ContainerId>)>) -> Vec<ContainerId> {
    let waiting: Vec<ContainerId> = left.iter().map(|(id, _)| id.clone()).collect();
    let is_free = |needed: &[ContainerId]| !needed.iter().any(|id| waiting.contains(id));
    let any_free = left.iter().any(|(_, needed)| is_free(needed));
    let (now, later) = left.drain(..).partition(|(_, needed)| !any_free || is_free(needed));
    *left = later;
    let now: Vec<(ContainerId, Vec<ContainerId>)> = now;
    now.into_iter().map(|(id, _)| id).collect()
}

async fn start_one(engine: Engine, id: ContainerId) {
    match start(&engine, id.as_str()).await {
        Ok(()) => tracing::info!(container = id.short(), "started again after the boot"),
        Err(e) => {
            tracing::error!(container = id.short(), "not started again after the boot: {}", with_sources(&e))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::Timestamp;
    use sampan_spec::journal::Exit;

    #[test]
    fn those_that_need_others_come_later() {
        let id = |n| ContainerId::from_bytes([n; 32]);
        let rounds = |all: &[(u8, &[u8])]| {
            let mut left =
                all.iter().map(|(n, needs)| (id(*n), needs.iter().map(|n| id(*n)).collect())).collect();
            let mut rounds = Vec::new();
            while !Vec::is_empty(&left) {
                rounds.push(next_round(&mut left).len());
            }
            rounds
        };
        assert_eq!(rounds(&[(1, &[2]), (2, &[3]), (3, &[]), (4, &[9])]), [2, 1, 1]);
        assert_eq!(rounds(&[(1, &[2]), (2, &[1]), (3, &[1])]), [3]);
    }

    #[test]
    fn who_comes_back() {
        let policies =
            [Restart::No, Restart::Always, Restart::UnlessStopped, Restart::OnFailure { max_retries: 0 }];
        let check = |summary: &Summary, want: [bool; 4]| {
            assert_eq!(policies.map(|policy| comes_back(policy, summary, "now")), want, "{summary:?}");
        };
        let exit = |code| Some(Exit { code, signal: None, oom: false });
        let ran = Summary {
            status: Status::Running { pid: 5 },
            boot_id: "before".into(),
            started: Some(Timestamp::UNIX_EPOCH),
            ..Summary::default()
        };
        check(&ran, [false, true, true, true]);
        check(&Summary { boot_id: "now".into(), ..ran.clone() }, [false; 4]);
        check(&Summary { started: None, ..ran.clone() }, [false; 4]);
        let stopped =
            Summary { status: Status::Exited, stop_requested: true, exit: exit(143), ..ran.clone() };
        check(&stopped, [false, true, false, false]);
        check(&Summary { shutdown: true, ..stopped.clone() }, [false, true, true, true]);
        check(&Summary { shutdown: true, exit: exit(0), ..stopped.clone() }, [false, true, true, false]);
        check(&Summary { stop_requested: false, exit: exit(1), ..stopped }, [false, true, true, false]);
    }
}
