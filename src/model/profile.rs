//! A person's profile, and changes to it: the same for their own mail, an operator and a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::language::Language;

use super::subscriber::Subscriber;

/// Changes to a person's profile. `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The whole name; `Some(None)` clears it.
    pub name: Option<Option<String>>,
    /// The language of mails.
    pub language: Option<Language>,
    /// The newsroom or organisation; `Some(None)` clears it.
    pub organisation: Option<Option<String>>,
    /// These beats in place of those known.
    pub beats: Option<BTreeSet<String>>,
    /// These regions, likewise.
    pub regions: Option<BTreeSet<String>>,
    /// Attributes by name; `None` removes one. Others stay.
    pub attributes: BTreeMap<String, Option<String>>,
}

impl ProfileChange {
    /// Applies the change to the profile, and returns the names of the fields that differ.
    pub(crate) fn apply(&self, subscriber: &mut Subscriber) -> Vec<&'static str> {
        let mut changed = Vec::new();
        let mut note = |differs: bool, field: &'static str| {
            if differs {
                changed.push(field);
            }
        };
        note(put(&mut subscriber.name, self.name.as_ref()), "name");
        note(put(&mut subscriber.language, self.language.as_ref()), "language");
        note(put(&mut subscriber.organisation, self.organisation.as_ref()), "organisation");
        note(put(&mut subscriber.beats, self.beats.as_ref()), "beats");
        note(put(&mut subscriber.regions, self.regions.as_ref()), "regions");
        let mut differs = false;
        for (name, value) in &self.attributes {
            differs |= subscriber.attributes.get(name) != value.as_ref();
            match value {
                Some(value) => subscriber.attributes.insert(name.clone(), value.clone()),
                None => subscriber.attributes.remove(name),
            };
        }
        note(differs, "attributes");
        changed
    }
}

/// Whether a field became another.
fn put<T: Clone + PartialEq>(field: &mut T, value: Option<&T>) -> bool {
    match value {
        Some(value) if field != value => {
            field.clone_from(value);
            true
        }
        _ => false,
    }
}
