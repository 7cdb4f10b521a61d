//! What a row would change: a pure decision, the same for a dry run as for the real one.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::model::consent::ConsentSource;
use crate::model::profile::ProfileChange;
use crate::model::subscriber::Subscriber;
use crate::model::subscription::Wanted;

use super::row::{Fields, Row};

/// What holds for all rows of an import.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The file's name, for the consent ledger.
    pub file: String,
    /// Lists that every row is put on, besides those that it names.
    pub lists: Vec<ListName>,
    /// The words that the people in the file agreed to.
    pub words: String,
    /// The language of those who are new and have none.
    pub language: Language,
    /// When it is done.
    pub at: Timestamp,
}

/// What becomes of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The subscriber as it is to be written; `None` where nothing changes.
    pub write: Option<Subscriber>,
    /// Whether nobody had the address.
    pub new: bool,
    /// Names of the fields that change, for those who are known.
    pub changed: Vec<&'static str>,
    /// Lists that they are newly on.
    pub subscribed: Vec<ListName>,
    /// Lists that they once left: refused (invariant 4).
    pub ended: Vec<ListName>,
}

/// What an import changes of one field of a known subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The line in the file, from 1.
    pub line: u64,
    /// Whose.
    pub address: Address,
    /// Which field; an attribute by its name.
    pub field: String,
    /// What is known; empty for nothing.
    pub old: String,
    /// What the file says.
    pub new: String,
}

/// How a subscriber differs from what is known, field by field; subscriptions are not among them.
pub fn differences(line: u64, known: &Subscriber, written: &Subscriber) -> Vec<FieldChange> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let words = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let fields = |s: &Subscriber| {
        let (language, organisation) = (s.language.to_string(), text(&s.organisation));
        [text(&s.name), language, organisation, words(&s.beats), words(&s.regions)]
    };
    let names = ["name", "language", "organisation", "beats", "regions"].map(str::to_owned);
    let fields = names.into_iter().zip(fields(known).into_iter().zip(fields(written)));
    let attributes = written.attributes.iter().map(|(name, value)| {
        let known = known.attributes.get(name).cloned().unwrap_or_default();
        (name.clone(), (known, value.clone()))
    });
    let changed = fields.chain(attributes).filter(|(_, (old, new))| old != new);
    let address = &written.address;
    changed.map(|(field, (old, new))| FieldChange { line, address: address.clone(), field, old, new }).collect()
}

/// Decides what a row changes. `known` is the subscriber who has the address. A new subscriber gets its number later. Who
/// may be put on a list is not decided here: [`Subscriber::want`] knows, for every channel.
pub fn plan(known: Option<&Subscriber>, row: &Row, terms: &Terms) -> Plan {
    let blank = || Subscriber::blank(row.address.clone(), terms.language.clone(), terms.at);
    let mut subscriber = known.cloned().unwrap_or_else(blank);
    let changed = profile(&row.fields).apply(&mut subscriber);
    let (mut subscribed, mut ended) = (Vec::new(), Vec::new());
    let source = ConsentSource::Import { file: terms.file.clone(), line: row.record.line };
    for list in terms.lists.iter().chain(row.fields.lists.iter().filter(|list| !terms.lists.contains(list))) {
        match subscriber.want(list, Wanted::Join, terms.at, &source, &terms.words) {
            Ok(true) => subscribed.push(list.clone()),
            Ok(false) => {}
            Err(_) => ended.push(list.clone()),
        }
    }
    let write = known.is_none() || !changed.is_empty() || !subscribed.is_empty();
    subscriber.updated = if write { terms.at } else { subscriber.updated };
    Plan { write: write.then_some(subscriber), new: known.is_none(), changed, subscribed, ended }
}

/// What a row says of a person. An empty cell says nothing.
fn profile(fields: &Fields) -> ProfileChange {
    ProfileChange {
        name: fields.name.clone().map(Some),
        language: fields.language.clone(),
        organisation: fields.organisation.clone().map(Some),
        beats: fields.beats.clone(),
        regions: fields.regions.clone(),
        attributes: fields.attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
    }
}
