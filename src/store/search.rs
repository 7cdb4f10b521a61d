//! Finding people by the beginnings of words of their name, organisation and address, and by their lists.

use std::collections::BTreeMap;

use crate::base::id::{ListName, SubscriberId};
use crate::base::token::{from_hex, to_hex};
use crate::model::subscriber::{Subscriber, SubscriptionState};

use super::engine::{Key, KeyRange};
use super::pages::Query;
use super::person_rows::{code, state_of, words, words_of};
use super::record::RecordError;
use super::subscribers::decode_stored;
use super::{Read, Store, StoreError, keys};

/// Words of a search that count.
const MOST_WORDS: usize = 8;
/// Rows of a word that are counted, to find out which word is the rarest.
const COUNTED: usize = 1000;
/// Rows that one call looks at, whatever it finds.
const LOOKED_AT: usize = 5000;
/// Rows read together.
const STEP: usize = 250;

/// What is searched for: people of whom each of these words is the beginning of some word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    words: Vec<String>,
}

impl Search {
    /// Reads what a user typed: words in any order, in any case, with or without accents, or parts of an address. `None` when
    /// no letter or digit is in it.
    pub fn new(text: &str) -> Option<Self> {
        let mut all = Vec::new();
        for token in text.split_whitespace() {
            // The last label of a domain is not indexed.
            let is_domain = token.contains('@') && token.rsplit('@').next().is_some_and(|domain| domain.contains('.'));
            let token = if is_domain { token.rsplit_once('.').map_or(token, |(rest, _)| rest) } else { token };
            all.extend(words(token));
        }
        all.truncate(MOST_WORDS);
        // A word that another begins with says nothing more.
        let says_more = |word: &String| !all.iter().any(|other| other.len() > word.len() && other.starts_with(word));
        let mut words: Vec<String> = all.iter().filter(|word| says_more(word)).cloned().collect();
        words.sort();
        words.dedup();
        (!words.is_empty()).then_some(Self { words })
    }

    fn fits(&self, subscriber: &Subscriber, has: &std::collections::BTreeSet<String>) -> bool {
        let _ = subscriber;
        self.words.iter().all(|word| first_with(has, word).is_some())
    }
}

/// The first of a person's words that begins with `word`.
fn first_with<'a>(has: &'a std::collections::BTreeSet<String>, word: &str) -> Option<&'a String> {
    has.range(word.to_owned()..).next().filter(|found| found.starts_with(word))
}

/// Where a search goes on: opaque, and good for the same search only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    word: usize,
    row: Key,
}

impl SearchCursor {
    /// As text, for a later call.
    pub fn to_text(&self) -> String {
        format!("{}-{}", self.word, to_hex(&self.row.0))
    }

    /// Reads [`Self::to_text`]; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let (word, row) = text.split_once('-')?;
        Some(Self { word: word.parse().ok()?, row: Key(from_hex(row)?) })
    }
}

/// A part of what a search finds.
#[derive(Debug)]
pub struct FoundPeople {
    /// Who was found, in order of the rarest word.
    pub people: Vec<Read<Subscriber>>,
    /// Where to go on; `None` when all was looked at. There may be none after it all the same.
    pub next: Option<SearchCursor>,
}

impl Store {
    /// The next `limit` people whom a search finds after `after`; from the first without it. A call looks at a limited number
    /// of rows, so that a search for common words may need several to find `limit`.
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
            Some(after) => after.word,
            None => self.rarest(search).await?,
        };
        let mut found = FoundPeople { people: Vec::new(), next: None };
        let Some(word) = search.words.get(chosen) else { return Ok(found) };
        let mut range = keys::person_words(word);
        if let Some(after) = after.filter(|after| range.from <= after.row) {
            range = range.after(&after.row);
        }
        let mut looked_at = 0;
        while looked_at < LOOKED_AT {
            let rows = self.engine.scan(range.clone(), STEP).await?;
            for (row, _) in &rows {
                if found.people.len() == limit {
                    return Ok(found);
                }
                found.next = Some(SearchCursor { word: chosen, row: row.clone() });
                found.people.extend(self.person_of(search, word, row).await?);
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

    /// Which word of a search has the fewest rows.
    async fn rarest(&self, search: &Search) -> Result<usize, StoreError> {
        let mut counts = BTreeMap::new();
        if search.words.len() > 1 {
            for (place, word) in search.words.iter().enumerate() {
                let count = self.engine.scan(keys::person_words(word), COUNTED).await?.len();
                // Among equals the longest.
                counts.insert((count, usize::MAX - word.len()), place);
            }
        }
        Ok(counts.into_values().next().unwrap_or(0))
    }

    /// The person of a row, if all words fit, and this is the first row by which `word` leads to them.
    async fn person_of(&self, search: &Search, word: &str, row: &Key) -> Result<Option<Read<Subscriber>>, StoreError> {
        let damaged = || RecordError::Damaged { family: "index of people", reason: format!("the key {row:?}") };
        let (of, id) = keys::person_word_of(row).ok_or_else(damaged)?;
        let Some(read) = self.subscriber(id).await? else { return Ok(None) };
        let has = words_of(&read.value);
        let is_first = first_with(&has, word).is_some_and(|first| first == of);
        Ok(Some(read).filter(|read| is_first && search.fits(&read.value, &has)))
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
    /// The next `limit` subscribers after `after` who get mail from one of `lists`, in order of id. Fewer than `limit` mean
    /// that there are no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn readers_of(
        &self,
        lists: impl IntoIterator<Item = &ListName>,
        after: SubscriberId,
        limit: usize,
    ) -> Result<Vec<Read<Subscriber>>, StoreError> {
        let mut ids = Vec::new();
        for list in lists {
            ids.extend(self.active_on(list, after, limit).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit);
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        // Where nearly all between are wanted, one scan is faster than a look for each.
        if last.0 - first.0 < 2 * ids.len() as u64 {
            let after_last = keys::subscriber(SubscriberId(last.0.saturating_add(1)));
            let between = KeyRange::new(keys::subscriber(*first), Some(after_last));
            let found = self.engine.scan(between, 2 * ids.len()).await?;
            let found = found.iter().map(|(_, octets)| decode_stored(octets));
            let is_wanted = |read: &Result<Read<Subscriber>, StoreError>| {
                read.as_ref().map_or(true, |read| ids.binary_search(&read.value.id).is_ok())
            };
            return found.filter(is_wanted).collect();
        }
        let keys: Vec<Key> = ids.iter().map(|id| keys::subscriber(*id)).collect();
        let values = self.get_many(&keys).await?;
        values.iter().flatten().map(decode_stored).collect()
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
