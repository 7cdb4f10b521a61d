//! Appends to the journal. One `write` and one `fdatasync` for each group; after an error that leaves the disk's
//! content unknown, nothing is acknowledged until a restart has read what is really there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::store::fingerprint::Mark;

use super::JournalError;
use super::disk::{Disk, DiskFile, is_full, write_all};
use super::head::{self, Head, HeadWriter};
use super::record::RecordBuffer;
use super::segment::{self, Header, SegmentName};
use super::walk::Tail;

/// Why a group was not made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// The disk is full; nothing is left of the group, and the next may be tried.
    Full(String),
    /// The disk failed. It is unknown whether the group was written; nothing more can be appended.
    Broken(String),
}

/// The settings of the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalSettings {
    /// The size in bytes at which a new segment begins.
    pub segment_bytes: u64,
    /// Bytes of disk space left free, so that the index never meets a full disk.
    pub reserve_bytes: u64,
    /// The directory of the store, for `journal-head`; `None` while a store is being built.
    pub head_in: Option<PathBuf>,
}

/// The journal, open for appending.
pub(crate) struct JournalWriter {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    settings: JournalSettings,
    file: Box<dyn DiskFile>,
    head: Option<HeadWriter>,
    header: Header,
    length: u64,
    mark: Mark,
    broken: Option<String>,
    syncs: u64,
}

