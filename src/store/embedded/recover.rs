//! Recovers a store that cannot be opened as it is: takes the best copy available, applies everything readable in the
//! journal, begins a new journal from there, and moves the old files aside. What will be lost is reported beforehand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::checkpoint::{self, CheckpointWriter};
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::journal::Damage;
use crate::store::journal::disk::SystemDisk;
use crate::store::journal::walk::{Found, Tail, walk};
use crate::store::journal::writer::{JournalSettings, JournalWriter};
use crate::store::upgrades::notes;

use super::Settings;
use super::index::{Index, everything};
use super::layout::{checkpoints, indexes, journal};
use super::notes as clean;
use super::open;
use super::open_error::OpenError;
use super::rebuild::{Replay, load, retire};
use super::shortfall::Shortfall;
use super::survey::{IndexState, Survey, survey_locked};

/// The starting point of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The index, as of this group.
    Index(Mark),
    /// A checkpoint.
    Checkpoint(PathBuf, checkpoint::Summary),
    /// Nothing: only what the journal still holds.
    Nothing,
}

/// A way to recover a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The starting point.
    pub source: Source,
    /// Parts of the journal whose changes are lost. Empty: nothing is lost.
    pub lost: Vec<Damage>,
    /// What is missing at the journal's end and in every copy.
    pub shortfall: Shortfall,
    /// The last group present after the recovery, whatever is lost before it.
    pub reaches: u64,
    /// The group after that exists but is inconsistent, and may have been acknowledged.
    pub next_is_doubtful: bool,
    /// No group after that was acknowledged. If `false`, there may have been more.
    pub end_is_proven: bool,
}

/// The result of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The starting point and what is lost.
    pub plan: Plan,
    /// Number of records in the store now.
    pub records: u64,
    /// Whether they are exactly those that the journal requires; never if something is lost.
    pub exact: bool,
    /// Where the old journal and checkpoints are kept.
    pub aside: PathBuf,
}

impl Plan {
    /// Whether no group known to be acknowledged is lost, and no missing part could have held more.
    pub fn loses_nothing(&self) -> bool {
        self.lost.is_empty() && self.shortfall.is_nothing() && !self.next_is_doubtful
    }
}

/// The ways to recover, best first.
pub fn plans(survey: &Survey) -> Vec<Plan> {
    let mut sources = Vec::new();
    if let IndexState::Readable { mark, adds_up } = survey.index {
        // An index ahead of its mark is corrected by the groups after that mark, if they can all be read.
        if adds_up || (affected(survey, mark.sequence).is_empty() && !survey.is_short()) {
            sources.push((mark.sequence, Source::Index(mark)));
        }
    }
    for (path, state) in &survey.checkpoints {
        if let Ok(summary) = state {
            sources.push((summary.since.sequence, Source::Checkpoint(path.clone(), *summary)));
        }
    }
    sources.push((0, Source::Nothing));
    let mut plans: Vec<Plan> = sources
        .into_iter()
        .map(|(from, source)| {
            let reaches = survey.last_group.max(from);
            let (shortfall, end_is_proven) = (survey.shortfall(reaches), survey.bounds.proves_end(reaches));
            let next_is_doubtful = survey.is_doubtful && reaches == survey.last_group;
            Plan { source, lost: affected(survey, from), shortfall, reaches, next_is_doubtful, end_is_proven }
        })
        .collect();
    // The sort is stable: among equals the index comes first, then the newest checkpoint.
    plans.sort_by_key(|plan| {
        let from = match &plan.source {
            Source::Index(mark) => mark.sequence,
            Source::Checkpoint(_, summary) => summary.since.sequence,
            Source::Nothing => 0,
        };
        (!plan.loses_nothing(), std::cmp::Reverse(from))
    });
    plans
}

/// The damaged parts that hold groups after `from`.
fn affected(survey: &Survey, from: u64) -> Vec<Damage> {
    let mut lost: Vec<Damage> = survey
        .damages
        .iter()
        .filter(|damage| damage.before.is_none_or(|before| before.saturating_sub(1) > from))
        .cloned()
        .collect();
    if survey.segments > 0 && survey.first_group > from.saturating_add(1) {
        let (path, what) = (PathBuf::from("journal"), "its beginning is missing");
        lost.insert(0, Damage { path, from: 0, to: 0, after: from, before: Some(survey.first_group), what });
    }
    lost
}

