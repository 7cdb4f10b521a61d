//! Makes a backup while commits and mail continue.
//!
//! 1. The spool's segment is ended; existing attachments and mail are copied.
//! 2. The journal's segment is ended: that is the mark of the backup. Segments and checkpoint are copied.
//! 3. Attachments and mail that arrived in between are copied too: a commit up to the mark names only what was durable
//!    before it, and what was dropped in between was copied in 1. So every record of the backup finds its file in it.
//! 4. The manifest is written. Only then does the backup exist.
//!
//! Files that the previous backup has (by name, length and salt) are not even read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::store::blobs::parse_sha256;
use crate::store::checkpoint;
use crate::store::fingerprint::Mark;
use crate::store::journal::disk::numbered_files;
use crate::store::journal::segment::SegmentName;
use crate::store::journal::walk::{header_of, read_segment};
use crate::store::maintenance::{Maintenance, Sealed, Snapshot};
use crate::store::spool::{SUFFIX, SpoolError};

use super::manifest::{Before, CheckpointFile, FileRef, KeptFile, Manifest, SegmentFile};
use super::repository::Repository;
use super::{BackupError, Event, Watch};

/// Bytes of journal after which a backup takes a newer checkpoint than the previous one.
const NEW_CHECKPOINT_BYTES: u64 = 128 * 1024 * 1024;
/// Age in days after which it does.
const NEW_CHECKPOINT_DAYS: i64 = 7;

/// The data to back up.
pub struct Source<'s> {
    /// The store.
    pub engine: &'s dyn Maintenance,
    /// The directory of attachments.
    pub blobs: PathBuf,
    /// The directory of received mail.
    pub spool: PathBuf,
    /// Ends the spool's segment and returns the highest number so far; for a spool without a writer, `u64::MAX`.
    pub seal_spool: &'s (dyn Fn() -> Result<u64, SpoolError> + Sync),
}

/// Makes a backup as of now.
///
/// # Errors
/// [`BackupError`]: there is no new backup, and the earlier ones are unchanged.
pub fn create(
    source: &Source<'_>,
    repository: &Repository,
    now: Timestamp,
    watch: Watch<'_>,
) -> Result<Manifest, BackupError> {
    let listed = repository.list()?;
    repository.with_health(|health| health.take_in(&listed));
    let taken = listed.iter().map(|listed| listed.id.clone()).collect();
    let last = listed.into_iter().rev().find_map(|one| Some((one.manifest.ok()?, one.sha256)));
    let mut work = Work::begin(repository, last.as_ref().map(|(manifest, _)| manifest), now, watch);
    work.id(&taken);
    work.manifest.number = Some(repository.with_health(|health| health.last_number()) + 1);
    work.manifest.before = last.as_ref().map(|(last, sha256)| Before { id: last.id.clone(), sha256: sha256.clone() });
    work.announce(source)?;
    let sealed = (source.seal_spool)()?;
    work.copy_spool(&source.spool, sealed)?;
    work.copy_blobs(&source.blobs)?;
    let snapshot = source.engine.snapshot()?;
    work.manifest.mark = snapshot.mark.into();
    work.copy_journal(snapshot)?;
    let sealed = (source.seal_spool)()?;
    work.copy_spool(&source.spool, sealed)?;
    work.copy_blobs(&source.blobs)?;
    let manifest = work.finish();
    repository.sync()?;
    repository.publish(&manifest, watch)?;
    if let Some(mark) = manifest.mark.mark() {
        source.engine.note_backed_up(mark)?;
    }
    Ok(manifest)
}

struct Work<'w> {
    repository: &'w Repository,
    watch: Watch<'w>,
    previous: Option<&'w Manifest>,
    manifest: Manifest,
    blobs: BTreeMap<String, KeptFile>,
    spool: BTreeMap<u64, KeptFile>,
    left_out: BTreeSet<String>,
}

impl<'w> Work<'w> {
    fn begin(repository: &'w Repository, previous: Option<&'w Manifest>, now: Timestamp, watch: Watch<'w>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let manifest = Manifest::new(now.format("%Y%m%dT%H%M%SZ").to_string(), now, host);
        let (blobs, spool, left_out) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { repository, watch, previous, manifest, blobs, spool, left_out }
    }

    /// Chooses a unique name: two backups within a second, or a clock that was set back, must not reuse a name; names
    /// are in the order in which the backups were made.
    fn id(&mut self, taken: &BTreeSet<String>) {
        let own = self.manifest.id.clone();
        if let Some(last) = taken.last().filter(|last| **last >= own) {
            let (stem, number) = last.split_once('-').map_or((last.as_str(), 0), |(s, n)| (s, n.parse().unwrap_or(0)));
            self.manifest.id = format!("{stem}-{:04}", number + 1);
        }
    }

