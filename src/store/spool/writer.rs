//! The single writer thread: messages waiting at the same time go into one `write` and one `fdatasync`.
//!
//! After a failed write or sync it is unknown what the segment holds after its last acknowledged message, and another
//! sync of the same file may report success for bytes that were discarded. So the file is never touched again: the next
//! message begins a new segment with its own bytes and syncs. A full disk is different: the group is cut off, and the
//! next may be tried.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use crate::base::clock::{Clock, Timestamp};
use crate::model::inbound::SpoolPlace;
use crate::model::present::Cutoff;
use crate::store::journal::disk::{Disk, DiskFile, is_full, numbered_path, write_all};

use super::record::{self, HEAD};
use super::{SUFFIX, SpoolError, SpoolSettings, erase};

/// A group is closed when its messages have this many bytes; further messages go into the next.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

pub(super) type Answer<T> = oneshot::Sender<Result<T, SpoolError>>;

/// A request to the thread. It ends when all senders are gone.
pub(super) enum Request {
    Append(Vec<u8>, Answer<SpoolPlace>),
    /// Ends the current segment; returns the highest number used.
    Seal(Answer<u64>),
    /// Handled here, so that nothing is written between the check of a segment and its removal.
    Drop {
        number: u64,
        old: Cutoff,
        answer: Answer<bool>,
    },
    /// Handled here, so that nothing writes and drops at the same time.
    Erase {
        place: SpoolPlace,
        answer: Answer<()>,
    },
}

/// The current segment.
struct Active {
    number: u64,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Number of durable bytes.
    length: u64,
    begun: Timestamp,
}

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    settings: SpoolSettings,
    clock: Arc<dyn Clock>,
    active: Option<Active>,
    /// The highest number used for any segment.
    last: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// A writer whose first segment gets a number higher than `last`.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        settings: SpoolSettings,
        clock: Arc<dyn Clock>,
        last: u64,
    ) -> Self {
        Self { disk, directory, settings, clock, active: None, last, buffer: Vec::new() }
    }

    /// Works until all senders are gone.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let (mut messages, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut seals = Vec::new();
            let mut next = Some(first);
            while let Some(request) = next.take() {
                match request {
                    Request::Append(message, answer) => {
                        bytes += message.len();
                        messages.push(message);
                        answers.push(answer);
                    }
                    Request::Seal(answer) => seals.push(answer),
                    Request::Drop { number, old, answer } => {
                        let dropped = self.drop_segment(number, old);
                        // The caller may be gone; the same for the answers below.
                        let _ = answer.send(dropped);
                    }
                    Request::Erase { place, answer } => {
                        let _ = answer.send(erase::erase(&self.directory, place));
                    }
                }
                if bytes < GROUP_BYTES {
                    next = requests.try_recv().ok();
                }
            }
            if messages.is_empty() {
                self.seal(seals);
                continue;
            }
            match self.make_durable(&messages) {
                Ok(places) => answers.into_iter().zip(places).for_each(|(answer, place)| {
                    let _ = answer.send(Ok(place));
                }),
                Err(error) => answers.into_iter().for_each(|answer| {
                    let _ = answer.send(Err(error.clone()));
                }),
            }
            self.seal(seals);
            // One large message must not keep its memory for ever.
            self.buffer.clear();
            self.buffer.shrink_to(GROUP_BYTES);
        }
    }

    /// Makes the next message begin a new segment: the ones before never change again.
    fn seal(&mut self, answers: Vec<Answer<u64>>) {
        for answer in answers {
            self.active = None;
            let _ = answer.send(Ok(self.last));
        }
    }

    fn make_durable(&mut self, messages: &[Vec<u8>]) -> Result<Vec<SpoolPlace>, SpoolError> {
        let bytes: usize = messages.iter().map(|message| HEAD + message.len()).sum();
        let needed = self.settings.reserve_bytes.saturating_add(bytes as u64);
        // Only a guard: if the free space cannot be determined, the write itself will fail.
        if self.disk.free(&self.directory).is_ok_and(|free| free < needed) {
            let text = format!("{} has less than {needed} bytes free", self.directory.display());
            return Err(SpoolError::Full(text));
        }
        let mut active = self.segment()?;
        self.buffer.reserve(bytes);
        let mut places = Vec::with_capacity(messages.len());
        for message in messages {
            let offset = active.length + self.buffer.len() as u64;
            self.buffer.extend_from_slice(&record::head(active.number, offset, message));
            self.buffer.extend_from_slice(message);
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            places.push(SpoolPlace { segment: active.number, offset, length });
        }
        if let Err(error) = write_all(active.file.as_mut(), &self.buffer) {
            if is_full(&error) && active.file.cut(active.length).is_ok() {
                let text = format!("{}: {error}", active.path.display());
                self.active = Some(active);
                return Err(SpoolError::Full(text));
            }
            return Err(abandon(&active, "written", error));
        }
        if let Err(error) = active.file.sync() {
            return Err(abandon(&active, "synced", error));
        }
        active.length += self.buffer.len() as u64;
        self.active = Some(active);
        Ok(places)
    }

    /// The segment to write to: the current one, taken out, or a new one whose name is durable.
    fn segment(&mut self) -> Result<Active, SpoolError> {
        let now = self.clock.now();
        let age = chrono::Duration::from_std(self.settings.segment_age).unwrap_or(chrono::Duration::MAX);
        let fits = |active: &Active| active.length < self.settings.segment_bytes && now - active.begun < age;
        if let Some(active) = self.active.take().filter(fits) {
            return Ok(active);
        }
        let number = u64::try_from(now.timestamp()).unwrap_or(0).max(self.last.saturating_add(1));
        // The number is not tried again, even if this fails.
        self.last = number;
        let path = numbered_path(&self.directory, number, SUFFIX);
        let created = self.disk.create(&path).and_then(|file| {
            self.disk.sync_directory(&self.directory)?;
            Ok(file)
        });
        match created {
            Ok(file) => Ok(Active { number, path, file, length: 0, begun: now }),
            Err(error) => Err(failed(&path, true, "begun", error)),
        }
    }

    fn drop_segment(&mut self, number: u64, old: Cutoff) -> Result<bool, SpoolError> {
        let path = numbered_path(&self.directory, number, SUFFIX);
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match std::fs::metadata(&path).and_then(|found| found.modified()) {
            Ok(written) if !old.has(Timestamp::from(written)) => return Ok(false),
            Ok(_) => {}
            Err(error) if missing(&error) => return Ok(true),
            Err(error) => return Err(SpoolError::io(&path, "read")(error)),
        }
        self.active.take_if(|active| active.number == number);
        match std::fs::remove_file(&path) {
            Err(error) if !missing(&error) => Err(SpoolError::io(&path, "removed")(error)),
            _ => Ok(true),
        }
    }
}

/// Abandons a segment for good.
fn abandon(active: &Active, action: &'static str, error: io::Error) -> SpoolError {
    failed(&active.path, active.length == 0, action, error)
}

/// The error after a failure; removes a file without acknowledged messages, so that a repeatedly failing disk is not
/// filled with such files.
fn failed(path: &Path, is_unused: bool, action: &'static str, error: io::Error) -> SpoolError {
    if is_unused && error.kind() != io::ErrorKind::AlreadyExists {
        // If removal fails, it is only an empty segment.
        let _ = std::fs::remove_file(path);
    }
    match is_full(&error) {
        true => SpoolError::Full(format!("{}: {error}", path.display())),
        false => SpoolError::io(path, action)(error),
    }
}
