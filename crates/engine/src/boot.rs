//! After a boot: containers that ran when the host went down come back by their restart policies.

use crate::container::{Handle, start};
use crate::engine::Engine;
use sampan_spec::ContainerId;
use sampan_spec::bundle::Restart;
use sampan_spec::journal::{Status, Summary};
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

/// Starts them, all at once but those that share a name space with another: these come after the others. One that cannot be
/// started says so in its state.
pub(crate) fn start_all(engine: &Engine, returning: Vec<ContainerId>) {
    let engine = engine.clone();
    tokio::spawn(async move {
        let all = returning.iter().filter_map(|id| engine.containers().resolve(id.as_str()).ok());
        let (later, first): (Vec<Handle>, Vec<Handle>) =
            all.partition(|handle| handle.container().config.host.has_peers());
        for group in [first, later] {
            let mut starts = JoinSet::new();
            for handle in group {
                starts.spawn(start_one(engine.clone(), handle.id().clone()));
            }
            starts.join_all().await;
        }
    });
}

async fn start_one(engine: Engine, id: ContainerId) {
    match start(&engine, id.as_str()).await {
        Ok(()) => tracing::info!(container = id.short(), "started again after the boot"),
        Err(e) => tracing::error!(container = id.short(), "not started again after the boot: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::Timestamp;
    use sampan_spec::journal::Exit;

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
