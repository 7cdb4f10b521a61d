//! What a row would change: a pure decision, the same for a dry run as for the real one.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::model::consent::ConsentSource;
use crate::model::subscriber::{Subscriber, SubscriptionState};

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

/// Decides what a row changes. `known` is the subscriber who has the address. A new subscriber gets its number later.
pub fn plan(known: Option<&Subscriber>, row: &Row, terms: &Terms) -> Plan {
    let mut subscriber = known.cloned().unwrap_or_else(|| blank(row, terms));
    let changed = fill(&mut subscriber, &row.fields);
    let (mut subscribed, mut ended) = (Vec::new(), Vec::new());
    for list in terms.lists.iter().chain(row.fields.lists.iter().filter(|list| !terms.lists.contains(list))) {
        match subscriber.state_on(list) {
            None => {
                let source = ConsentSource::Import { file: terms.file.clone(), line: row.record.line };
                let words = terms.words.clone();
                // Refused only where there is a subscription already.
                if subscriber.change(list, SubscriptionState::Active, terms.at, source, words) == Ok(true) {
                    subscribed.push(list.clone());
                }
            }
            Some(SubscriptionState::Ended) => ended.push(list.clone()),
            // On the list already; a pause or a suspension is not for a file to lift.
            Some(_) => {}
        }
    }
    let write = known.is_none() || !changed.is_empty() || !subscribed.is_empty();
    subscriber.updated = if write { terms.at } else { subscriber.updated };
    Plan { write: write.then_some(subscriber), new: known.is_none(), changed, subscribed, ended }
}

fn blank(row: &Row, terms: &Terms) -> Subscriber {
    Subscriber {
        id: SubscriberId(0),
        address: row.address.clone(),
        name: None,
        language: terms.language.clone(),
        organisation: None,
        beats: Default::default(),
        regions: Default::default(),
        attributes: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        created: terms.at,
        updated: terms.at,
    }
}

/// Takes over what the row says; gives the names of the fields that differ.
fn fill(subscriber: &mut Subscriber, fields: &Fields) -> Vec<&'static str> {
    let mut changed = Vec::new();
    if fields.name.is_some() && subscriber.name != fields.name {
        subscriber.name.clone_from(&fields.name);
        changed.push("name");
    }
    if let Some(language) = &fields.language
        && subscriber.language != *language
    {
        subscriber.language = language.clone();
        changed.push("language");
    }
    if fields.organisation.is_some() && subscriber.organisation != fields.organisation {
        subscriber.organisation.clone_from(&fields.organisation);
        changed.push("organisation");
    }
    if let Some(beats) = &fields.beats
        && subscriber.beats != *beats
    {
        subscriber.beats.clone_from(beats);
        changed.push("beats");
    }
    if let Some(regions) = &fields.regions
        && subscriber.regions != *regions
    {
        subscriber.regions.clone_from(regions);
        changed.push("regions");
    }
    let mut attributes = false;
    for (name, value) in &fields.attributes {
        if subscriber.attributes.get(name) != Some(value) {
            subscriber.attributes.insert(name.clone(), value.clone());
            attributes = true;
        }
    }
    if attributes {
        changed.push("attributes");
    }
    changed
}