    /// Reports how many bytes there are to process, as far as known.
    fn announce(&self, source: &Source<'_>) -> Result<(), BackupError> {
        let mut total = 0;
        for path in blob_paths(&source.blobs)? {
            total += fs::metadata(path).map_or(0, |found| found.len());
        }
        for (_, path) in numbered_files(&source.spool, SUFFIX).map_err(BackupError::io(&source.spool, "read"))? {
            total += fs::metadata(path).map_or(0, |found| found.len());
        }
        self.seen(Event::Total(total + source.engine.snapshot_bytes()))
    }

    fn seen(&self, event: Event) -> Result<(), BackupError> {
        (self.watch)(event).map_err(BackupError::io(self.repository.directory(), "written"))
    }

    /// Reuses a file of the previous backup, if the repository still has it.
    fn reuse(&self, file: &FileRef) -> Result<bool, BackupError> {
        let has = self.repository.has(file)?;
        if has {
            self.seen(Event::Bytes(file.bytes))?;
        }
        Ok(has)
    }

    fn put(&mut self, file: &mut File, bytes: u64, from: &Path) -> Result<FileRef, BackupError> {
        let (kept, is_new) = self.repository.put(file, bytes, from, self.watch)?;
        if is_new {
            self.manifest.new_bytes += kept.bytes;
        }
        Ok(kept)
    }

    fn copy_spool(&mut self, directory: &Path, sealed: u64) -> Result<(), BackupError> {
        for (number, path) in numbered_files(directory, SUFFIX).map_err(BackupError::io(directory, "read"))? {
            if number > sealed || self.spool.contains_key(&number) {
                continue;
            }
            let Some((mut file, bytes, written)) = open_if_there(&path)? else { continue };
            let before = self.previous.and_then(|previous| {
                let is_same = |kept: &&KeptFile| {
                    kept.name == number.to_string() && kept.file.bytes == bytes && kept.written == written
                };
                previous.spool.iter().find(is_same)
            });
            let file = match before {
                Some(kept) if self.reuse(&kept.file)? => kept.file.clone(),
                _ => self.put(&mut file, bytes, &path)?,
            };
            self.spool.insert(number, KeptFile { name: number.to_string(), written, file });
        }
        Ok(())
    }

