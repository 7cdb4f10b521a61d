//! The committer: one thread that makes commits durable in groups.
//!
//! For each group: check every batch against the index and the group so far, append all that hold to the journal, one
//! `fdatasync`, apply to the index, then answer everyone. Nothing is answered before that, not even a conflict: it may
//! rest on a write of the same group. After an error that leaves something in doubt it answers everything with
//! [`EngineError::Stopped`] until the engine is opened again.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use crate::base::clock::Stopwatch;
use crate::store::engine::{Batch, Commit, EngineError, Expect, Key, Value};
use crate::store::fingerprint::Mark;
use crate::store::journal::record::RecordBuffer;
use crate::store::journal::writer::{AppendError, JournalWriter};

use super::Shared;
use super::index::Index;
use super::renewal::NewIndex;

/// A group is closed when its record has this many octets; what still waits goes into the next.
const GROUP_OCTETS: usize = 1024 * 1024;

pub(super) type Answer = oneshot::Sender<Result<Commit, EngineError>>;

/// What the committer is asked to do.
pub(super) enum Request {
    Commit(Batch, Answer, Stopwatch),
    /// Ends the journal segment that is written to; says where the store then stands.
    Seal(Sender<Result<Mark, EngineError>>),
    /// Notes durably, outside the journal's segments, how far they reach.
    NoteHead,
    /// Takes another index in place of the present one; both hold the same records.
    Index(NewIndex, oneshot::Sender<Result<(), EngineError>>),
    /// Ends the thread when everything before it is done.
    Close,
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    journal: JournalWriter,
    buffer: RecordBuffer,
    /// What the group so far has written.
    pending: BTreeMap<Key, Option<Value>>,
    answers: Vec<(Answer, Commit, Stopwatch)>,
    mark: Mark,
    stopped: Option<String>,
    cpu: Option<File>,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, journal: JournalWriter) -> Self {
        let mark = journal.mark();
        let (buffer, pending) = (RecordBuffer::default(), BTreeMap::new());
        Self { shared, journal, buffer, pending, answers: Vec::new(), mark, stopped: None, cpu: None }
    }

    /// Works until told to close or until nobody can ask any more. Gives the mark reached, none when it had stopped.
    pub(super) fn run(mut self, requests: &Receiver<Request>) -> Option<Mark> {
        // Only a figure for the curious: without it everything works the same.
        self.cpu = File::open("/proc/thread-self/schedstat").ok();
        let mut open = true;
        while open {
            let Ok(first) = requests.recv() else { break };
            open = self.group(first, requests);
        }
        self.stopped.is_none().then_some(self.mark)
    }

    /// Gathers what waits into one group and makes it durable. Says whether to go on.
    fn group(&mut self, first: Request, requests: &Receiver<Request>) -> bool {
        self.buffer.clear();
        self.pending.clear();
        let before = self.mark;
        let mut seals = Vec::new();
        let mut next = Some(first);
        let (mut open, mut renewal, mut head) = (true, None, false);
        while let Some(request) = next.take() {
            match request {
                Request::Commit(batch, answer, asked) => self.admit(batch, answer, asked),
                Request::Seal(answer) => seals.push(answer),
                Request::NoteHead => head = true,
                Request::Close => {
                    open = false;
                    break;
                }
                // Between two groups: nothing may be on its way to the index that goes.
                Request::Index(new, answer) => {
                    renewal = Some((new, answer));
                    break;
                }
            }
            if self.buffer.len() < GROUP_OCTETS {
                next = requests.try_recv().ok();
            }
        }
        let outcome = match self.stopped.clone() {
            Some(reason) => Err(EngineError::Stopped(reason)),
            None if self.buffer.is_empty() => Ok(()),
            None => self.make_durable(),
        };
        if outcome.is_err() {
            self.mark = before;
        }
        self.count(outcome.is_ok());
        let durable = outcome.is_ok() && !self.buffer.is_empty();
        for (answer, commit, asked) in self.answers.drain(..) {
            if durable {
                self.shared.metrics.seconds.observe(asked.nanoseconds() as f64 / 1e9);
            }
            // Who asked may have gone; the commit stands.
            let _ = answer.send(outcome.clone().map(|()| commit));
        }
        if head
            && self.stopped.is_none()
            && let Err(AppendError::Full(reason) | AppendError::Broken(reason)) = self.journal.note_head()
        {
            self.stop(reason);
        }
        if !seals.is_empty() {
            let sealed = self.seal();
            seals.into_iter().for_each(|answer| drop(answer.send(sealed.clone())));
        }
        if let Some((new, answer)) = renewal {
            let stopped = self.stopped.clone().map(EngineError::Stopped);
            let _ = answer.send(stopped.map_or_else(|| new.take_over(&self.shared, self.mark), Err));
        }
        open
    }

    /// Checks a batch and takes it into the group.
    fn admit(&mut self, batch: Batch, answer: Answer, asked: Stopwatch) {
        let commit = match &self.stopped {
            Some(_) => Commit::Applied, // never sent: the group's answer is the error
            None => {
                let shared = self.shared.clone();
                match shared.with_index(|index| self.check(index, batch)) {
                    Ok(commit) => commit,
                    Err(e) => {
                        self.stop(e.to_string());
                        Commit::Applied
                    }
                }
            }
        };
        self.answers.push((answer, commit, asked));
    }

    /// All checks first; then the writes join the group, and the fingerprint follows.
    fn check(&mut self, index: &Index, batch: Batch) -> Result<Commit, EngineError> {
        let Batch { checks, writes } = batch;
        for (key, expect) in &checks {
            let holds = match (self.pending.get(key), expect) {
                (Some(now), Expect::Absent) => now.is_none(),
                (Some(now), Expect::Equals(value)) => now.as_ref() == Some(value),
                (None, Expect::Absent) => index.get(&key.0)?.is_none(),
                (None, Expect::Equals(value)) => index.get(&key.0)?.is_some_and(|now| *now == **value),
            };
            if !holds {
                return Ok(Commit::Conflict(key.clone()));
            }
        }
        // What a check has just established need not be read again to know what a write replaces.
        let known: HashMap<&Key, &Expect> = checks.iter().map(|(key, expect)| (key, expect)).collect();
        for (key, value) in writes {
            let fingerprint = &mut self.mark.fingerprint;
            match (self.pending.get(&key), known.get(&key)) {
                (Some(Some(old)), _) | (None, Some(Expect::Equals(old))) => fingerprint.remove(&key.0, old),
                (Some(None), _) | (None, Some(Expect::Absent)) => {}
                (None, None) => {
                    if let Some(old) = index.get(&key.0)? {
                        fingerprint.remove(&key.0, &old);
                    }
                }
            }
            if let Some(new) = &value {
                fingerprint.add(&key.0, new);
            }
            self.buffer.push(&key.0, value.as_deref());
            self.pending.insert(key, value);
        }
        Ok(Commit::Applied)
    }

    /// All groups so far are in segments that never change again.
    fn seal(&mut self) -> Result<Mark, EngineError> {
        if let Some(reason) = &self.stopped {
            return Err(EngineError::Stopped(reason.clone()));
        }
        match self.journal.seal() {
            Ok(()) => Ok(self.mark),
            Err(AppendError::Full(reason)) => Err(EngineError::Full(reason)),
            Err(AppendError::Broken(reason)) => {
                self.stop(reason.clone());
                Err(EngineError::Io { action: "written", reason })
            }
        }
    }

    fn make_durable(&mut self) -> Result<(), EngineError> {
        self.mark.sequence += 1;
        let at = self.shared.settings.clock.as_ref().map(|clock| clock.now());
        let appended = self.journal.append(&mut self.buffer, self.mark, at);
        self.shared.counters.syncs.store(self.journal.syncs(), Ordering::Relaxed);
        match appended {
            Ok(octets) => self.shared.counters.journal_octets.fetch_add(octets, Ordering::Relaxed),
            Err(AppendError::Full(reason)) => return Err(EngineError::Full(reason)),
            Err(AppendError::Broken(reason)) => {
                self.stop(reason.clone());
                return Err(EngineError::Io { action: "written", reason });
            }
        };
        self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).appended = self.mark;
        let writes = self.pending.iter().map(|(key, value)| (key.0.as_slice(), value.as_deref()));
        let applied = self.shared.with_index(|index| {
            index.apply(writes)?;
            Ok(index.set_mark(self.mark)?)
        });
        if let Err(e) = applied {
            // Durable but not visible: only a restart, which replays the journal, puts that right.
            self.stop(format!("the index failed: {e}"));
            return Err(e);
        }
        self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).applied = self.mark;
        Ok(())
    }

    /// From now on nothing is acknowledged.
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