/// Recovers the store in `directory` by the best plan that succeeds.
///
/// # Errors
/// [`OpenError`]: the old files are in their place, or in the directory `aside-…`.
pub fn recover(directory: &Path, settings: &Settings) -> Result<Recovery, OpenError> {
    let lock = open::lock(directory, &Settings { create: false, ..settings.clone() })?;
    let survey = survey_locked(directory, settings, &lock)?;
    survey.bounds.take_clean(directory)?;
    let mut generation = survey.generation.unwrap_or(0);
    let mut failure = None;
    for plan in plans(&survey) {
        if !matches!(plan.source, Source::Index(_)) {
            generation += 1;
        }
        match assemble(directory, settings, &plan, generation) {
            Ok((index, found, exact)) if exact || !plan.loses_nothing() => {
                return finish(directory, &survey, plan, (index, generation), found, exact);
            }
            Ok(_) => {}
            Err(e) => failure = failure.or(Some(e)),
        }
    }
    Err(failure.unwrap_or_else(|| OpenError::Mismatch {
        directory: directory.to_owned(),
        reason: "no copy and no part of the journal leads to the state that the journal requires".to_owned(),
    }))
}

/// Combines source and journal: returns the index, its fingerprint, and whether that is the expected one.
fn assemble(
    directory: &Path,
    settings: &Settings,
    plan: &Plan,
    generation: u64,
) -> Result<(Index, Fingerprint, bool), OpenError> {
    let path = indexes(directory).join(generation.to_string());
    fs::create_dir_all(&path).map_err(OpenError::io(&path, "created"))?;
    let index = Index::open(&path, settings.cache_bytes)?;
    let base = match &plan.source {
        Source::Index(mark) => *mark,
        Source::Checkpoint(path, _) => load(&index, path)?.0,
        Source::Nothing => Mark::default(),
    };
    let mut replay = Replay::new(&index);
    let tail: Tail = walk(&journal(directory), base.sequence, &mut |found| {
        if let Found::Record(record) = found {
            replay.push(&record);
        }
        Ok(())
    })?;
    replay.finish()?;
    if !plan.loses_nothing() {
        // Records may be lost without their rows in index tables, or rows without their records: the next start
        // rebuilds the tables.
        index.apply(notes().iter().map(|key| (key.0.as_slice(), None)))?;
    }
    let found = index.fingerprint()?;
    let demanded = if tail.mark.sequence > base.sequence { tail.mark } else { base };
    Ok((index, found, plan.loses_nothing() && found == demanded.fingerprint))
}

/// Turns the assembled records into the store: writes a checkpoint, moves the old files aside, begins a new journal.
fn finish(
    directory: &Path,
    survey: &Survey,
    plan: Plan,
    (index, generation): (Index, u64),
    fingerprint: Fingerprint,
    exact: bool,
) -> Result<Recovery, OpenError> {
    let highest = survey.damages.iter().filter_map(|damage| damage.before).max().unwrap_or(0).max(survey.seen);
    let mark = Mark { sequence: highest.saturating_add(1), fingerprint };
    let fresh = directory.join("recovered");
    let mut writer = CheckpointWriter::begin(&fresh, mark)?;
    let mut outcome = Ok(());
    index.each(&everything(), &mut |key, value| {
        outcome = writer.push(key, value);
        outcome.is_ok()
    })?;
    outcome?;
    let sealed = writer.seal(mark)?;
    let mut written = Fingerprint::default();
    checkpoint::read(&sealed.path, &mut |key, value| {
        written.add(key, value);
        Ok(())
    })?;
    if written != fingerprint {
        let reason = "the index returns different records each time it is read".to_owned();
        return Err(OpenError::Mismatch { directory: directory.to_owned(), reason });
    }
    index.set_mark(mark)?;
    index.close()?;
    let aside = directory.join(format!("aside-{}", mark.sequence));
    fs::create_dir_all(&aside).map_err(OpenError::io(&aside, "created"))?;
    for (from, name) in [(journal(directory), "journal"), (checkpoints(directory), "checkpoints")] {
        if from.exists() {
            fs::rename(&from, aside.join(name)).map_err(OpenError::io(&from, "put aside"))?;
        }
    }
    sealed.publish()?;
    fs::rename(&fresh, checkpoints(directory)).map_err(OpenError::io(&fresh, "renamed"))?;
    let path = journal(directory);
    fs::create_dir_all(&path).map_err(OpenError::io(&path, "created"))?;
    let settings = JournalSettings { segment_bytes: u64::MAX, reserve_bytes: 0, head_in: Some(directory.to_owned()) };
    let tail = Tail { mark, ..Tail::default() };
    JournalWriter::open(Arc::new(SystemDisk), &path, settings, &tail)?;
    checkpoint::sync_directory(directory)?;
    retire(directory, generation)?;
    clean::write_clean(directory, mark).map_err(OpenError::io(directory, "written"))?;
    Ok(Recovery { plan, records: fingerprint.records, exact, aside })
}
