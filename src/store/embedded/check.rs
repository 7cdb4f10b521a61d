//! Finds out which records, by key, damage in journal, checkpoints and index affects.
//!
//! A damaged journal record can usually still be parsed, as only a part of what its checksum covers has changed. The
//! index is compared with checkpoint and journal, record by record: bytes of its files that hold no record are not
//! checked.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::store::checkpoint::{self, DamagedBlocks};
use crate::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};
use crate::store::fingerprint::Mark;
use crate::store::journal::head;
use crate::store::journal::record::lenient_keys;
use crate::store::journal::segment;
use crate::store::journal::walk::{Found, walk};
use crate::store::maintenance::Maintenance;

use super::index::{Index, everything};
use super::layout::{indexes, journal};
use super::open;
use super::open_error::OpenError;
use super::survey::{IndexState, Survey, survey_locked};
use super::{Settings, StoreLock, marker};

/// Something that differs from what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or directory.
    pub path: PathBuf,
    /// The byte range, if known.
    pub part: Option<(u64, u64)>,
    /// What is wrong.
    pub what: String,
    /// The keys of the affected records.
    pub keys: Vec<Vec<u8>>,
    /// What else is affected, as text.
    pub hits: Vec<String>,
    /// It can result from a crash, and the data were never acknowledged.
    pub harmless: bool,
    /// It concerns rows of index tables, which can be rewritten from their records.
    pub is_table: bool,
}

impl Finding {
    pub(in crate::store) fn new(path: &Path, part: Option<(u64, u64)>, what: impl Into<String>) -> Self {
        let (keys, hits) = (Vec::new(), Vec::new());
        Self { path: path.to_owned(), part, what: what.into(), keys, hits, harmless: false, is_table: false }
    }
}

/// An examined store, locked as long as this value lives.
pub(crate) struct Examined {
    /// What is intact and what is not.
    pub survey: Survey,
    /// What the damage affects.
    pub findings: Vec<Finding>,
    /// The records, read-only; `None` if the index cannot be used.
    pub records: Option<ReadOnly>,
    /// The records match the journal, as far as is known.
    pub is_trusted: bool,
    _lock: StoreLock,
}

/// A read-only index.
pub(crate) struct ReadOnly(Index);

/// Reads everything in the store in `directory`.
///
/// # Errors
/// [`OpenError`] if it is in use, does not exist, or cannot be read at all.
pub(crate) fn examine(directory: &Path, settings: &Settings) -> Result<Examined, OpenError> {
    let lock = open::lock(directory, &Settings { create: false, ..settings.clone() })?;
    let survey = survey_locked(directory, settings, &lock)?;
    let mut findings = journal_findings(directory, &survey)?;
    for (path, state) in &survey.checkpoints {
        if let Err(what) = state {
            findings.extend(checkpoint_findings(path, what)?);
        }
    }
    for (name, length) in [("clean", Mark::LENGTH + 8), ("backed-up", Mark::LENGTH + 8)] {
        findings.extend(note_finding(&directory.join(name), length)?);
    }
    if head::read(directory).map_err(OpenError::io(&head::path(directory), "read"))?.damaged {
        let what = "the note of how far the journal reaches is damaged; its intact part is used";
        findings.push(Finding::new(&head::path(directory), None, what));
    }
    if let Some(why) = marker::read(directory)? {
        let what = format!("the index was found damaged and will be rebuilt from checkpoint and journal: {why}");
        findings.push(Finding::new(&indexes(directory), None, what));
    }
    let (records, found) = index_findings(directory, settings, &survey)?;
    let is_trusted = survey.index_damage.is_none() && found.is_none();
    findings.extend(found);
    Ok(Examined { survey, findings, records, is_trusted, _lock: lock })
}

