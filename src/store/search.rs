//! Searching people by the beginnings of words of their name, organisation and address, and by their lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{ListName, SubscriberId};
use crate::model::subscriber::{Subscriber, SubscriptionState};

use super::engine::{Key, KeyRange};
use super::pages::Query;
use super::person_rows::{code, last_label, state_of, words, words_of};
use super::record::RecordError;
use super::subscribers::decode;
use super::{Read, Store, StoreError, keys};

/// Words of a search that are used; further ones are ignored.
const MOST_WORDS: usize = 8;
/// Rows of a word counted to find the rarest word.
const COUNTED: usize = 1000;
/// Rows read by one call, whatever it finds.
const LOOKED_AT: usize = 2000;
/// Rows read at once.
const STEP: usize = 250;

/// A search for people: each of these words must be the beginning of one of the person's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    words: Vec<Wanted>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    word: String,
    /// Whether it may be the last label of a domain, which has no row.
    may_be_label: bool,
}

impl Search {
    /// Parses what a user typed: words in any order, in any case, with or without accents, or parts of an address.
    /// `None` if it contains no letter or digit.
    pub fn new(text: &str) -> Option<Self> {
        let mut all = Vec::new();
        for token in text.split_whitespace() {
            let (words, is_dotted) = (words(token), token.trim_end_matches('.').contains('.'));
            let last = words.len().saturating_sub(1);
            all.extend(words.into_iter().enumerate().map(|(place, word)| {
                let may_be_label = is_dotted && place == last && place > 0;
                Wanted { word, may_be_label }
            }));
        }
        all.truncate(MOST_WORDS);
        // A word that is the beginning of another adds nothing.
        let is_part = |word: &str, other: &str| other.len() > word.len() && other.starts_with(word);
        let says_more = |one: &&Wanted| !all.iter().any(|other| is_part(&one.word, &other.word));
        let mut words: Vec<Wanted> = all.iter().filter(says_more).cloned().collect();
        words.sort();
        words.dedup_by(|next, kept| next.word == kept.word);
        (!words.is_empty()).then_some(Self { words })
    }

    /// Whether a person with these words matches.
    fn fits(&self, has: &BTreeSet<String>) -> bool {
        self.words.iter().all(|wanted| first_with(has, &wanted.word).is_some())
    }
}

/// The first of a person's words that begins with `word`.
fn first_with<'a>(has: &'a BTreeSet<String>, word: &str) -> Option<&'a String> {
    has.range(word.to_owned()..).next().filter(|found| found.starts_with(word))
}

/// Where a search continues: opaque, valid for the same search only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    /// The index of the search word whose rows are read.
    place: usize,
    /// The last row read.
    word: String,
    id: SubscriberId,
}

impl SearchCursor {
    /// As text, for a later call.
    pub fn to_text(&self) -> String {
        format!("{}.{}.{}", self.place, self.id.0, self.word)
    }

    /// Reads [`Self::to_text`]; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (place, id) = (parts.next()?.parse().ok()?, SubscriberId(parts.next()?.parse().ok()?));
        Some(Self { place, id, word: parts.next()?.to_owned() })
    }
}

/// A part of a search's result.
#[derive(Debug)]
pub struct FoundPeople {
    /// The people found, in order of the rarest word's rows.
    pub people: Vec<Read<Subscriber>>,
    /// Where to continue; `None` at the end. The next part may be empty.
    pub next: Option<SearchCursor>,
}

