//! Searching people by any part of their name, organisation and address.

use memchr::memmem::Finder;

use crate::base::id::SubscriberId;
use crate::base::unicode::folded;
use crate::model::subscriber::Subscriber;

use super::engine::Key;
use super::person_texts::text_of;
use super::subscribers::decode;
use super::{Read, Store, StoreError, keys};

/// Words of a search that are used; further ones are ignored.
const MOST_WORDS: usize = 8;
/// Chunks of about a thousand people that are searched without a break for other tasks.
const WITHOUT_BREAK: usize = 32;

/// A search for people: each of these words must be a part of the person's name, organisation or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Folded, the longest first.
    words: Vec<String>,
}

impl Search {
    /// Parses what a user typed: words in any order, in any case, with or without accents, or parts of an address.
    /// `None` if it contains no letter or digit.
    pub fn new(text: &str) -> Option<Self> {
        let mut all = Vec::new();
        for token in folded(text).split_whitespace() {
            let token = token.trim_matches(|c: char| c != '@' && !c.is_alphanumeric());
            match token.contains(['@', '.']) {
                // A part of an address, as it is.
                true => all.push(token.to_owned()),
                false => all.extend(token.split(|c: char| !c.is_alphanumeric()).map(str::to_owned)),
            }
        }
        all.retain(|word| word.contains(char::is_alphanumeric));
        all.truncate(MOST_WORDS);
        all.sort_by_key(|word| std::cmp::Reverse(word.len()));
        // A word that is a part of another adds nothing.
        let mut words: Vec<String> = Vec::new();
        for word in all {
            if !words.iter().any(|longer| longer.contains(&word)) {
                words.push(word);
            }
        }
        (!words.is_empty()).then_some(Self { words })
    }

    fn fits(&self, person: &Subscriber) -> bool {
        let text = text_of(person);
        self.words.iter().all(|word| text.contains(word))
    }
}

/// Where a search continues: opaque, valid for the same search only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCursor(SubscriberId);

impl SearchCursor {
    /// As text, for a later call.
    pub fn to_text(&self) -> String {
        self.0.0.to_string()
    }

    /// Reads [`Self::to_text`]; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(Self(SubscriberId(text.parse().ok()?)))
    }
}

/// A part of a search's result.
#[derive(Debug)]
pub struct FoundPeople {
    /// The people found, in order of id.
    pub people: Vec<Read<Subscriber>>,
    /// Where to continue; `None` at the end.
    pub next: Option<SearchCursor>,
}

impl Store {
    /// Up to `limit` people matching a search after `after`; `None`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn search_people(
        &self,
        search: &Search,
        after: Option<&SearchCursor>,
        limit: usize,
    ) -> Result<FoundPeople, StoreError> {
        let mut found = FoundPeople { people: Vec::new(), next: None };
        let after = after.map_or(SubscriberId(0), |cursor| cursor.0);
        let Some((first, others)) = search.words.split_first() else { return Ok(found) };
        let first = Finder::new(first);
        let others: Vec<Finder> = others.iter().map(Finder::new).collect();
        for (place, chunk) in self.person_texts().await?.iter().enumerate() {
            let fits = |text: &str| others.iter().all(|word| word.find(text.as_bytes()).is_some());
            let mut ids = chunk.find(&first, after, fits);
            loop {
                let some = ids.by_ref().take(limit + 1 - found.people.len()).map(keys::subscriber);
                let some: Vec<Key> = some.collect();
                if some.is_empty() {
                    break;
                }
                for bytes in self.get_many(&some).await?.iter().flatten() {
                    let read = decode(bytes)?;
                    // The record may be newer than the text.
                    found.people.extend(Some(read).filter(|read| search.fits(&read.value)));
                }
                if found.people.len() > limit {
                    found.people.truncate(limit);
                    found.next = found.people.last().map(|read| SearchCursor(read.value.id));
                    return Ok(found);
                }
            }
            if place % WITHOUT_BREAK == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(found)
    }
}