impl JournalWriter {
    /// Continues at `tail`, whose torn end is cut off first; begins the first segment if no segment exists.
    ///
    /// # Errors
    /// [`JournalError::Io`]
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: JournalSettings,
        tail: &Tail,
    ) -> Result<Self, JournalError> {
        if let Some(stillborn) = &tail.stillborn {
            std::fs::remove_file(stillborn).map_err(JournalError::io(stillborn, "removed"))?;
            disk.sync_directory(directory).map_err(JournalError::io(directory, "synced"))?;
        }
        let (file, header, length) = match &tail.last {
            None => {
                let (file, header) = create(disk.as_ref(), directory, tail.mark)?;
                (file, header, segment::HEADER as u64)
            }
            Some((name, header, length)) => {
                let failed = |action| JournalError::io(&name.path, action);
                if let Some(repair) = &tail.repair {
                    let mut file = disk.open_to_overwrite(&repair.path).map_err(failed("opened"))?;
                    file.write_at(repair.at, &repair.bytes).map_err(failed("repaired"))?;
                }
                let mut file = disk.append_to(&name.path).map_err(failed("opened"))?;
                if tail.torn > 0 {
                    file.cut(*length).map_err(failed("cut"))?;
                }
                // What the last run wrote but did not sync must also be durable before it is relied upon.
                file.sync().map_err(failed("synced"))?;
                (file, *header, *length)
            }
        };
        let head = match &settings.head_in {
            None => None,
            Some(store) => {
                let at = Head { segment: header.before.sequence.saturating_add(1), group: tail.mark.sequence };
                let path = head::path(store);
                Some(HeadWriter::begin(disk.as_ref(), store, at).map_err(JournalError::io(&path, "written"))?)
            }
        };
        let directory = directory.to_owned();
        Ok(Self { disk, directory, settings, file, head, header, length, mark: tail.mark, broken: None, syncs: 0 })
    }

    /// Durably stores, outside the segments, how far the journal reaches.
    ///
    /// # Errors
    /// [`AppendError::Broken`]: nothing more can be appended.
    pub(crate) fn note_head(&mut self) -> Result<(), AppendError> {
        let at = Head { segment: self.header.before.sequence.saturating_add(1), group: self.mark.sequence };
        match self.head.as_mut().map(|head| head.note_durably(at)) {
            Some(Err(e)) => Err(self.fail("journal-head could not be written", &e)),
            _ => Ok(()),
        }
    }

    /// The store's mark after the last durable group.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Number of file syncs.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Ends the current segment, so that it never changes again; the next group goes to a new one, which is durable on
    /// return. Does nothing to a segment without groups.
    ///
    /// # Errors
    /// [`AppendError`]
    pub(crate) fn seal(&mut self) -> Result<(), AppendError> {
        match &self.broken {
            Some(reason) => Err(AppendError::Broken(reason.clone())),
            None if self.length <= segment::HEADER as u64 => Ok(()),
            None => self.roll(),
        }
    }

    /// Makes the group in `buffer` durable, as of `at`; the store's mark is then `mark`. Returns the number of bytes
    /// written to the journal.
    ///
    /// # Errors
    /// [`AppendError`]
    pub(crate) fn append(
        &mut self,
        buffer: &mut RecordBuffer,
        mark: Mark,
        at: Option<Timestamp>,
    ) -> Result<u64, AppendError> {
        if let Some(reason) = &self.broken {
            return Err(AppendError::Broken(reason.clone()));
        }
        let needed = self.settings.reserve_bytes.saturating_add(buffer.len() as u64);
        // Only a guard: if the free space cannot be determined, the write itself will fail.
        if self.disk.free(&self.directory).is_ok_and(|free| free < needed) {
            let text = format!("{} has less than {needed} bytes free", self.directory.display());
            return Err(AppendError::Full(text));
        }
        // A segment of an older version gets only the one group that it may need for a unique name.
        let is_old = self.header.version < segment::VERSION && self.length > segment::HEADER as u64;
        if self.length >= self.settings.segment_bytes || is_old {
            self.roll()?;
        }
        let bytes = buffer.finish(&self.header, mark, at);
        let written = bytes.len() as u64;
        if let Err(e) = write_all(self.file.as_mut(), bytes) {
            let full = is_full(&e);
            let cut = self.file.cut(self.length);
            return match (full, cut) {
                (true, Ok(())) => Err(AppendError::Full(format!("{}: {e}", self.directory.display()))),
                _ => Err(self.fail("a journal segment could not be written", &e)),
            };
        }
        self.syncs += 1;
        if let Err(e) = self.file.sync() {
            return Err(self.fail("a journal segment could not be synced", &e));
        }
        self.length += written;
        self.mark = mark;
        // Stored before anything is acknowledged: so no group after the stored one was.
        match self.head.as_mut().map(|head| head.note(mark.sequence)) {
            Some(Err(e)) => Err(self.fail("journal-head could not be written", &e)),
            _ => Ok(written),
        }
    }

    fn roll(&mut self) -> Result<(), AppendError> {
        match create(self.disk.as_ref(), &self.directory, self.mark) {
            Ok((file, header)) => {
                self.syncs += 1;
                (self.file, self.header, self.length) = (file, header, segment::HEADER as u64);
                self.note_head()
            }
            Err(JournalError::Io { path, source, .. }) if is_full(&source) => match std::fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.fail("a new segment could not be begun", &e)),
                _ => Err(AppendError::Full(format!("{}: {source}", path.display()))),
            },
            Err(JournalError::Io { source, .. }) => Err(self.fail("a new segment could not be begun", &source)),
            Err(e) => Err(self.fail("a new segment could not be begun", &io::Error::other(e.to_string()))),
        }
    }

    fn fail(&mut self, what: &str, error: &io::Error) -> AppendError {
        let reason = format!("{what} in {}: {error}", self.directory.display());
        self.broken = Some(reason.clone());
        AppendError::Broken(reason)
    }
}

/// Creates a segment; its header and its name are durable on return.
fn create(disk: &dyn Disk, directory: &Path, before: Mark) -> Result<(Box<dyn DiskFile>, Header), JournalError> {
    let name = SegmentName::new(directory, before.sequence.saturating_add(1));
    let failed = |action| JournalError::io(&name.path, action);
    let salt = getrandom::u64().map_err(|e| failed("salted")(io::Error::other(e.to_string())))?;
    let mut file = disk.create(&name.path).map_err(failed("created"))?;
    let header = Header { version: segment::VERSION, salt, before };
    write_all(file.as_mut(), &header.to_bytes()).map_err(failed("written"))?;
    file.sync().map_err(failed("synced"))?;
    disk.sync_directory(directory).map_err(JournalError::io(directory, "synced"))?;
    Ok((file, header))
}
