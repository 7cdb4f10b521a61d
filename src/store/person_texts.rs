//! The name, organisation and address of every person, in memory, for searching by any part of them.
//!
//! About 75 bytes a person: a scan of a million takes tens of milliseconds, while an index of all parts of words on disk
//! would need forty rows a person, each written with every import. The texts are read from the store at the first
//! search, or earlier by [`Store::prepare_search`]. From then on each commit notes whose record it writes, and the next
//! search reads these people again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::SubscriberId;
use crate::base::unicode::folded;
use crate::model::subscriber::Subscriber;

use super::engine::{Batch, Key};
use super::pages::PAGE;
use super::subscribers::{self, decode};
use super::{Store, StoreError, keys};

/// People in a chunk.
const CHUNK: usize = 1024;
/// Written people that are noted one by one; beyond this, all texts are read again.
const MOST_NOTED: usize = 200_000;

/// The text by which a person is found. Folded (case, accents: `Åsa` is `asa`); one line, fields separated by tabs.
pub(super) fn text_of(person: &Subscriber) -> String {
    let fields = [person.name.as_deref(), person.organisation.as_deref(), Some(person.address.as_str())];
    let mut text = String::new();
    for field in fields.into_iter().flatten() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}\t", folded(field).replace(char::is_control, " "));
    }
    text
}

/// Up to about a thousand people, in order of id.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Each person's id, and where their text ends.
    people: Vec<(SubscriberId, usize)>,
    /// The texts, each ending with a newline.
    text: String,
}

impl Chunk {
    fn push(&mut self, id: SubscriberId, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.people.push((id, self.text.len()));
    }

    fn last(&self) -> SubscriberId {
        self.people.last().map_or(SubscriberId(0), |(id, _)| *id)
    }

    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).and_then(|before| self.people.get(before)).map_or(0, |(_, end)| *end)
    }

    /// The people after `after` whose text contains the first word, and for whom `fits` holds.
    pub(super) fn find<'a>(
        &'a self,
        first: &'a memchr::memmem::Finder<'_>,
        after: SubscriberId,
        fits: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = SubscriberId> + 'a {
        let mut at = self.start(self.people.partition_point(|(id, _)| *id <= after));
        std::iter::from_fn(move || {
            loop {
                let hit = at + first.find(self.text.as_bytes().get(at..)?)?;
                let place = self.people.partition_point(|(_, end)| *end <= hit);
                let (id, end) = *self.people.get(place)?;
                at = end;
                if self.text.get(self.start(place)..end).is_some_and(&fits) {
                    return Some(id);
                }
            }
        })
    }

    /// These people with changes (`None`: removed), in separate chunks.
    fn changed(&self, mut changes: BTreeMap<SubscriberId, Option<String>>) -> Vec<Arc<Self>> {
        for (place, (id, end)) in self.people.iter().enumerate() {
            let text = || self.text.get(self.start(place)..end - 1).map(str::to_owned);
            changes.entry(*id).or_insert_with(text);
        }
        let mut chunks = vec![Self::default()];
        for (id, text) in changes.iter().filter_map(|(id, text)| Some((*id, text.as_deref()?))) {
            if chunks.last().is_some_and(|chunk| chunk.people.len() == CHUNK) {
                chunks.push(Self::default());
            }
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(id, text);
            }
        }
        chunks.into_iter().filter(|chunk| !chunk.people.is_empty()).map(Arc::new).collect()
    }
}

type Chunks = Vec<Arc<Chunk>>;

/// All texts, and whose are out of date.
#[derive(Debug, Default)]
pub(super) struct PersonTexts {
    /// Held while texts are read from the store; `None` until then.
    chunks: tokio::sync::Mutex<Option<Chunks>>,
    written: Mutex<Written>,
}

/// The people written since their text was read.
#[derive(Debug, Default)]
struct Written {
    /// Whether writes are noted: from the moment the first text is read.
    is_noted: bool,
    /// How often each person was written.
    people: HashMap<SubscriberId, u64>,
    /// People whose commit was abandoned before its answer: it may take effect at any later time, so they are read
    /// again by each search.
    unanswered: HashSet<SubscriberId>,
    /// Whether there were too many: all texts are read again.
    is_too_many: bool,
}

impl Written {
    fn note(&mut self, people: &[SubscriberId], is_answered: bool) {
        if !self.is_noted || self.is_too_many {
            return;
        }
        for id in people {
            *self.people.entry(*id).or_default() += 1;
            if !is_answered {
                self.unanswered.insert(*id);
            }
        }
        if self.people.len() + self.unanswered.len() > MOST_NOTED {
            *self = Self { is_noted: true, is_too_many: true, ..Self::default() };
        }
    }

    /// Some of the people to read again, each with how often they were written.
    fn some(&self) -> Vec<(SubscriberId, u64)> {
        self.people.iter().take(PAGE).map(|(id, times)| (*id, *times)).collect()
    }

    /// These were read; they stay noted if they were written again meanwhile.
    fn read(&mut self, people: &[(SubscriberId, u64)]) {
        for (id, times) in people {
            if self.people.get(id) == Some(times) {
                self.people.remove(id);
            }
        }
    }
}

/// A commit under way: notes the people it writes once it is answered, or when it is abandoned.
pub(super) struct Writing<'a> {
    texts: &'a PersonTexts,
    people: Vec<SubscriberId>,
    pub(super) is_answered: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.people.is_empty() {
            self.texts.written().note(&self.people, self.is_answered);
        }
    }
}