/// What is wrong with the index, and the index itself if it can be read.
fn index_findings(
    directory: &Path,
    settings: &Settings,
    survey: &Survey,
) -> Result<(Option<ReadOnly>, Option<Finding>), OpenError> {
    let Some(generation) = survey.generation else { return Ok((None, None)) };
    let path = indexes(directory).join(generation.to_string());
    let unreadable = |why: &str| {
        let what = format!("the index cannot be read and will be rebuilt from checkpoint and journal: {why}");
        Ok((None, Some(Finding::new(&path, None, what))))
    };
    let mark = match &survey.index {
        IndexState::Readable { mark, .. } => *mark,
        IndexState::Unusable(why) => return unreadable(why),
        IndexState::Absent => return Ok((None, None)),
    };
    let compare = || {
        let index = Index::open(&path, settings.cache_bytes)?;
        let found = match survey.bounds.clean.filter(|clean| *clean != mark) {
            Some(clean) => Some(forgetful_index(directory, &path, mark, clean)?),
            None => index_finding(directory, &path, &index, (mark, survey))?,
        };
        Ok((Some(ReadOnly(index)), found))
    };
    match compare() {
        Err(OpenError::Index(why)) => unreadable(&why),
        compared => compared,
    }
}

fn journal_findings(directory: &Path, survey: &Survey) -> Result<Vec<Finding>, OpenError> {
    let mut findings = Vec::new();
    for damage in &survey.damages {
        let mut finding = Finding::new(&damage.path, Some((damage.from, damage.to)), damage.what);
        if damage.to > damage.from {
            finding.keys = keys_between(&damage.path, damage.from, damage.to)?;
        }
        let last = damage.before.map_or("the end".to_owned(), |before| format!("group {}", before.saturating_sub(1)));
        finding.hits.push(format!("groups {} to {last}", damage.after + 1));
        findings.push(finding);
    }
    let path = journal(directory);
    let last = segment::list(&path).map_err(OpenError::io(&path, "read"))?.pop();
    if let Some(last) = last {
        let length = fs::metadata(&last.path).map_err(OpenError::io(&last.path, "read"))?.len();
        if survey.torn > 0 {
            let from = length.saturating_sub(survey.torn);
            let mut finding = Finding::new(&last.path, Some((from, length)), "");
            finding.keys = keys_between(&last.path, from, length)?;
            finding.harmless = !survey.is_short() && !survey.is_doubtful;
            finding.what = match (survey.is_short(), survey.is_doubtful) {
                (false, false) => "a write that was cut short and never acknowledged".to_owned(),
                (false, true) => format!(
                    "the last group, {}, may be damaged: it is complete but inconsistent; if it was never acknowledged, \
                     it is a write that was cut short",
                    survey.last_group + 1
                ),
                (true, _) => format!("it cannot be read: {}", survey.shortfall(survey.last_group)),
            };
            findings.push(finding);
        } else if let Some(repair) = &survey.repair {
            let part = (repair.at, repair.at + repair.bytes.len() as u64);
            let what = "one bit of the last group is wrong; the next start corrects it, and nothing is lost";
            findings.push(Finding::new(&repair.path, Some(part), what));
        } else if survey.stillborn.is_some() {
            let mut finding = Finding::new(&last.path, Some((0, length)), "a segment that was never begun");
            finding.harmless = true;
            findings.push(finding);
        }
    }
    Ok(findings)
}

fn keys_between(path: &Path, from: u64, to: u64) -> Result<Vec<Vec<u8>>, OpenError> {
    let bytes = fs::read(path).map_err(OpenError::io(path, "read"))?;
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    Ok(lenient_keys(bytes.get(place(from)..place(to)).unwrap_or_default()))
}

fn checkpoint_findings(path: &Path, what: &str) -> Result<Vec<Finding>, OpenError> {
    let blocks = checkpoint::damaged_blocks(path)?;
    let finding = |DamagedBlocks { from, to, after, before }: DamagedBlocks| {
        let mut finding = Finding::new(path, Some((from, to)), "a block of the checkpoint is damaged");
        let name = |key: &Option<Vec<u8>>, otherwise: &str| {
            key.as_deref().map_or(otherwise.to_owned(), crate::store::names::words)
        };
        finding.hits.push(format!(
            "the copies of the records from {} to {}",
            name(&after, "the first"),
            name(&before, "the last")
        ));
        finding
    };
    let found: Vec<Finding> = blocks.into_iter().map(finding).collect();
    Ok(match found.is_empty() {
        false => found,
        true => vec![Finding::new(path, None, what)],
    })
}

