//! `create`: from a configuration to a record.

use super::mounts::{self, Planned};
use super::validate::validate;
use super::{Config, Container, Driver, Exposed, health, logging, name};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::Attributes;
use crate::image::Image;
use crate::paths::ContainerPaths;
use crate::steps::{Doing, Step, nothing, run, step};
use crate::{Error, Result};
use sampan_spec::{ContainerId, Timestamp, with_sources};
use std::collections::BTreeMap;
use std::path::Path;

/// How often another name is made up before giving up.
const NAME_ATTEMPTS: u32 = 16;

/// A container that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: ContainerId,
    /// What the user should know.
    pub warnings: Vec<String>,
}

struct Create {
    engine: Engine,
    wanted: Option<String>,
    image: Image,
    planned: Vec<Planned>,
    container: Container,
    paths: ContainerPaths,
}

const CREATE: &[Step<Create>] = &[
    step("name", take_name, free_name),
    step("home", make_home, remove_home),
    step("user", find_user, nothing),
    step("volumes", make_volumes, remove_volumes),
    step("record", write_record, remove_home),
];

/// Creates a container from an image that is here.
///
/// # Errors
/// When the image is missing, the name is taken, or something in the configuration can never work.
pub async fn create(engine: &Engine, wanted: Option<String>, config: Config) -> Result<Created> {
    let wanted = wanted.map(|name| name::valid(&name)).transpose()?;
    let image = crate::image::find(engine, &config.image).await?;
    let mut config = merge(config, &image);
    logging::complete(&mut config.host.log, &engine.options().log);
    let warnings = validate(&mut config, engine.host())?;
    super::peers::name(engine, &mut config)?;
    super::links::name(engine, &mut config)?;
    let planned = plan_mounts(engine, &config).await?;
    let id = ContainerId::from_bytes(crate::engine::random()?);
    let paths = engine.paths().container(&id, config.host.auto_remove);
    let container = Container {
        id: id.clone(),
        name: String::new(),
        created: Timestamp::now(),
        image: image.record.id.clone(),
        config,
        mounts: Vec::new(),
        revision: 0,
    };
    let _wanted = engine.want_image(&image.record.id);
    let mut create = Create { engine: engine.clone(), wanted, image, planned, container, paths };
    run("create", CREATE, &mut create).await?;
    let driver = Driver::new(engine, create.container);
    driver.tell("create", Attributes::new());
    driver.spawn();
    Ok(Created { id, warnings })
}

/// The image's configuration holds where the user said nothing (Docker's rules: a user's entrypoint drops the image's
/// command, too).
fn merge(mut config: Config, image: &Image) -> Config {
    let of_image = &image.config.document().config;
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    if config.entrypoint.is_none() {
        config.cmd = config.cmd.or_else(|| some(&of_image.cmd));
        config.entrypoint = some(&of_image.entrypoint);
    }
    // An empty entrypoint given by the user is how the image's is taken away.
    config.entrypoint = config.entrypoint.filter(|e| !e.is_empty() && *e != [""]);
    let fill = |own: &mut String, other: &str| {
        if own.is_empty() {
            other.clone_into(own);
        }
    };
    fill(&mut config.working_dir, &of_image.working_dir);
    fill(&mut config.user, &of_image.user);
    fill(&mut config.stop_signal, &of_image.stop_signal);
    config.env = merge_variables(config.env, &of_image.env);
    config.labels = of_image.labels.clone().into_iter().chain(config.labels).collect::<BTreeMap<_, _>>();
    config.health = health::merge(config.health, of_image.healthcheck.as_ref());
    let of_the_image = of_image.exposed_ports.keys().map(|text| Exposed::from(text.as_str()));
    let published = config.host.ports.keys().copied().map(Exposed::from);
    config.exposed_ports.extend(of_the_image.chain(published));
    config.volumes.extend(of_image.volumes.keys().cloned());
    config
}

/// The user's variables first, then those of the image that the user did not name.
fn merge_variables(mut own: Vec<String>, of_image: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let named: Vec<String> = own.iter().map(|v| name(v)).collect();
    own.extend(of_image.iter().filter(|v| !named.contains(&name(v))).cloned());
    own
}

fn take_name(create: &mut Create) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let (registry, id) = (create.engine.containers(), &create.container.id);
        if let Some(name) = &create.wanted {
            registry.take_name(name, id)?;
            create.container.name.clone_from(name);
            return Ok(());
        }
        for attempt in 0..NAME_ATTEMPTS {
            let made_up = name::generated(crate::engine::random()?, attempt);
            if registry.take_name(&made_up, id).is_ok() {
                create.container.name = made_up;
                return Ok(());
            }
        }
        Err(Error::Host {
            what: "find a name that is free".into(),
            source: std::io::ErrorKind::AlreadyExists.into(),
        })
    })
}

fn free_name(create: &mut Create) -> Doing<'_, ()> {
    Box::pin(async { create.engine.containers().free_name(&create.container.name) })
}

fn make_home(create: &mut Create) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let paths = create.paths.clone();
        blocking(move || {
            let make = |path: &Path| std::fs::create_dir_all(path).map_err(Error::file("create", path));
            make(&paths.home.join("log"))?;
            make(&paths.records)?;
            sampan_store::rw::create(&paths.home).map_err(Error::Store)
        })
        .await
    })
}

/// A user that the image does not know is refused here: by the start, clients wait already.
fn find_user(create: &mut Create) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let typed = &create.container.config.user;
        if typed.is_empty() || typed.parse::<i32>().is_ok_and(|id| id >= 0) {
            return Ok(());
        }
        let root = super::bundle::rootfs(&create.engine, &create.container).await?;
        super::bundle::resolve_user(&root, typed).await.map(drop)
    })
}

/// Looks at the host for what is to be bound.
async fn plan_mounts(engine: &Engine, config: &Config) -> Result<Vec<Planned>> {
    let (engine, config) = (engine.clone(), config.clone());
    blocking(move || mounts::plan(engine.containers(), &config)).await
}

fn make_volumes(create: &mut Create) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let planned = std::mem::take(&mut create.planned);
        let (engine, container, image) =
            (create.engine.clone(), create.container.clone(), create.image.clone());
        let made = blocking(move || mounts::make(&engine, &container, &image, planned)).await;
        create.container.mounts = made?;
        Ok(())
    })
}

fn remove_volumes(create: &mut Create) -> Doing<'_, ()> {
    Box::pin(async {
        let (engine, container) = (create.engine.clone(), create.container.clone());
        // What is in them is deleted when the value is dropped.
        let released = blocking(move || {
            drop(mounts::release(&engine, &container, true));
            Ok::<_, Error>(())
        });
        if let Err(e) = released.await {
            tracing::error!("volumes of a container that was not made: {}", with_sources(&e));
        }
    })
}

fn remove_home(create: &mut Create) -> Doing<'_, ()> {
    Box::pin(async { super::remove::remove_files(create.paths.clone()).await })
}

fn write_record(create: &mut Create) -> Doing<'_, Result<()>> {
    Box::pin(async { super::record::write(&create.engine, &create.container).await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_image_come_after_the_users() {
        let own = vec!["A=1".to_owned(), "B".to_owned()];
        let of_image = ["A=2".to_owned(), "B=3".to_owned(), "C=4".to_owned()];
        assert_eq!(merge_variables(own, &of_image), ["A=1", "B", "C=4"]);
    }
}
