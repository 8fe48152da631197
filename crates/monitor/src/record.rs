//! The journal as the monitor keeps it: an entry that the disk refuses is told all the same, and stands in the file with the
//! next snapshot, for which there is room again. So what waits for the disk is one summary, whatever happens meanwhile.

use sampan_logs::journal::{self, JournalError, Writer};
use sampan_spec::journal::{Entry, Event, Summary};
use std::path::{Path, PathBuf};

/// The journal, until it is left to others.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    writer: Option<Writer>,
    /// The file misses entries.
    behind: bool,
    last: Summary,
}

impl Record {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let writer = Writer::open(path)?;
        Ok(Self { path: path.to_owned(), writer: Some(writer), behind: false, last: Summary::default() })
    }

    /// What is so now.
    pub(crate) fn summary(&self) -> &Summary {
        self.writer.as_ref().map_or(&self.last, Writer::summary)
    }

    /// Writes an event down; gives the entries that the journal grew by, for those who follow it.
    pub(crate) fn append(&mut self, event: Event) -> Vec<Entry> {
        let Some(writer) = &mut self.writer else { return Vec::new() };
        let entry = writer.take_entry(event);
        let written = writer.write_line(&entry);
        let snapshot = if self.behind || written.is_err() {
            writer.write_snapshot().ok()
        } else {
            writer.compact().ok().flatten()
        };
        self.behind = snapshot.is_none() && (self.behind || written.is_err());
        [entry].into_iter().chain(snapshot).collect()
    }

    /// The entries behind `after`.
    pub(crate) fn entries(&mut self, after: u64) -> Result<Vec<Entry>, JournalError> {
        let mut entries = journal::read(&self.path, after)?;
        if self.behind {
            entries.extend(self.writer.as_mut().map(Writer::take_snapshot));
        }
        Ok(entries)
    }

    /// Lets others write the journal.
    pub(crate) fn close(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            if self.behind {
                // Where this fails, too, the last word about process 1 may still be there.
                let _ = writer.write_snapshot();
            }
            self.last = writer.summary().clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    };
    use sampan_spec::ExecId;
    use sampan_spec::journal::{ExecProcess, Exit, Status};
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn exec_created(number: u8) -> Event {
        let process = ExecProcess {
            process: Box::default(),
            stdin: false,
            stdout: true,
            stderr: true,
            detach_keys: vec![],
        };
        Event::ExecCreated { exec: ExecId::from_bytes([number; 32]), process }
    }

    #[test]
    fn a_full_disk_costs_nothing_once_there_is_room() {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_set_string(&context, "size", "64k").unwrap();
        fsconfig_create(&context).unwrap();
        let disk = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let path = |name: &str| PathBuf::from(format!("/proc/self/fd/{}/{name}", disk.as_raw_fd()));
        let mut record = Record::open(&path("journal")).unwrap();
        let mut told = record.append(Event::Started { pid: 7, boot_id: "b".into(), probed: false });
        let mut filling = std::fs::File::create(path("filling")).unwrap();
        while filling.write(&[0; 4096]).is_ok() {}
        for number in 0..200 {
            told.extend(record.append(exec_created(number)));
        }
        assert_eq!(told.len(), 201);
        // Who comes now hears the same in short.
        let heard = record.entries(0).unwrap();
        assert!(heard.len() < 100, "{}", heard.len());
        assert_eq!(&Summary::of(&heard), record.summary());
        std::fs::remove_file(path("filling")).unwrap();
        drop(filling);
        told.extend(record.append(Event::Exited(Exit { code: 3, signal: None, oom: false })));
        assert!(matches!(told.last().unwrap().event, Event::Snapshot { .. }));
        assert_eq!(&Summary::of(&told), record.summary());
        let written = journal::read(&path("journal"), 0).unwrap();
        assert_eq!(&Summary::of(&written), record.summary());
        assert_eq!(record.summary().status, Status::Exited);
    }
}
