//! Laying a store out again from a backup, in a place where there is none.
//!
//! Everything is put together in `restoring/` below the target and checked there: every checksum while it is copied, then
//! the records against what the journal says of them. Only then do attachments, mail and store get their places, the store
//! last: a restore that was cut short never looks like a store, and can be begun anew.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::base::token::to_hex;
use crate::store::embedded::{EmbeddedEngine, Settings};
use crate::store::fingerprint::Mark;
use crate::store::journal::disk::{SystemDisk, numbered_path};
use crate::store::journal::segment::SegmentName;
use crate::store::journal::walk::{Tail, read_segment};
use crate::store::journal::writer::{JournalSettings, JournalWriter};
use crate::store::spool::SUFFIX;

use super::manifest::{FileRef, KeptFile, SegmentFile};
use super::point::Point;
use super::repository::{Repository, create_file, make_directory, sync_directory};
use super::verify::{Fault, fault_of};
use super::{BackupError, Event, Watch};

/// What of a state directory a restore makes, in the order in which it gets its place.
const PARTS: [&str; 3] = ["blobs", "spool", "store"];
const WORKPLACE: &str = "restoring";

/// A store that was laid out, not yet in its place.
#[derive(Debug)]
pub struct LaidOut {
    target: PathBuf,
    /// Where it lies until then.
    pub workplace: PathBuf,
    /// How many records it holds.
    pub records: u64,
}

/// Refuses when there is anything where the store should go.
///
/// # Errors
/// [`BackupError::Occupied`], [`BackupError::Io`].
pub fn check_target(target: &Path) -> Result<(), BackupError> {
    for part in PARTS {
        let path = target.join(part);
        match fs::read_dir(&path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(BackupError::Occupied(path));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(BackupError::io(&path, "looked at")(e)),
        }
    }
    Ok(())
}

/// Reads all that a restore would need and says what is wrong with it; nothing is written.
///
/// # Errors
/// [`BackupError`].
pub fn check(repository: &Repository, point: &Point, watch: Watch<'_>) -> Result<(u64, Vec<Fault>), BackupError> {
    let mut faults = Vec::new();
    announce(point, repository, watch)?;
    for file in files(point) {
        if let Some(what) = fault_of(repository, file, watch)? {
            faults.push(Fault { path: repository.path(file), what, backups: vec![point.backup.clone()] });
        }
    }
    if !faults.is_empty() {
        return Ok((0, faults));
    }
    let (mark, sum) = point.records(repository, &|_| true, &mut |_, _| {})?;
    check_mark(point, mark)?;
    if sum != mark.fingerprint {
        return Err(BackupError::damaged(repository.directory(), "its records do not add up to what the journal says"));
    }
    Ok((sum.records, faults))
}

/// Puts the store of `point` together below `target`, which may hold other things but no store.
///
/// # Errors
/// [`BackupError`]: nothing has got its place.
pub fn lay_out(
    repository: &Repository,
    point: &Point,
    target: &Path,
    watch: Watch<'_>,
) -> Result<LaidOut, BackupError> {
    check_target(target)?;
    make_directory(target)?;
    let workplace = target.join(WORKPLACE);
    match fs::remove_dir_all(&workplace) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(&workplace, "cleared")(e)),
        _ => make_directory(&workplace)?,
    }
    announce(point, repository, watch)?;
    let work = Work { repository, watch, workplace: &workplace };
    work.kept(&point.blobs, &workplace.join("blobs"), |directory, kept| {
        directory.join(kept.name.get(..2).unwrap_or("xx")).join(&kept.name)
    })?;
    work.kept(&point.spool, &workplace.join("spool"), |directory, kept| {
        numbered_path(directory, kept.name.parse().unwrap_or(0), SUFFIX)
    })?;
    work.journal(point)?;
    let opened = EmbeddedEngine::open(&workplace.join("store"), Settings { reserve_octets: 0, ..Settings::default() })?;
    check_mark(point, opened.engine.mark())?;
    // What is written from now on goes another way than in the repository: it must not share a segment with that.
    opened.engine.seal()?;
    let records = opened.engine.records();
    opened.engine.close()?;
    Ok(LaidOut { target: target.to_owned(), workplace, records })
}

impl LaidOut {
    /// Gives everything its place. From now on a daemon can be started on it.
    ///
    /// # Errors
    /// [`BackupError`]: without the store itself in place no daemon starts.
    pub fn place(self) -> Result<(), BackupError> {
        check_target(&self.target)?;
        for part in PARTS {
            let (from, to) = (self.workplace.join(part), self.target.join(part));
            if to.try_exists().map_err(BackupError::io(&to, "looked at"))? {
                fs::remove_dir(&to).map_err(BackupError::io(&to, "removed"))?;
            }
            fs::rename(&from, &to).map_err(BackupError::io(&to, "put in its place"))?;
            sync_directory(&self.target)?;
        }
        fs::remove_dir_all(&self.workplace).map_err(BackupError::io(&self.workplace, "removed"))?;
        sync_directory(&self.target)
    }

