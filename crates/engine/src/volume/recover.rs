//! Volumes at the daemon's start: what was cut short is finished or undone.

use super::{Volume, Volumes, discard, driver};
use crate::{Error, Result};
use sampan_spec::{ContainerId, with_sources};
use sampan_store::records::Scan;
use sampan_store::{Store, volumes};

/// Makes known what the records say, and sees to what a killed daemon left of a making or a copy.
pub(crate) fn recover(all: &Volumes, scan: Scan<Volume>) -> Result<()> {
    for damaged in &scan.damaged {
        tracing::warn!("set aside {}: {}", damaged.path.display(), damaged.reason);
    }
    for name in &scan.incomplete {
        let folder = all.folder(name);
        if !volumes::remove_unfinished(&folder)? {
            tracing::warn!("{} has content and no record: not touched", folder.display());
        }
    }
    for (name, volume) in scan.records {
        let folder = all.folder(&name);
        if volume.name != name {
            tracing::warn!("{} has the record of volume {}: not used", folder.display(), volume.name);
            continue;
        }
        volumes::make(&folder)?;
        if let Err(e) = volumes::recover(&folder) {
            tracing::error!(volume = name, "its content: {}", with_sources(&e));
        }
        all.insert(volume);
    }
    Ok(())
}

/// Volumes that were made for a container that is not there.
pub(crate) struct Orphans<'a> {
    pub(crate) volumes: &'a Volumes,
    pub(crate) store: &'a Store,
}

impl Orphans<'_> {
    /// Removes them: their container's making or removal was cut short.
    pub(crate) fn remove(&self, is_there: impl Fn(&ContainerId) -> bool) {
        for snapshot in self.volumes.all() {
            let gone = snapshot.volume.owner.as_ref().is_some_and(|owner| !is_there(owner));
            if gone && snapshot.users.is_empty() {
                let name = &snapshot.volume.name;
                tracing::info!(volume = name, "removing what a removed container left");
                if let Err(e) = discard(self.volumes, self.store, name) {
                    tracing::error!(volume = name, "not removed: {}", with_sources(&e));
                }
            }
        }
    }
}

/// Unmounts what no running container needs.
pub(crate) fn unmount_unused(all: &Volumes) -> Result<()> {
    for snapshot in all.all() {
        let name = &snapshot.volume.name;
        let failed = |source| Error::File { verb: "look at", path: snapshot.mountpoint.clone(), source };
        let unused = snapshot.volume.is_mount() && !all.is_mounted(name);
        if unused && volumes::is_mounted(&all.folder(name)).map_err(failed)? {
            driver::unmount_now(all, name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{CreateRequest, Maker, create_now};
    use super::*;
    use std::fs;

    #[test]
    fn damage_stays_with_one_volume_and_content_is_never_lost() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("volumes");
        let (volumes, _) = Volumes::open(folder.clone()).unwrap();
        for name in ["whole", "damaged", "moved"] {
            let request = CreateRequest { name: Some(name.into()), ..CreateRequest::default() };
            create_now(&volumes, request, None).unwrap();
            fs::write(volumes.data(name).join("x"), name).unwrap();
        }
        fs::write(folder.join("damaged/volume.json"), "{").unwrap();
        fs::rename(folder.join("moved"), folder.join("elsewhere")).unwrap();
        fs::create_dir_all(folder.join("begun/_data")).unwrap();
        fs::create_dir_all(folder.join("lost/_data/something")).unwrap();
        let (volumes, scan) = Volumes::open(folder.clone()).unwrap();
        recover(&volumes, scan).unwrap();
        let names: Vec<String> = volumes.all().into_iter().map(|s| s.volume.name.clone()).collect();
        assert_eq!(names, ["whole"]);
        for kept in
            ["damaged/_data/x", "damaged/volume.json.damaged", "elsewhere/_data/x", "lost/_data/something"]
        {
            assert!(folder.join(kept).exists(), "{kept}");
        }
        assert!(!folder.join("begun").exists());
        // Its name is free, and gives the content back.
        let request = CreateRequest { name: Some("damaged".into()), ..CreateRequest::default() };
        create_now(&volumes, request, None).unwrap();
        assert_eq!(fs::read_to_string(volumes.data("damaged").join("x")).unwrap(), "damaged");
    }

    #[test]
    fn a_volume_goes_with_its_container() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let (volumes, _) = Volumes::open(root.path().join("volumes")).unwrap();
        let [here, gone] = [1, 2].map(|n| ContainerId::from_bytes([n; 32]));
        let make = |container| {
            let maker = Maker { container, passing: true };
            let name = create_now(&volumes, CreateRequest::default(), Some(maker)).unwrap().name.clone();
            volumes.release(&name, container);
            name
        };
        let (kept, lost, used) = (make(&here), make(&gone), make(&gone));
        volumes.claim(&used, &here);
        Orphans { volumes: &volumes, store: &store }.remove(|id| *id == here);
        let left = |name: &str| volumes.get(name).is_some();
        assert_eq!((left(&kept), left(&lost), left(&used)), (true, false, true));
    }
}
