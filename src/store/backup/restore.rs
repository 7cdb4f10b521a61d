//! Restores a store from a backup, in a place without a store.
//!
//! Everything is assembled in `restoring/` below the target and checked there: every checksum during the copy, then the
//! records against the journal. Only then are attachments, mail and store moved into place, the store last: an
//! interrupted restore never looks like a store, and can be repeated.
//!
//! With [`Extent::Partial`] damaged data are left out and reported: it restores the intact records (see
//! [`super::salvage`]), the intact attachments, and everything readable in the segments of mail: each message in them
//! has its own checksum, so that a damaged one is never taken for intact.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
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

use super::fault::Fault;
use super::files::{create_file, make_directory, sync_directory};
use super::manifest::{FileRef, KeptFile, SegmentFile};
use super::point::Point;
use super::repository::Repository;
use super::salvage::{salvage, whole_way};
use super::verify::fault_of;
use super::{BackupError, Event, Watch};

/// The parts of a state directory that a restore creates, in the order in which they are moved into place.
const PARTS: [&str; 3] = ["blobs", "spool", "store"];
const WORKPLACE: &str = "restoring";
/// Bytes copied at once.
const PIECE: usize = 256 * 1024;
/// Bytes skipped where the disk cannot be read.
const BLOCK: usize = 4096;

/// How much must be intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything, otherwise nothing is restored.
    Whole,
    /// Intact data are restored, and damaged ones are reported.
    Partial,
}

/// A restored store, not yet moved into place.
#[derive(Debug)]
pub struct LaidOut {
    target: PathBuf,
    /// Its path until then.
    pub workplace: PathBuf,
    /// Number of records in it.
    pub records: u64,
    /// The records are exactly those of the backup.
    pub exact: bool,
    /// Faults in the backup; empty unless the restore is partial.
    pub faults: Vec<Fault>,
    /// Where existing data at the target are moved first, if requested.
    pub aside: Option<PathBuf>,
}

/// Returns an error if the store's place is not empty.
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