    /// The directory of the store.
    pub fn store(&self) -> PathBuf {
        self.workplace.join("store")
    }
}

fn files(point: &Point) -> impl Iterator<Item = &FileRef> {
    let checkpoint = point.checkpoint.iter().map(|checkpoint| &checkpoint.file);
    let journal = point.journal.iter().map(|segment| &segment.file);
    checkpoint.chain(journal).chain(point.blobs.iter().chain(&point.spool).map(|kept| &kept.file))
}

fn announce(point: &Point, repository: &Repository, watch: Watch<'_>) -> Result<(), BackupError> {
    let total = files(point).map(|file| file.octets).sum();
    watch(Event::Total(total)).map_err(BackupError::io(repository.directory(), "read"))
}

fn check_mark(point: &Point, found: Mark) -> Result<(), BackupError> {
    if found.sequence == point.group && point.mark.is_none_or(|mark| mark == found) {
        return Ok(());
    }
    let what = format!("it leads to group {} and not to {}, or to other records", found.sequence, point.group);
    Err(BackupError::damaged(Path::new(&point.backup), what))
}

struct Work<'w> {
    repository: &'w Repository,
    watch: Watch<'w>,
    workplace: &'w Path,
}

impl Work<'_> {
    /// Attachments or mail, with the times at which they were written.
    fn kept(
        &self,
        all: &[KeptFile],
        directory: &Path,
        place: impl Fn(&Path, &KeptFile) -> PathBuf,
    ) -> Result<(), BackupError> {
        make_directory(directory)?;
        for kept in all {
            let path = place(directory, kept);
            make_directory(path.parent().unwrap_or(directory))?;
            let file = self.copy(&kept.file, &path)?;
            let times = FileTimes::new().set_modified(kept.written.into());
            file.set_times(times).map_err(BackupError::io(&path, "dated"))?;
        }
        sync_tree(directory)
    }

    /// Checkpoint and journal, the last segment cut behind the last group.
    fn journal(&self, point: &Point) -> Result<(), BackupError> {
        let store = self.workplace.join("store");
        let (journal, checkpoints) = (store.join("journal"), store.join("checkpoints"));
        make_directory(&journal)?;
        let mut since = Mark::default();
        if let Some(checkpoint) = &point.checkpoint {
            make_directory(&checkpoints)?;
            let path = checkpoints.join(format!("{:020}.checkpoint", checkpoint.since.group));
            since = checkpoint.since.mark().ok_or_else(|| BackupError::damaged(&path, "its mark is damaged"))?;
            self.copy(&checkpoint.file, &path)?;
        }
        for segment in &point.journal {
            let name = SegmentName::new(&journal, segment.first);
            let file = self.copy(&segment.file, &name.path)?;
            if segment.last > point.group {
                cut(&name, &file, segment, point.group)?;
            }
        }
        if point.journal.is_empty() {
            let settings = JournalSettings { segment_octets: u64::MAX, reserve_octets: 0, head_in: None };
            let tail = Tail { mark: since, ..Tail::default() };
            JournalWriter::open(Arc::new(SystemDisk), &journal, settings, &tail)?;
        }
        sync_tree(&store)
    }

    /// Copies a content, checking it on the way; gives the new file.
    fn copy(&self, file: &FileRef, to: &Path) -> Result<File, BackupError> {
        let from = self.repository.path(file);
        let mut source = File::open(&from).map_err(BackupError::io(&from, "read"))?;
        let failed = |action| BackupError::io(to, action);
        create_file(to).map_err(failed("created"))?;
        let mut target = File::options().read(true).write(true).open(to).map_err(failed("opened"))?;
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 * 1024]);
        loop {
            let count = source.read(&mut piece).map_err(BackupError::io(&from, "read"))?;
            let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            target.write_all(part).map_err(failed("written"))?;
            (self.watch)(Event::Octets(count as u64)).map_err(failed("written"))?;
        }
        if to_hex(&hash.finalize()) != file.sha256 {
            return Err(BackupError::damaged(&from, "its content is not what was put there"));
        }
        target.sync_all().map_err(failed("synced"))?;
        Ok(target)
    }
}

/// Cuts a copied segment behind a group.
fn cut(name: &SegmentName, file: &File, segment: &SegmentFile, group: u64) -> Result<(), BackupError> {
    let mut end = None;
    read_segment(name, file, &mut |record, position| {
        if record.mark.sequence == group {
            end = Some(position);
        }
        Ok(())
    })?;
    let what = || format!("group {group} is not in the segment that begins with {}", segment.first);
    let end = end.ok_or_else(|| BackupError::damaged(&name.path, what()))?;
    file.set_len(end).and_then(|()| file.sync_all()).map_err(BackupError::io(&name.path, "cut"))
}

fn sync_tree(directory: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(directory).map_err(BackupError::io(directory, "read"))? {
        let path = entry.map_err(BackupError::io(directory, "read"))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    sync_directory(directory)
}
