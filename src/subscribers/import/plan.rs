//! The changes for a row: a pure decision, the same for a dry run and an import.

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

/// The settings for all rows of an import.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The file's name, for the consent ledger.
    pub file: String,
    /// Lists to which every row is added, in addition to those it names.
    pub lists: Vec<ListName>,
    /// The words that the people in the file agreed to.
    pub words: String,
    /// The language of new subscribers without one.
    pub language: Language,
    /// The time of the import.
    pub at: Timestamp,
}

/// The decision about one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The subscriber to write; `None` if nothing changes.
    pub write: Option<Subscriber>,
    /// Whether the subscriber is new.
    pub new: bool,
    /// The names of the changed fields, for a known subscriber.
    pub changed: Vec<&'static str>,
    /// Lists that the subscriber is newly added to.
    pub subscribed: Vec<ListName>,
    /// Lists that the subscriber had left: refused (invariant 4).
    pub ended: Vec<ListName>,
}

/// A change to one field of a known subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The line in the file, starting at 1.
    pub line: u64,
    /// The subscriber's address.
    pub address: Address,
    /// The field; for an attribute, its name.
    pub field: String,
    /// The stored value; empty if absent.
    pub old: String,
    /// The value in the file.
    pub new: String,
}

/// The differences between two versions of a subscriber, by field; subscriptions are not compared.
pub(crate) fn differences(line: u64, known: &Subscriber, written: &Subscriber) -> Vec<FieldChange> {
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

/// Decides the changes for a row. `known` is the subscriber with the address. A new subscriber gets its number later.
/// Who may be added to a list is decided by [`Subscriber::want`], for every channel.
pub(crate) fn plan(known: Option<&Subscriber>, row: &Row, terms: &Terms) -> Plan {
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

/// The profile fields of a row. An empty cell changes nothing.
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
