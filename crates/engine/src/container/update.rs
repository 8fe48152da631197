//! `update`: other limits and another restart policy, for a container that runs, too. The record decides: it is replaced
//! first, and a daemon that finds a monitor behind it (`Container::revision`) tells that again.

use super::driver::{Command, Driver};
use super::phase::{Verdict, Wish, allow};
use super::{Container, Resources, oci, record, validate};
use crate::engine::Engine;
use crate::event::Attributes;
use crate::steps::{Doing, Step, nothing, run, step};
use crate::{Error, Result};
use sampan_spec::bundle::Restart;
use sampan_spec::monitor::Request;
use sampan_spec::with_sources;
use std::sync::Arc;

/// What is to change. Limits that are not given stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The limits but that of processes.
    pub limits: Resources,
    /// That of processes; `Some(None)` takes it away.
    pub pids: Option<Option<u64>>,
    /// The restart policy.
    pub restart: Option<Restart>,
}

/// Changes a container. Gives what the user should know.
///
/// # Errors
/// When there is none, the limits contradict each other or those it has, or the kernel refuses them: then all is as before.
pub async fn update(engine: &Engine, name: &str, update: Update) -> Result<Vec<String>> {
    let handle = engine.containers().resolve(name)?;
    handle.ask(|done| Command::Update { update: Box::new(update), done }).await?
}

struct Change<'d> {
    driver: &'d Driver,
    changed: Container,
}

impl Change<'_> {
    const STEPS: [Step<Self>; 2] =
        [step("record", write_record, write_old_record), step("live", tell, nothing)];
}

/// What the container's task does.
pub(super) async fn in_turn(driver: &mut Driver, update: Update) -> Result<Vec<String>> {
    if allow(driver.phase(), Wish::Change) == Verdict::Removing {
        return Err(Error::Removing(driver.container.name.clone()));
    }
    let mut changed = (*driver.container).clone();
    let warnings = apply(&mut changed, update, driver)?;
    if changed == *driver.container {
        driver.tell("update", Attributes::new());
        return Ok(warnings);
    }
    changed.revision += 1;
    let mut change = Change { driver, changed };
    run("update", &Change::STEPS, &mut change).await?;
    let changed = change.changed;
    driver.container = Arc::new(changed);
    driver.publish();
    driver.tell("update", Attributes::new());
    Ok(warnings)
}

/// A daemon died between the record and the monitor.
pub(super) async fn catch_up(driver: &Driver) {
    if driver.summary.revision >= driver.container.revision {
        return;
    }
    let nothing = Resources::default();
    if let Err(error) = tell_monitor(driver, &driver.container, &nothing).await {
        tracing::error!(
            container = driver.container.id.short(),
            "its limits are not those of its record: {}",
            with_sources(&error)
        );
    }
}

fn write_record<'a>(change: &'a mut Change<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async { record::write(&change.driver.engine, &change.changed).await })
}

fn write_old_record<'a>(change: &'a mut Change<'_>) -> Doing<'a, ()> {
    Box::pin(async { record::write_back(&change.driver.engine, &change.driver.container).await })
}

/// What the kernel takes of limits that it does not take as a whole is taken back.
fn tell<'a>(change: &'a mut Change<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let (old, new) = (&change.driver.container, &change.changed);
        let told = tell_monitor(change.driver, new, &old.config.host.resources).await;
        if told.is_err() {
            let back = tell_monitor(change.driver, old, &new.config.host.resources).await;
            if let Err(error) = back {
                tracing::error!(
                    container = old.id.short(),
                    "its former limits were not set again: {}",
                    with_sources(&error)
                );
            }
        }
        told.map_err(|error| Error::Update { id: old.id.to_string(), reason: error.to_string() })
    })
}

/// Sets a record's limits, and takes those away that were there `before` and are not in it.
async fn tell_monitor(driver: &Driver, container: &Container, before: &Resources) -> Result<()> {
    let Some(monitor) = &driver.monitor else { return Ok(()) };
    let host = &container.config.host;
    let request = Request::Update {
        revision: container.revision,
        resources: Box::new(oci::limits(&host.resources, before, driver.engine.host())),
        restart: host.restart,
    };
    match monitor.connection.call(request).await {
        // It has ended, and the next start reads the record.
        Err(error) if error.is_gone() => Ok(()),
        other => other.map(drop).map_err(|error| match error.failure() {
            Some(failure) => Error::NotSupported(failure.message.clone()),
            None => error.about(&container.id, &container.name),
        }),
    }
}