/// Checks a small note with its own checksum. A damaged note is treated as absent.
fn note_finding(path: &Path, length: usize) -> Result<Option<Finding>, OpenError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(OpenError::io(path, "read")(e)),
    };
    let is_whole = bytes
        .split_at_checked(Mark::LENGTH)
        .is_some_and(|(mark, checksum)| bytes.len() == length && *checksum == xxh3_64(mark).to_le_bytes());
    Ok((!is_whole).then(|| Finding::new(path, None, "the note is damaged and counts as absent")))
}

/// An index that was cleanly closed as of `clean` but now has only the earlier `mark`.
fn forgetful_index(directory: &Path, path: &Path, mark: Mark, clean: Mark) -> Result<Finding, OpenError> {
    let (has, had) = (mark.sequence, clean.sequence);
    let what = format!(
        "the index was closed as of group {had} and is now as of {has}; the next start corrects it from the journal"
    );
    let mut finding = Finding::new(path, None, what);
    walk(&journal(directory), mark.sequence, &mut |found| {
        if let Found::Record(record) = found {
            finding.keys.extend(record.writes().map(|(key, _)| key.to_vec()));
        }
        Ok(())
    })?;
    finding.keys.sort();
    finding.keys.dedup();
    Ok(finding)
}

/// Compares the index with checkpoint and journal. Groups after its mark may be in it or not, as after a crash.
fn index_finding(
    directory: &Path,
    path: &Path,
    index: &Index,
    (mark, survey): (Mark, &Survey),
) -> Result<Option<Finding>, OpenError> {
    if index.fingerprint()? == mark.fingerprint || !survey.damages.is_empty() {
        return Ok(None);
    }
    let base = survey.checkpoints.iter().rev().find_map(|(path, state)| Some((path, state.as_ref().ok()?)));
    let since = match base {
        Some((_, summary)) => summary.since.sequence,
        None if survey.first_group == 1 => 0,
        None => return Ok(None),
    };
    let (mut known, mut open) = (HashMap::<Vec<u8>, Option<Vec<u8>>>::new(), HashSet::<Vec<u8>>::new());
    walk(&journal(directory), since, &mut |found| {
        if let Found::Record(record) = found {
            for (key, value) in record.writes() {
                if record.mark.sequence > mark.sequence {
                    open.insert(key.to_vec());
                }
                known.insert(key.to_vec(), value.map(<[u8]>::to_vec));
            }
        }
        Ok(())
    })?;
    let (mut seen, mut wrong) = (HashSet::new(), Vec::new());
    let mut look = |key: &[u8], value: Option<&[u8]>| -> Result<(), OpenError> {
        seen.insert(xxh3_64(key));
        if !open.contains(key) && index.get(key)?.as_deref() != value {
            wrong.push(key.to_vec());
        }
        Ok(())
    };
    let mut failure = None;
    if let Some((path, _)) = base {
        checkpoint::read(path, &mut |key, value| {
            if !known.contains_key(key) && failure.is_none() {
                failure = look(key, Some(value)).err();
            }
            Ok(())
        })?;
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    for (key, value) in &known {
        look(key, value.as_deref())?;
    }
    index.each(&everything(), &mut |key, _| {
        if !seen.contains(&xxh3_64(key)) {
            wrong.push(key.to_vec());
        }
        true
    })?;
    wrong.sort();
    let what = "the index does not match the journal; it will be rebuilt from checkpoint and journal";
    Ok((!wrong.is_empty()).then(|| Finding { keys: wrong, ..Finding::new(path, None, what) }))
}

/// The store is closed while it is checked.
impl Maintenance for ReadOnly {}

impl Engine for ReadOnly {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        let found = self.0.get(&key.0).map(|found| found.map(|value| Value::from(&*value))).map_err(EngineError::from);
        Box::pin(std::future::ready(found))
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        Box::pin(std::future::ready(self.0.scan(&range, limit).map_err(EngineError::from)))
    }

    fn commit(&self, _: Batch) -> EngineFuture<'_, Commit> {
        Box::pin(std::future::ready(Err(EngineError::Stopped("it is only looked at".to_owned()))))
    }
}
