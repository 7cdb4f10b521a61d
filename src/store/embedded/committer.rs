//! The committer: one thread that makes commits durable in groups.
//!
//! For each group: check every batch against the index and the group so far, append those that pass to the journal, one
//! `fdatasync`, apply to the index, then send all answers. Nothing is answered before that, not even a conflict: it may
//! depend on a write of the same group. After an error with unknown outcome it answers everything with
//! [`EngineError::Stopped`] until the engine is reopened. While the index is damaged, batches wait; a group already in
//! the journal is answered, as the next index will contain it, and reads wait for that (see [`super::healing`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};

use crate::base::clock::Stopwatch;
use crate::store::engine::{Batch, Commit, EngineError, Expect, Key, Value};
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::journal::record::RecordBuffer;
use crate::store::journal::writer::{AppendError, JournalWriter};
use crate::store::maintenance::CheckStep;

use super::Shared;
use super::checking::{Walk, mismatch};
use super::health::being_rebuilt;
use super::index::{Index, IndexFault};
use super::request::{Answer, Request};

/// A group is closed when its record has this many bytes; further batches go into the next.
const GROUP_BYTES: usize = 1024 * 1024;

/// The index's value for a key being written.
enum Replaced {
    Known(Value),
    Read(sled::IVec),
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    journal: JournalWriter,
    buffer: RecordBuffer,
    /// The writes of the group so far.
    pending: BTreeMap<Key, Option<Value>>,
    answers: Vec<(Answer, Commit, Stopwatch)>,
    /// Batches that wait for another index.
    waiting: VecDeque<(Batch, Answer, Stopwatch)>,
    /// The comparison of the index in progress.
    walk: Option<Walk>,
    mark: Mark,
    stopped: Option<String>,
    cpu: Option<File>,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, journal: JournalWriter) -> Self {
        let mark = journal.mark();
        Self {
            shared,
            journal,
            buffer: RecordBuffer::default(),
            pending: BTreeMap::new(),
            answers: Vec::new(),
            waiting: VecDeque::new(),
            walk: None,
            mark,
            stopped: None,
            cpu: None,
        }
    }

    /// Works until told to close or until all senders are gone. Returns the mark reached; `None` if it had stopped.
    pub(super) fn run(mut self, requests: &Receiver<Request>) -> Option<Mark> {
        // Only for metrics; everything works without it.
        self.cpu = File::open("/proc/thread-self/schedstat").ok();
        let mut open = true;
        while open {
            let Some(first) = self.held_back().or_else(|| requests.recv().ok()) else { break };
            open = self.group(first, requests);
        }
        self.stopped.is_none().then_some(self.mark)
    }

    /// The next batch that waited for another index, once there is one or there never will be.
    fn held_back(&mut self) -> Option<Request> {
        if self.shared.health.is_unusable() && self.stopped.is_none() {
            return None;
        }
        self.waiting.pop_front().map(|(batch, answer, asked)| Request::Commit(batch, answer, asked))
    }

    /// Collects waiting requests into one group and makes it durable. Returns whether to continue.
    fn group(&mut self, first: Request, requests: &Receiver<Request>) -> bool {
        self.buffer.clear();
        self.pending.clear();
        let before = (self.mark, self.walk.as_ref().map(|walk| walk.sum));
        let mut between = Vec::new();
        let mut next = Some(first);
        let (mut open, mut head) = (true, false);
        while let Some(request) = next.take() {
            match request {
                Request::Commit(batch, answer, asked) => self.admit(batch, answer, asked),
                Request::NoteHead => head = true,
                Request::Close => {
                    open = false;
                    break;
                }
                request @ (Request::Seal(_) | Request::Check(_)) => between.push(request),
                // No write may be under way to the index being replaced.
                request @ (Request::Index(..) | Request::Unhealed(_)) => {
                    between.push(request);
                    break;
                }
            }
            if self.buffer.len() < GROUP_BYTES {
                next = self.held_back().or_else(|| requests.try_recv().ok());
            }
        }
        let outcome = match self.stopped.clone() {
            Some(reason) => Err(EngineError::Stopped(reason)),
            None if self.buffer.is_empty() => Ok(()),
            None => self.make_durable(),
        };
        if outcome.is_err() {
            self.mark = before.0;
            if let (Some(walk), Some(sum)) = (&mut self.walk, before.1) {
                walk.sum = sum;
            }
        }
        self.count(outcome.is_ok());
        let durable = outcome.is_ok() && !self.buffer.is_empty();
        for (answer, commit, asked) in self.answers.drain(..) {
            if durable {
                self.shared.metrics.seconds.observe(asked.nanoseconds() as f64 / 1e9);
            }
            // The caller may be gone; the commit stands.
            let _ = answer.send(outcome.clone().map(|()| commit));
        }
        if head
            && self.stopped.is_none()
            && let Err(AppendError::Full(reason) | AppendError::Broken(reason)) = self.journal.note_head()
        {
            self.stop(reason);
        }
        between.into_iter().for_each(|request| self.between(request));
        open
    }

    /// Handles a request that runs between two groups.
    fn between(&mut self, request: Request) {
        match request {
            Request::Seal(answer) => drop(answer.send(self.seal())),
            Request::Check(answer) => drop(answer.send(self.check_some())),
            Request::Index(new, answer) => {
                let taken = match self.stopped.clone() {
                    Some(reason) => Err(EngineError::Stopped(reason)),
                    None => new.take_over(&self.shared, self.mark),
                };
                if taken.is_ok() {
                    self.walk = None;
                    self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).applied = self.mark;
                }
                let _ = answer.send(taken);
            }
            Request::Unhealed(reason) => self.stop(reason),
            Request::Commit(..) | Request::NoteHead | Request::Close => {}
        }
    }

    /// Reads the next piece of the index; at its end, compares it with its mark.
    fn check_some(&mut self) -> Result<CheckStep, EngineError> {
        if let Some(reason) = &self.stopped {
            return Err(EngineError::Stopped(reason.clone()));
        }
        let mut walk = self.walk.take().unwrap_or_default();
        let generation = self.shared.health.generation();
        if !self.shared.with_index(|index| walk.read(index))? {
            self.walk = Some(walk);
            return Ok(CheckStep::More);
        }
        if walk.sum != self.mark.fingerprint {
            self.shared.suspect(generation, &mismatch(walk.sum, self.mark));
            return Err(being_rebuilt());
        }
        self.shared.health.checked(self.shared.now());
        Ok(CheckStep::Whole(walk.sum.records))
    }

    /// Checks a batch and adds it to the group.
    fn admit(&mut self, batch: Batch, answer: Answer, asked: Stopwatch) {
        let shared = self.shared.clone();
        let commit = match &self.stopped {
            Some(_) => Commit::Applied, // never sent: the group's answer is the error
            None => match shared.with_index(|index| self.checked(index, &batch)) {
                Ok(Ok(replaced)) => {
                    self.take(batch, replaced);
                    Commit::Applied
                }
                Ok(Err(key)) => Commit::Conflict(key),
                // Nothing of it was taken; it is checked again when there is another index.
                Err(EngineError::Damaged(_)) => return self.waiting.push_back((batch, answer, asked)),
                Err(e) => {
                    self.stop(e.to_string());
                    Commit::Applied
                }
            },
        };
        self.answers.push((answer, commit, asked));
    }

    /// Makes all checks of a batch. Returns the index's value for each of its writes, unless this group replaces it; or
    /// the key whose precondition failed.
    fn checked(&self, index: &Index, batch: &Batch) -> Result<Result<Vec<Option<Replaced>>, Key>, IndexFault> {
        for (key, expect) in &batch.checks {
            let holds = match (self.pending.get(key), expect) {
                (Some(now), Expect::Absent) => now.is_none(),
                (Some(now), Expect::Equals(value)) => now.as_ref() == Some(value),
                (None, Expect::Absent) => index.get(&key.0)?.is_none(),
                (None, Expect::Equals(value)) => index.get(&key.0)?.is_some_and(|now| *now == **value),
            };
            if !holds {
                return Ok(Err(key.clone()));
            }
        }
        // The checks have already read these values; do not read them again for the writes.
        let known: HashMap<&Key, &Expect> = batch.checks.iter().map(|(key, expect)| (key, expect)).collect();
        let replaced = batch.writes.iter().map(|(key, _)| match known.get(key) {
            _ if self.pending.contains_key(key) => Ok(None),
            Some(Expect::Equals(old)) => Ok(Some(Replaced::Known(old.clone()))),
            Some(Expect::Absent) => Ok(None),
            None => Ok(index.get(&key.0)?.map(Replaced::Read)),
        });
        replaced.collect::<Result<_, _>>().map(Ok)
    }

    /// Adds the writes of a batch to the group and updates the fingerprint.
    fn take(&mut self, batch: Batch, replaced: Vec<Option<Replaced>>) {
        for ((key, value), replaced) in batch.writes.into_iter().zip(replaced) {
            let mut change = Fingerprint::default();
            match (self.pending.get(&key), &replaced) {
                (Some(Some(old)), _) | (None, Some(Replaced::Known(old))) => change.remove(&key.0, old),
                (None, Some(Replaced::Read(old))) => change.remove(&key.0, old),
                (Some(None), _) | (None, None) => {}
            }
            if let Some(new) = &value {
                change.add(&key.0, new);
            }
            self.mark.fingerprint = self.mark.fingerprint.plus(change);
            if let Some(walk) = self.walk.as_mut().filter(|walk| walk.has_read(&key)) {
                walk.sum = walk.sum.plus(change);
            }
            self.buffer.push(&key.0, value.as_deref());
            self.pending.insert(key, value);
        }
    }

    /// Seals the journal: all groups so far are in segments that never change again.
    fn seal(&mut self) -> Result<Mark, EngineError> {
        if let Some(reason) = &self.stopped {
            return Err(EngineError::Stopped(reason.clone()));
        }
        match self.journal.seal() {
            Ok(()) => Ok(self.mark),
            Err(AppendError::Full(reason)) => Err(EngineError::Full(reason)),
            Err(AppendError::Broken(reason)) => {
                self.stop(reason.clone());
                Err(EngineError::Stopped(reason))
            }
        }
    }

    fn make_durable(&mut self) -> Result<(), EngineError> {
        self.mark.sequence += 1;
        let at = self.shared.settings.clock.as_ref().map(|clock| clock.now());
        let appended = self.journal.append(&mut self.buffer, self.mark, at);
        self.shared.counters.syncs.store(self.journal.syncs(), Ordering::Relaxed);
        match appended {
            Ok(bytes) => self.shared.counters.journal_bytes.fetch_add(bytes, Ordering::Relaxed),
            Err(AppendError::Full(reason)) => return Err(EngineError::Full(reason)),
            Err(AppendError::Broken(reason)) => {
                self.stop(reason.clone());
                return Err(EngineError::Ambiguous { action: "written", reason });
            }
        };
        self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).appended = self.mark;
        let writes = self.pending.iter().map(|(key, value)| (key.0.as_slice(), value.as_deref()));
        let applied = self.shared.with_index(|index| {
            index.apply(writes)?;
            index.set_mark(self.mark)
        });
        match applied {
            Ok(()) => self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).applied = self.mark,
            // Durable, and the next index will contain it; until then reads wait.
            Err(EngineError::Damaged(_)) => {}
            Err(e) => {
                let reason = format!("the index failed: {e}");
                self.stop(reason.clone());
                // It is in the journal.
                return Err(EngineError::Ambiguous { action: "written", reason });
            }
        }
        Ok(())
    }

    /// Stops acknowledging.
    fn stop(&mut self, reason: String) {
        self.shared.stopped.send_replace(Some(reason.clone()));
        self.stopped = Some(reason);
    }

    fn count(&self, done: bool) {
        let counters = &self.shared.counters;
        if done && !self.buffer.is_empty() {
            counters.groups.fetch_add(1, Ordering::Relaxed);
            counters.writes.fetch_add(self.pending.len() as u64, Ordering::Relaxed);
            self.shared.metrics.group.observe(self.answers.len() as f64);
        }
        if done {
            let applied = self.answers.iter().filter(|(_, commit, _)| *commit == Commit::Applied).count() as u64;
            counters.batches.fetch_add(applied, Ordering::Relaxed);
            counters.conflicts.fetch_add(self.answers.len() as u64 - applied, Ordering::Relaxed);
        }
        let mut text = [0; 64];
        let read = self.cpu.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let text = text.get(..read).and_then(|text| std::str::from_utf8(text).ok());
        if let Some(nanoseconds) = text.and_then(|text| text.split(' ').next()?.parse().ok()) {
            counters.committer_nanoseconds.store(nanoseconds, Ordering::Relaxed);
        }
    }
}