/// Reads everything that a restore would need and reports its faults; writes nothing.
///
/// # Errors
/// [`BackupError`].
pub(crate) fn check(
    repository: &Repository,
    point: &Point,
    watch: Watch<'_>,
) -> Result<(u64, Vec<Fault>), BackupError> {
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

/// Assembles the store of `point` in a separate directory below `target`; existing data there are not touched.
///
/// # Errors
/// [`BackupError`]: nothing was moved into place.
pub fn lay_out(
    repository: &Repository,
    point: &Point,
    target: &Path,
    extent: Extent,
    watch: Watch<'_>,
) -> Result<LaidOut, BackupError> {
    make_directory(target)?;
    let workplace = target.join(WORKPLACE);
    clear(&workplace)?;
    announce(point, repository, watch)?;
    let mut work = Work { repository, watch, workplace: &workplace, extent, point, faults: Vec::new() };
    work.kept(&point.blobs, &workplace.join("blobs"), false, |directory, kept| {
        directory.join(kept.name.get(..2).unwrap_or("xx")).join(&kept.name)
    })?;
    work.kept(&point.spool, &workplace.join("spool"), true, |directory, kept| {
        numbered_path(directory, kept.name.parse().unwrap_or(0), SUFFIX)
    })?;
    let (records, exact) = work.records()?;
    let faults = work.faults;
    Ok(LaidOut { target: target.to_owned(), workplace, records, exact, faults, aside: None })
}

impl LaidOut {
    /// Moves everything into place. From now on a daemon can be started on it.
    ///
    /// # Errors
    /// [`BackupError`]: unless the store itself is in place, no daemon starts.
    pub(crate) fn place(self) -> Result<(), BackupError> {
        if let Some(aside) = &self.aside {
            move_aside(&self.target, aside)?;
        }
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

/// Moves the existing store aside, with its attachments and mail; backups and everything else stay. The caller holds
/// the store's lock.
fn move_aside(target: &Path, aside: &Path) -> Result<(), BackupError> {
    make_directory(aside)?;
    // The store goes first: without it no daemon starts on the rest.
    for part in PARTS.iter().rev() {
        let (from, to) = (target.join(part), aside.join(part));
        match fs::rename(&from, &to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(&from, "moved aside")(e)),
            _ => sync_directory(target)?,
        }
    }
    sync_directory(aside)
}

fn clear(directory: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(BackupError::io(directory, "cleared")(e)),
        _ => make_directory(directory),
    }
}

fn files(point: &Point) -> impl Iterator<Item = &FileRef> {
    let checkpoint = point.checkpoint.iter().map(|checkpoint| &checkpoint.file);
    let journal = point.journal.iter().map(|segment| &segment.file);
    checkpoint.chain(journal).chain(point.blobs.iter().chain(&point.spool).map(|kept| &kept.file))
}

fn announce(point: &Point, repository: &Repository, watch: Watch<'_>) -> Result<(), BackupError> {
    let total = files(point).map(|file| file.bytes).sum();
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
    extent: Extent,
    point: &'w Point,
    faults: Vec<Fault>,
}

impl Work<'_> {
    /// Restores attachments or mail, with their modification times. Of damaged files, `in_parts` keeps what is
    /// readable.
    fn kept(
        &mut self,
        all: &[KeptFile],
        directory: &Path,
        in_parts: bool,
        place: impl Fn(&Path, &KeptFile) -> PathBuf,
    ) -> Result<(), BackupError> {
        make_directory(directory)?;
        for kept in all {
            let path = place(directory, kept);
            make_directory(path.parent().unwrap_or(directory))?;
            let (file, wrong) = self.copy(&kept.file, &path)?;
            if let Some(what) = wrong {
                let (from, backups) = (self.repository.path(&kept.file), vec![self.point.backup.clone()]);
                if self.extent == Extent::Whole {
                    return Err(BackupError::damaged(&from, what));
                }
                self.faults.push(Fault { path: from, what, backups });
                if !in_parts || file.metadata().map_err(BackupError::io(&path, "looked at"))?.len() == 0 {
                    fs::remove_file(&path).map_err(BackupError::io(&path, "removed"))?;
                    continue;
                }
            }
            let times = FileTimes::new().set_modified(kept.written.into());
            file.set_times(times).map_err(BackupError::io(&path, "dated"))?;
        }
        sync_tree(directory)
    }

    /// Restores the store itself. Returns the number of records, and whether they are exactly those of the backup.
    fn records(&mut self) -> Result<(u64, bool), BackupError> {
        let store = self.workplace.join("store");
        let made = self.journal(self.point).and_then(|()| self.opened(Some(self.point)));
        let error = match made {
            Ok(records) => return Ok((records, true)),
            Err(error) if self.extent == Extent::Whole || !error.is_damage() => return Err(error),
            Err(error) => error,
        };
        let fault = |path: PathBuf, what: String| Fault { path, what, backups: vec![self.point.backup.clone()] };
        let (path, what) = match error {
            BackupError::Damaged { path, what } => (path, what),
            other => (self.repository.directory().to_owned(), other.to_string()),
        };
        clear(&store)?;
        if let Some(point) = whole_way(self.repository, self.point, self.watch)? {
            self.faults.push(fault(
                path,
                format!("{what}; the same records were restored from other files, and none is lost"),
            ));
            self.journal(&point)?;
            return Ok((self.opened(Some(&point))?, true));
        }
        let salvaged = salvage(self.repository, self.point, &store, self.watch)?;
        self.faults.extend(salvaged.faults);
        Ok((self.opened(None)?, salvaged.exact))
    }

    /// Opens the restored store once, which builds its index, and counts its records.
    fn opened(&self, point: Option<&Point>) -> Result<u64, BackupError> {
        let settings = Settings { reserve_bytes: 0, ..Settings::default() };
        let opened = EmbeddedEngine::open(&self.workplace.join("store"), settings)?;
        if let Some(point) = point {
            check_mark(point, opened.engine.mark())?;
        }
        // From now on the journal differs from the repository's: the two must not share a segment.
        opened.engine.seal()?;
        let records = opened.engine.mark().fingerprint.records;
        opened.engine.close()?;
        Ok(records)
    }

    /// Restores checkpoint and journal; cuts the last segment after the last group.
    fn journal(&self, point: &Point) -> Result<(), BackupError> {
        let store = self.workplace.join("store");
        let (journal, checkpoints) = (store.join("journal"), store.join("checkpoints"));
        make_directory(&journal)?;
        let mut since = Mark::default();
        if let Some(checkpoint) = &point.checkpoint {
            make_directory(&checkpoints)?;
            let path = checkpoints.join(format!("{:020}.checkpoint", checkpoint.since.group));
            since = checkpoint.since.mark().ok_or_else(|| BackupError::damaged(&path, "its mark is damaged"))?;
            self.copy_whole(&checkpoint.file, &path)?;
        }
        for segment in &point.journal {
            let name = SegmentName::new(&journal, segment.first);
            let file = self.copy_whole(&segment.file, &name.path)?;
            if segment.last > point.group {
                cut(&name, &file, segment, point.group)?;
            }
        }
        if point.journal.is_empty() {
            let settings = JournalSettings { segment_bytes: u64::MAX, reserve_bytes: 0, head_in: None };
            let tail = Tail { mark: since, ..Tail::default() };
            JournalWriter::open(Arc::new(SystemDisk), &journal, settings, &tail)?;
        }
        sync_tree(&store)
    }

    fn copy_whole(&self, file: &FileRef, to: &Path) -> Result<File, BackupError> {
        match self.copy(file, to)? {
            (copy, None) => Ok(copy),
            (_, Some(what)) => Err(BackupError::damaged(&self.repository.path(file), what)),
        }
    }

    /// Copies and checks a content; returns the new file, and its fault if any. Unreadable bytes are zeros in the copy.
    fn copy(&self, file: &FileRef, to: &Path) -> Result<(File, Option<String>), BackupError> {
        let from = self.repository.path(file);
        let failed = |action| BackupError::io(to, action);
        create_file(to).map_err(failed("created"))?;
        let mut target = File::options().read(true).write(true).open(to).map_err(failed("opened"))?;
        let source = match File::open(&from) {
            Ok(source) => source,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((target, Some("it is not there".to_owned()))),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(BackupError::io(&from, "read")(e)),
            Err(e) => return Ok((target, Some(format!("it cannot be read: {e}")))),
        };
        let length = source.metadata().map_err(BackupError::io(&from, "read"))?.len();
        let (mut hash, mut piece, mut at, mut size, mut wrong) = (Sha256::new(), vec![0; PIECE], 0_u64, PIECE, None);
        while at < length {
            let space = piece.get_mut(..size).unwrap_or_default();
            let count = match source.read_at(space, at) {
                Ok(count) => count,
                Err(_) if size > BLOCK => {
                    size = BLOCK;
                    continue;
                }
                Err(e) => {
                    wrong.get_or_insert_with(|| format!("it cannot be read: {e}"));
                    space.fill(0);
                    size.min(usize::try_from(length - at).unwrap_or(size))
                }
            };
            let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            target.write_all(part).map_err(failed("written"))?;
            at += count as u64;
            (self.watch)(Event::Bytes(count as u64)).map_err(failed("written"))?;
        }
        target.sync_all().map_err(failed("synced"))?;
        if wrong.is_none() && at != file.bytes {
            wrong = Some(format!("it has {at} bytes instead of {}", file.bytes));
        }
        if wrong.is_none() && to_hex(&hash.finalize()) != file.sha256 {
            wrong = Some("its content has changed".to_owned());
        }
        Ok((target, wrong))
    }
}

/// Cuts a copied segment after a group.
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