/// Works the changes in.
fn apply(container: &mut Container, update: Update, driver: &Driver) -> Result<Vec<String>> {
    let conflict =
        |reason: &str| Error::Conflict(format!("Cannot update container {}: {reason}", driver.container.id));
    let host = &mut container.config.host;
    if let Some(restart) = update.restart {
        if host.auto_remove && restart != Restart::No {
            return Err(conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        host.restart = restart;
    }
    contradiction(&host.resources, &update.limits).map_or(Ok(()), |reason| Err(conflict(reason)))?;
    let mut limits = merged(&host.resources, update.limits);
    if let Some(pids) = update.pids {
        limits.pids = pids;
    }
    let warnings = validate::limits(&mut limits, driver.engine.host())?;
    host.resources = limits;
    Ok(warnings)
}

/// Why new limits cannot stand beside the old ones, in Docker's words.
fn contradiction(old: &Resources, new: &Resources) -> Option<&'static str> {
    let memory = new.memory.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let (had_period, had_quota) = (old.cpu_period.is_some(), old.cpu_quota.is_some());
    let rules = [
        (
            memory > 0 && new.memory_swap.is_none() && memory > old.memory_swap.unwrap_or(0),
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
        (
            new.nano_cpus.is_some() && had_period,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            new.nano_cpus.is_some() && had_quota,
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            new.cpu_period.is_some() && old.nano_cpus.is_some(),
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            new.cpu_quota.is_some() && old.nano_cpus.is_some(),
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
    ];
    rules.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
}

fn merged(old: &Resources, new: Resources) -> Resources {
    let list = |new: String, old: &str| if new.is_empty() { old.to_owned() } else { new };
    Resources {
        memory: new.memory.or(old.memory),
        memory_swap: new.memory_swap.or(old.memory_swap),
        memory_reservation: new.memory_reservation.or(old.memory_reservation),
        nano_cpus: new.nano_cpus.or(old.nano_cpus),
        cpu_shares: new.cpu_shares.or(old.cpu_shares),
        cpu_period: new.cpu_period.or(old.cpu_period),
        cpu_quota: new.cpu_quota.or(old.cpu_quota),
        cpu_realtime_period: new.cpu_realtime_period.or(old.cpu_realtime_period),
        cpu_realtime_runtime: new.cpu_realtime_runtime.or(old.cpu_realtime_runtime),
        cpuset_cpus: list(new.cpuset_cpus, &old.cpuset_cpus),
        cpuset_mems: list(new.cpuset_mems, &old.cpuset_mems),
        blkio_weight: new.blkio_weight.or(old.blkio_weight),
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let old =
            Resources { memory: Some(1), pids: Some(5), cpuset_cpus: "0".into(), ..Resources::default() };
        let new = Resources { memory: Some(2), cpu_shares: Some(3), ..Resources::default() };
        let got = merged(&old, new);
        assert_eq!((got.memory, got.cpu_shares, got.pids), (Some(2), Some(3), Some(5)));
        assert_eq!(got.cpuset_cpus, "0");
    }

    #[test]
    fn contradictions_are_dockers() {
        let of = |memory, swap, nano, quota| Resources {
            memory,
            memory_swap: swap,
            nano_cpus: nano,
            cpu_quota: quota,
            ..Resources::default()
        };
        let none = Resources::default();
        assert!(contradiction(&none, &none).is_none());
        assert!(
            contradiction(&none, &of(Some(64), None, None, None)).unwrap().starts_with("Memory limit should")
        );
        assert!(contradiction(&none, &of(Some(64), Some(128), None, None)).is_none());
        assert!(
            contradiction(&of(Some(1), Some(128), None, None), &of(Some(64), None, None, None)).is_none()
        );
        assert!(contradiction(&of(None, None, Some(1), None), &of(None, None, None, Some(5))).is_some());
        assert!(contradiction(&of(None, None, None, Some(5)), &of(None, None, Some(1), None)).is_some());
    }
}
