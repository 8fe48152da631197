//! `rename`: another name for a container. The record decides: a daemon that is killed on the way finds the old name in it or
//! the new one.

use super::driver::{Command, Driver};
use super::phase::{Verdict, Wish, allow};
use super::{Container, name, record};
use crate::engine::Engine;
use crate::event::attributes;
use crate::steps::{Doing, Step, run, step};
use crate::{Error, Result};
use std::sync::Arc;

/// Gives a container another name.
///
/// # Errors
/// When there is none, the new name is not allowed, or another container has it.
pub async fn rename(engine: &Engine, old: &str, new: &str) -> Result<()> {
    if old.is_empty() || new.is_empty() {
        return Err(Error::EmptyName);
    }
    let handle = engine.containers().resolve(old)?;
    let slashed = if new.starts_with('/') { new.to_owned() } else { format!("/{new}") };
    if handle.container().name == slashed[1..] {
        return Err(Error::SameName);
    }
    let to = name::valid(&slashed).map_err(|source| Error::NewName(source.into()))?;
    handle.ask(|done| Command::Rename { to, done }).await?
}

struct Rename<'d> {
    driver: &'d Driver,
    renamed: Container,
}

impl Rename<'_> {
    const STEPS: [Step<Self>; 2] =
        [step("name", take_name, free_name), step("record", write_record, write_old_record)];
}

/// What the container's task does.
pub(super) async fn in_turn(driver: &mut Driver, to: String) -> Result<()> {
    if allow(driver.phase(), Wish::Change) == Verdict::Removing {
        return Err(Error::Removing(driver.container.name.clone()));
    }
    let renamed = Container { name: to, ..(*driver.container).clone() };
    let mut rename = Rename { driver, renamed };
    run("rename", &Rename::STEPS, &mut rename).await?;
    let renamed = rename.renamed;
    driver.engine.containers().free_name(&driver.container.name);
    let old = format!("/{}", driver.container.name);
    driver.container = Arc::new(renamed);
    driver.tell("rename", attributes([("oldName", old)]));
    driver.publish();
    Ok(())
}

fn take_name<'a>(rename: &'a mut Rename<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let registry = rename.driver.engine.containers();
        let taken = registry.take_name(&rename.renamed.name, &rename.renamed.id);
        taken.map_err(|source| Error::NewName(source.into()))
    })
}

fn free_name<'a>(rename: &'a mut Rename<'_>) -> Doing<'a, ()> {
    Box::pin(async { rename.driver.engine.containers().free_name(&rename.renamed.name) })
}

fn write_record<'a>(rename: &'a mut Rename<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async { record::write(&rename.driver.engine, &rename.renamed).await })
}

fn write_old_record<'a>(rename: &'a mut Rename<'_>) -> Doing<'a, ()> {
    Box::pin(async { record::write_back(&rename.driver.engine, &rename.driver.container).await })
}