impl Store {
    /// Up to `limit` people matching a search after `after`; `None`: from the first. A call reads a limited number of
    /// rows, so a search for common words may need several calls to find `limit` people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn search_people(
        &self,
        search: &Search,
        after: Option<&SearchCursor>,
        limit: usize,
    ) -> Result<FoundPeople, StoreError> {
        let chosen = match after {
            Some(after) => after.place,
            None => match self.rarest(search).await? {
                Some(rarest) => rarest,
                None => return Ok(FoundPeople { people: Vec::new(), next: None }),
            },
        };
        let mut found = FoundPeople { people: Vec::new(), next: None };
        let Some(Wanted { word, .. }) = search.words.get(chosen) else { return Ok(found) };
        let mut range = keys::person_words(word);
        if let Some(after) = after.filter(|after| after.word.starts_with(word)) {
            range = range.after(&keys::person_word(&after.word, after.id));
        }
        let mut looked_at = 0;
        while looked_at < LOOKED_AT {
            let rows = self.engine.scan(range.clone(), STEP).await?;
            for (row, _) in &rows {
                if found.people.len() == limit {
                    return Ok(found);
                }
                let damaged = || RecordError::Damaged { family: "index of people", reason: format!("the key {row:?}") };
                let (of, id) = keys::person_word_of(row).ok_or_else(damaged)?;
                found.people.extend(self.person_of(search, word, (&of, id)).await?);
                found.next = Some(SearchCursor { place: chosen, word: of, id });
            }
            match rows.last() {
                Some((last, _)) if rows.len() == STEP => range = range.after(last),
                _ => {
                    found.next = None;
                    return Ok(found);
                }
            }
            looked_at += rows.len();
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    /// The index of the search word with the fewest rows; `None` if nothing can match.
    async fn rarest(&self, search: &Search) -> Result<Option<usize>, StoreError> {
        let mut counts = BTreeMap::new();
        for (place, Wanted { word, may_be_label }) in search.words.iter().enumerate() {
            match self.engine.scan(keys::person_words(word), COUNTED).await?.len() {
                0 if *may_be_label => {}
                0 => return Ok(None),
                // Among words with equal counts, the longest.
                count => drop(counts.insert((count, std::cmp::Reverse(word.len())), place)),
            }
        }
        Ok(counts.into_values().next())
    }

    /// The person of a row, if all words match and this is the first row by which `word` leads to them.
    async fn person_of(
        &self,
        search: &Search,
        word: &str,
        (of, id): (&str, SubscriberId),
    ) -> Result<Option<Read<Subscriber>>, StoreError> {
        let Some(read) = self.subscriber(id).await? else { return Ok(None) };
        let mut has = words_of(&read.value);
        let is_first = first_with(&has, word).is_some_and(|first| first == of);
        has.extend(last_label(&read.value));
        Ok(Some(read).filter(|_| is_first && search.fits(&has)))
    }
}

/// The subscribers of a list and where their subscriptions stand, in order of id.
pub fn members(list: &ListName) -> Query<(SubscriberId, SubscriptionState)> {
    Query::new(keys::members(list), |key, value| {
        let damaged = || RecordError::Damaged { family: "index of lists", reason: format!("the row {key:?}") };
        let id = keys::last_number(key).map(SubscriberId).ok_or_else(damaged)?;
        let state = value.first().copied().and_then(state_of).ok_or_else(damaged)?;
        Ok((id, state))
    })
}

impl Store {
    /// Up to `limit` subscribers after `after` who get mail from one of `lists`, in order of id, and the id to continue
    /// after; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn readers_of(
        &self,
        lists: impl IntoIterator<Item = &ListName>,
        after: SubscriberId,
        limit: usize,
    ) -> Result<(Vec<Read<Subscriber>>, Option<SubscriberId>), StoreError> {
        let mut ids = Vec::new();
        for list in lists {
            ids.extend(self.active_on(list, after, limit).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| ids.len() == limit);
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok((Vec::new(), None)) };
        // If nearly all records in between are wanted, one scan is faster than single reads.
        if last.0 - first.0 < 2 * ids.len() as u64 {
            let after_last = keys::subscriber(SubscriberId(last.0.saturating_add(1)));
            let between = KeyRange::new(keys::subscriber(*first), Some(after_last));
            let found = self.engine.scan(between, 2 * ids.len()).await?;
            let found = found.iter().map(|(_, bytes)| decode(bytes));
            let is_wanted = |read: &Result<Read<Subscriber>, StoreError>| {
                read.as_ref().map_or(true, |read| ids.binary_search(&read.value.id).is_ok())
            };
            return Ok((found.filter(is_wanted).collect::<Result<_, _>>()?, next));
        }
        let keys: Vec<Key> = ids.iter().map(|id| keys::subscriber(*id)).collect();
        let values = self.get_many(&keys).await?;
        Ok((values.iter().flatten().map(decode).collect::<Result<_, _>>()?, next))
    }

    async fn active_on(
        &self,
        list: &ListName,
        after: SubscriberId,
        limit: usize,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let (mut range, mut ids) = (keys::members(list).after(&keys::member(list, after)), Vec::new());
        while ids.len() < limit {
            let rows = self.engine.scan(range.clone(), limit).await?;
            let active = rows.iter().filter(|(_, value)| value.first() == Some(&code(SubscriptionState::Active)));
            ids.extend(active.filter_map(|(key, _)| keys::last_number(key)).map(SubscriberId));
            match rows.last() {
                Some((last, _)) if rows.len() == limit => range = range.after(last),
                _ => break,
            }
        }
        Ok(ids)
    }
}
