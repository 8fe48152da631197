//! `volume rm`: nothing of a volume stays, unless a container uses it.

use super::{Volumes, driver};
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event;
use sampan_store::volumes::Discarded;
use sampan_store::{Store, volumes};

/// Removes a volume.
///
/// # Errors
/// When there is none, or a container uses it.
pub async fn remove(engine: &Engine, name: &str) -> Result<()> {
    let (engine, name) = (engine.clone(), name.to_owned());
    blocking(move || {
        drop(discard(engine.volumes(), engine.store(), &name)?);
        event::volume(&engine, "destroy", &name);
        Ok::<_, crate::Error>(())
    })
    .await
}

/// Takes a volume away that no container uses; its content goes with what is returned. Blocks.
pub(crate) fn discard(volumes: &Volumes, store: &Store, name: &str) -> Result<Discarded> {
    let _held = volumes.hold(name);
    let volume = volumes.forget(name)?;
    let discard = || {
        if volume.is_mount() {
            driver::unmount_now(volumes, name)?;
        }
        Ok(volumes::discard(store, &volumes.folder(name))?)
    };
    discard().inspect_err(|_| drop(volumes.insert((*volume).clone())))
}

#[cfg(test)]
mod tests {
    use super::super::{CreateRequest, create_now};
    use super::*;

    #[test]
    fn a_volume_goes_once_and_its_name_is_free() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        let request = || CreateRequest { name: Some("ab".into()), ..CreateRequest::default() };
        create_now(&volumes, request(), None).unwrap();
        std::fs::write(volumes.data("ab").join("x"), "").unwrap();
        let gone = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| discard(&volumes, &store, "ab").is_ok())).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count()
        });
        assert_eq!(gone, 1);
        assert_eq!(discard(&volumes, &store, "ab").unwrap_err().to_string(), "get ab: no such volume");
        create_now(&volumes, request(), None).unwrap();
        assert_eq!(std::fs::read_dir(volumes.data("ab")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_taken_away_is_still_known() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        create_now(&volumes, CreateRequest { name: Some("ab".into()), ..CreateRequest::default() }, None)
            .unwrap();
        rustix::mount::mount_bind(root.path(), volumes.data("ab")).unwrap();
        let refused = discard(&volumes, &store, "ab");
        driver::unmount_now(&volumes, "ab").unwrap();
        assert!(refused.is_err() && volumes.get("ab").is_some());
        drop(discard(&volumes, &store, "ab").unwrap());
    }
}
