//! `volume create`, and the volumes that containers ask for.

use super::{ANONYMOUS, DRIVER, Map, Snapshot, Volume, VolumeError, Volumes, driver};
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event;
use sampan_spec::{ContainerId, Timestamp};
use std::sync::Arc;

/// A volume to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateRequest {
    /// `None`: a name is made up.
    pub name: Option<String>,
    /// Empty is the only one there is.
    pub driver: String,
    /// The driver's options.
    pub options: Option<Map>,
    /// For people and programs.
    pub labels: Option<Map>,
}

/// For which container a volume is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    /// The container.
    pub(crate) container: &'a ContainerId,
    /// Whether the container's record does not outlive a boot.
    pub(crate) passing: bool,
}

/// Makes a volume. One of this name that is there already is as good.
///
/// # Errors
/// When the name or an option is not right, or the volume cannot be made.
pub async fn create(engine: &Engine, request: CreateRequest) -> Result<Snapshot> {
    let engine = engine.clone();
    blocking(move || {
        let volumes = engine.volumes();
        let is_new = is_new(volumes, &request);
        let volume = create_now(volumes, request, None)?;
        if is_new {
            event::volume(&engine, "create", &volume.name);
        }
        let gone = || VolumeError::NotFound(volume.name.clone());
        Ok::<_, crate::Error>(volumes.snapshot(&volume.name).ok_or_else(gone)?)
    })
    .await
}

/// Whether a request is not for a volume that is there.
pub(crate) fn is_new(volumes: &Volumes, request: &CreateRequest) -> bool {
    request.name.as_ref().is_none_or(|name| volumes.get(name).is_none())
}

/// Makes a volume, or finds it, and notes its user. Blocks.
pub(crate) fn create_now(
    volumes: &Volumes,
    request: CreateRequest,
    maker: Option<Maker<'_>>,
) -> Result<Arc<Volume>> {
    let is_anonymous = request.name.is_none();
    let name = match request.name {
        Some(name) => name,
        None => ContainerId::from_bytes(crate::engine::random()?).to_string(),
    };
    if !matches!(request.driver.as_str(), "" | "default" | DRIVER) {
        return Err(VolumeError::NoDriver { name, driver: request.driver }.into());
    }
    check_name(&name)?;
    let _held = volumes.hold(&name);
    let known = match maker {
        Some(maker) => volumes.claim(&name, maker.container),
        None => volumes.get(&name),
    };
    if let Some(known) = known {
        return Ok(known);
    }
    driver::check(&name, request.options.as_ref())?;
    let mut labels = request.labels;
    if is_anonymous {
        labels.get_or_insert_default().insert(ANONYMOUS.to_owned(), String::new());
    }
    let volume = Volume {
        name,
        created: Timestamp::now(),
        labels,
        options: request.options,
        owner: maker.filter(|_| is_anonymous).map(|maker| maker.container.clone()),
    };
    make(volumes, volume, maker)
}

fn make(volumes: &Volumes, volume: Volume, maker: Option<Maker<'_>>) -> Result<Arc<Volume>> {
    let folder = volumes.folder(&volume.name);
    sampan_store::volumes::make(&folder)?;
    // One that goes with a container that does not outlive a boot need not either.
    let written = if volume.owner.is_some() && maker.is_some_and(|maker| maker.passing) {
        volumes.records.put_unsynced(&volume.name, &volume)
    } else {
        volumes.records.put(&volume.name, &volume)
    };
    if let Err(error) = written {
        sampan_store::volumes::remove_unfinished(&folder)?;
        return Err(error.into());
    }
    let volume = volumes.insert(volume);
    if let Some(maker) = maker {
        volumes.claim(&volume.name, maker.container);
    }
    Ok(volume)
}

/// Docker's rules for the names of its local volumes.
fn check_name(name: &str) -> Result<()> {
    let word = |b: u8| b.is_ascii_alphanumeric();
    let mut bytes = name.bytes();
    let fits = bytes.next().is_some_and(word) && bytes.all(|b| word(b) || matches!(b, b'_' | b'.' | b'-'));
    match name.len() {
        1 => Err(VolumeError::ShortName(name.to_owned()).into()),
        _ if fits => Ok(()),
        _ => Err(VolumeError::BadName(name.to_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> CreateRequest {
        CreateRequest { name: Some(name.to_owned()), ..CreateRequest::default() }
    }

    fn refusal(volumes: &Volumes, request: CreateRequest) -> String {
        create_now(volumes, request, None).unwrap_err().to_string()
    }

    #[test]
    fn names_and_options_are_checked_as_docker_does() {
        let root = tempfile::tempdir().unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        for name in ["ab", "a.b-c_d", "9x"] {
            assert_eq!(create_now(&volumes, named(name), None).unwrap().name, name);
        }
        for name in ["..", "a/b", "/a", ".a", "a b", "a\0b", "ä", "-a", "a\n"] {
            assert!(refusal(&volumes, named(name)).contains("includes invalid characters"), "{name}");
        }
        assert!(refusal(&volumes, named("a")).starts_with("create a: volume name is too short"));
        let driver = CreateRequest { driver: "zz".into(), ..named("x1") };
        assert_eq!(
            refusal(&volumes, driver),
            "create x1: error looking up volume plugin zz: plugin \"zz\" not found"
        );
        let mut there: Vec<_> =
            std::fs::read_dir(root.path().join("volumes")).unwrap().map(|e| e.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["9x", "a.b-c_d", "ab"]);
    }

    #[test]
    fn a_volume_is_made_once_and_known_to_the_next_engine() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("volumes");
        let (volumes, _) = Volumes::open(folder.clone()).unwrap();
        let user = ContainerId::from_bytes([1; 32]);
        let maker = Some(Maker { container: &user, passing: false });
        let labels = || Some(Map::from([("a".to_owned(), "b".to_owned())]));
        let first = create_now(&volumes, CreateRequest { labels: labels(), ..named("ab") }, None).unwrap();
        let again = create_now(&volumes, named("ab"), maker).unwrap();
        assert_eq!(again, first);
        assert_eq!(volumes.snapshot("ab").unwrap().users, std::slice::from_ref(&user));
        assert!(volumes.forget("ab").unwrap_err().to_string().contains("volume is in use - [0101"));
        let anonymous = create_now(&volumes, CreateRequest::default(), maker).unwrap();
        assert!(anonymous.is_anonymous() && anonymous.owner == Some(user));
        assert_eq!(anonymous.name.len(), 64);
        let (_, scan) = Volumes::open(folder).unwrap();
        let found: Vec<_> = scan.records.into_iter().map(|(_, volume)| volume).collect();
        assert!(found.contains(&first) && found.contains(&anonymous) && found.len() == 2);
    }

    #[test]
    fn two_who_make_the_same_volume_get_the_same() {
        let root = tempfile::tempdir().unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        let made: Vec<Arc<Volume>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| create_now(&volumes, named("ab"), None).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|volume| Arc::ptr_eq(volume, &made[0])));
    }
}