    fn copy_blobs(&mut self, directory: &Path) -> Result<(), BackupError> {
        for path in blob_paths(directory)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if self.blobs.contains_key(&name) || self.left_out.contains(&name) {
                continue;
            }
            let Some((mut file, bytes, written)) = open_if_there(&path)? else { continue };
            let named = FileRef { sha256: name.clone(), bytes };
            if !self.reuse(&named)? {
                let kept = self.put(&mut file, bytes, &path)?;
                if kept.sha256 != name {
                    // An earlier copy in the repository is better than the present file.
                    self.left_out.insert(name);
                    continue;
                }
            }
            self.blobs.insert(name.clone(), KeptFile { name, written, file: named });
        }
        Ok(())
    }

    /// Copies the journal from the checkpoint, and from the previous backup, up to the mark.
    fn copy_journal(&mut self, snapshot: Snapshot) -> Result<(), BackupError> {
        let Snapshot { mark, segments, checkpoint } = snapshot;
        let earlier: HashMap<&str, &SegmentFile> = self
            .previous
            .map(|previous| previous.journal.iter().map(|segment| (segment.salt.as_str(), segment)).collect())
            .unwrap_or_default();
        let mut own = Vec::new();
        for sealed in segments {
            let name = SegmentName { first: sealed.number, path: sealed.path.clone() };
            let header = header_of(&name, &sealed.file)?;
            let salt = format!("{:016x}", header.salt);
            let known = earlier.get(salt.as_str()).filter(|known| known.file.bytes == sealed.bytes);
            let segment = match known {
                Some(known) if self.reuse(&known.file)? => (*known).clone(),
                _ => self.put_segment(sealed, &name, salt)?,
            };
            own.push((segment, header.before));
        }
        let reusable = self.previous.filter(|previous| self.may_go_on(previous, &own));
        let (kept, checkpoint) = match reusable {
            Some(previous) => {
                let begin = own.first().map_or(u64::MAX, |(segment, _)| segment.first);
                let kept = previous.journal.iter().filter(|segment| segment.first < begin).cloned().collect();
                (kept, previous.checkpoint.clone())
            }
            None => (Vec::new(), checkpoint.map(|sealed| self.put_checkpoint(sealed)).transpose()?),
        };
        self.manifest.journal = kept;
        self.manifest.journal.extend(own.into_iter().map(|(segment, _)| segment));
        self.manifest.checkpoint = checkpoint;
        self.check_way(mark)
    }

    /// Whether this backup's journal continues where the previous one ended, and its checkpoint is still recent enough.
    fn may_go_on(&self, previous: &Manifest, own: &[(SegmentFile, Mark)]) -> bool {
        let Some((first, before)) = own.first() else { return false };
        // After a restore to an earlier instant the journal differs from that in the previous backup.
        let joins = match previous.journal.last() {
            Some(last) => {
                let is_same = |(own, _): &(SegmentFile, Mark)| own.salt == last.salt && own.last == last.last;
                own.iter().any(is_same) || previous.mark.mark() == Some(*before)
            }
            None => false,
        };
        let since = previous.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
        let of_before = previous.journal.iter().filter(|segment| segment.first < first.first);
        let bytes: u64 = of_before
            .chain(own.iter().map(|(segment, _)| segment))
            .filter(|segment| segment.last > since)
            .map(|segment| segment.file.bytes)
            .sum();
        let age = match previous.checkpoint {
            Some(_) => previous.journal.iter().find(|segment| segment.last > since).and_then(|segment| segment.begun),
            None => None,
        };
        let is_old = age.is_some_and(|age| self.manifest.created - age > chrono::Duration::days(NEW_CHECKPOINT_DAYS));
        let files = previous.journal.iter().filter(|segment| segment.first < first.first).map(|segment| &segment.file);
        let mut files = files.chain(previous.checkpoint.iter().map(|checkpoint| &checkpoint.file));
        joins
            && bytes <= NEW_CHECKPOINT_BYTES
            && !is_old
            && files.all(|file| self.repository.has(file).unwrap_or(false))
    }

    fn put_segment(
        &mut self,
        mut sealed: Sealed,
        name: &SegmentName,
        salt: String,
    ) -> Result<SegmentFile, BackupError> {
        let found = read_segment(name, &sealed.file, &mut |_, _| Ok(()))?;
        sealed.file.rewind().map_err(BackupError::io(&sealed.path, "read"))?;
        let file = self.put(&mut sealed.file, sealed.bytes, &sealed.path)?;
        let (first, last) = (sealed.number, found.after.sequence);
        Ok(SegmentFile { first, last, begun: found.begun, ended: found.ended, latest: found.latest, salt, file })
    }

    fn put_checkpoint(&mut self, mut sealed: Sealed) -> Result<CheckpointFile, BackupError> {
        let file = self.put(&mut sealed.file, sealed.bytes, &sealed.path)?;
        // Read from the repository: this verifies the copy.
        let summary = checkpoint::read(&self.repository.path(&file), &mut |_, _| Ok(()))?;
        Ok(CheckpointFile { since: summary.since.into(), until: summary.until.into(), file })
    }

    /// Checks that the collected files lead from the checkpoint or the beginning to the mark without a gap.
    fn check_way(&self, mark: Mark) -> Result<(), BackupError> {
        let since = self.manifest.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
        let mut reached = since;
        for segment in &self.manifest.journal {
            if segment.first > reached.saturating_add(1) {
                break;
            }
            reached = reached.max(segment.last);
        }
        match reached == mark.sequence {
            true => Ok(()),
            false => {
                let what = format!("the journal reaches group {reached} instead of {}", mark.sequence);
                Err(BackupError::damaged(Path::new("journal"), what))
            }
        }
    }

    fn finish(mut self) -> Manifest {
        self.manifest.blobs = self.blobs.into_values().collect();
        self.manifest.spool = self.spool.into_values().collect();
        self.manifest.left_out = self.left_out.into_iter().collect();
        let files: BTreeSet<&FileRef> = self.manifest.files().collect();
        self.manifest.bytes = files.into_iter().map(|file| file.bytes).sum();
        self.manifest
    }
}

/// A file, its length and its modification time; `None` if it was dropped since it was listed.
fn open_if_there(path: &Path) -> Result<Option<(File, u64, Timestamp)>, BackupError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(BackupError::io(path, "read")(e)),
    };
    let found = file.metadata().map_err(BackupError::io(path, "read"))?;
    let written = found.modified().map_err(BackupError::io(path, "read"))?;
    Ok(Some((file, found.len(), Timestamp::from(written))))
}

/// All attachments below a directory.
pub(in crate::store) fn blob_paths(directory: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let list = |path: &Path| -> Result<Vec<PathBuf>, BackupError> {
        match fs::read_dir(path) {
            Ok(entries) => entries.map(|entry| Ok(entry.map_err(BackupError::io(path, "read"))?.path())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(BackupError::io(path, "read")(e)),
        }
    };
    let mut found = Vec::new();
    for folder in list(directory)? {
        if folder.file_name().is_none_or(|name| name.len() != 2) {
            continue;
        }
        let is_blob = |path: &PathBuf| {
            let hash = path.file_name().and_then(|name| parse_sha256(name.to_str()?));
            hash.is_some_and(|hash| path.file_name().is_some_and(|name| *name == *to_hex(&hash)))
        };
        found.extend(list(&folder)?.into_iter().filter(is_blob));
    }
    found.sort();
    Ok(found)
}