impl PersonTexts {
    /// Begins to watch a commit of this batch.
    pub(super) fn writing(&self, batch: &Batch) -> Writing<'_> {
        let people = batch.writes.iter().filter_map(|(key, _)| keys::subscriber_of(key)).collect();
        Writing { texts: self, people, is_answered: false }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Reads the texts that [`Store::search_people`] searches, if that was not done yet, or since they changed; so
    /// that the next search does not have to. A million people take some seconds.
    ///
    /// # Errors
    /// [`StoreError`]: the next search tries again.
    pub(crate) async fn prepare_search(&self) -> Result<(), StoreError> {
        self.person_texts().await.map(drop)
    }

    /// The texts as they are now.
    pub(super) async fn person_texts(&self) -> Result<Chunks, StoreError> {
        let texts = &self.texts;
        let mut held = texts.chunks.lock().await;
        {
            let mut written = texts.written();
            let unanswered: Vec<SubscriberId> = written.unanswered.iter().copied().collect();
            written.note(&unanswered, true);
            if std::mem::take(&mut written.is_too_many) {
                *held = None;
            }
            written.is_noted = true;
        }
        let mut chunks = match held.take() {
            Some(chunks) => chunks,
            None => self.all_person_texts().await?,
        };
        loop {
            let some = texts.written().some();
            if some.is_empty() {
                *held = Some(chunks.clone());
                return Ok(chunks);
            }
            let keys: Vec<Key> = some.iter().map(|(id, _)| keys::subscriber(*id)).collect();
            let read = self.get_many(&keys).await?;
            let text = |bytes: &_| decode(bytes).ok().map(|read| text_of(&read.value));
            let changes = some.iter().zip(&read).map(|((id, _), bytes)| (*id, bytes.as_ref().and_then(text)));
            chunks = with_changes(&chunks, changes.collect());
            texts.written().read(&some);
        }
    }

    async fn all_person_texts(&self) -> Result<Chunks, StoreError> {
        let (mut chunks, mut open) = (Chunks::new(), Chunk::default());
        let mut people = self.pages(subscribers::all());
        loop {
            match people.next().await {
                // An unreadable record can be neither mailed nor shown; the check of the store reports it.
                Err(StoreError::Record(_)) => {}
                Err(error) => return Err(error),
                Ok(Some(read)) => open.push(read.value.id, &text_of(&read.value)),
                Ok(None) => break,
            }
            if open.people.len() == CHUNK {
                chunks.push(Arc::new(std::mem::take(&mut open)));
                tokio::task::yield_now().await;
            }
        }
        chunks.extend((!open.people.is_empty()).then(|| Arc::new(open)));
        Ok(chunks)
    }
}

/// The chunks with changes; those without a change are shared.
fn with_changes(chunks: &[Arc<Chunk>], mut changes: BTreeMap<SubscriberId, Option<String>>) -> Chunks {
    let mut changed = Chunks::with_capacity(chunks.len() + 1);
    for (place, chunk) in chunks.iter().enumerate() {
        // The last chunk takes all that follow.
        let is_last = place + 1 == chunks.len();
        let later = if is_last { BTreeMap::new() } else { changes.split_off(&SubscriberId(chunk.last().0 + 1)) };
        match std::mem::replace(&mut changes, later) {
            own if own.is_empty() => changed.push(chunk.clone()),
            own => changed.extend(chunk.changed(own)),
        }
    }
    if !changes.is_empty() {
        changed.extend(Chunk::default().changed(changes));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(chunks: &[Arc<Chunk>], word: &str) -> Vec<u64> {
        let first = memchr::memmem::Finder::new(word);
        chunks.iter().flat_map(|chunk| chunk.find(&first, SubscriberId(0), |_| true)).map(|id| id.0).collect()
    }

    fn changes(changes: &[(u64, Option<&str>)]) -> BTreeMap<SubscriberId, Option<String>> {
        changes.iter().map(|(id, text)| (SubscriberId(*id), text.map(str::to_owned))).collect()
    }

    #[test]
    fn changes_reach_the_chunk_of_their_person() {
        let all: Vec<(u64, Option<&str>)> = (1..=3000).map(|id| (2 * id, Some("anna"))).collect();
        let chunks = with_changes(&[], changes(&all));
        assert_eq!(chunks.len(), 3);
        assert_eq!(found(&chunks, "anna").len(), 3000);
        let next = with_changes(
            &chunks,
            changes(&[
                (2, None),
                (4, Some("bo")),
                (5, Some("bo")),
                (2048, Some("bo")),
                (6000, None),
                (7000, Some("bo")),
            ]),
        );
        assert_eq!(found(&next, "bo"), [4, 5, 2048, 7000]);
        assert_eq!(found(&next, "anna").len(), 2996);
        let none = with_changes(&next, next.iter().flat_map(|c| c.people.iter().map(|(id, _)| (*id, None))).collect());
        assert!(none.is_empty());
    }

    #[test]
    fn a_word_is_found_once_a_person_and_never_across_two() {
        let chunks = with_changes(&[], changes(&[(1, Some("ab ab")), (2, Some("c")), (3, Some("ab"))]));
        assert_eq!(found(&chunks, "ab"), [1, 3]);
        assert_eq!(found(&chunks, "b\nc"), [1], "no search word contains a newline");
        let first = memchr::memmem::Finder::new("ab");
        let after: Vec<_> = chunks[0].find(&first, SubscriberId(1), |_| true).collect();
        assert_eq!(after, [SubscriberId(3)]);
    }

    #[test]
    fn who_is_written_while_being_read_is_read_again() {
        let mut written = Written { is_noted: true, ..Written::default() };
        written.note(&[SubscriberId(1)], true);
        let some = written.some();
        written.note(&[SubscriberId(1)], true);
        written.read(&some);
        let again = written.some();
        assert_eq!(again, [(SubscriberId(1), 2)]);
        written.read(&again);
        assert!(written.some().is_empty());
    }
}
