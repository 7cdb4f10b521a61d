//! Export of subscribers to CSV, as a stream. The file is safe to open in a spreadsheet program (see
//! [`crate::base::spreadsheet`]), and importing it again changes nothing.
//!
//! Columns: email, name, language, organisation, beats, regions, lists, then all attributes in alphabetical order. The
//! lists column contains only active subscriptions; paused and ended ones are in the person's record, and their absence
//! here ends nothing on import.

use std::collections::BTreeSet;

use crate::base::id::{ListName, SubscriberId};
use crate::base::spreadsheet::Sheet;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Store, StoreError};

/// Subscribers read per query.
const STEP: usize = 1000;

/// Which subscribers to export, and for which program.
#[derive(Clone, Debug, Default)]
pub struct ExportSettings {
    /// Only subscribers who get mail from this list; `None` for all.
    pub list: Option<ListName>,
    /// For Excel in countries with a decimal comma: starts with a byte order mark and separates cells by `;`.
    pub excel: bool,
}

/// An export in progress.
pub struct Export {
    store: Store,
    settings: ExportSettings,
    attributes: Vec<String>,
    begun: bool,
    /// The last subscriber written; `None` at the end.
    cursor: Option<SubscriberId>,
}

impl Export {
    /// Collects the names of all attributes, which become columns. One that is added later is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(store: Store, settings: ExportSettings) -> Result<Self, StoreError> {
        let (mut attributes, mut cursor) = (BTreeSet::new(), SubscriberId(0));
        loop {
            let step = store.scan_subscribers(cursor, STEP).await?;
            let Some(last) = step.last() else { break };
            cursor = last.value.id;
            for subscriber in step.iter().map(|read| &read.value).filter(|s| is_wanted(s, &settings)) {
                for name in
                    subscriber.attributes.keys().filter(|name| !attributes.contains(*name)).cloned().collect::<Vec<_>>()
                {
                    attributes.insert(name);
                }
            }
        }
        let attributes = attributes.into_iter().collect();
        Ok(Self { store, settings, attributes, begun: false, cursor: Some(SubscriberId(0)) })
    }

    /// The next bytes of the file; `None` at its end.
    ///
    /// # Errors
    /// [`StoreError`]: the file is incomplete.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(cursor) = self.cursor else { return Ok(None) };
        let mut sheet = match self.begun {
            true => Sheet::continued(self.settings.excel),
            false => Sheet::for_program(self.settings.excel),
        };
        if !self.begun {
            let fixed = ["email", "name", "language", "organisation", "beats", "regions", "lists"];
            sheet.row(fixed.into_iter().chain(self.attributes.iter().map(String::as_str)));
            self.begun = true;
        }
        let step = self.store.scan_subscribers(cursor, STEP).await?;
        self.cursor = step.last().map(|last| last.value.id);
        for subscriber in step.iter().map(|read| &read.value).filter(|s| is_wanted(s, &self.settings)) {
            self.row(&mut sheet, subscriber);
        }
        Ok(Some(sheet.take()))
    }

    fn row(&self, sheet: &mut Sheet, subscriber: &Subscriber) {
        let joined = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let active = subscriber.subscriptions.iter().filter(|(_, s)| s.state == SubscriptionState::Active);
        let lists = active.map(|(list, _)| list.as_str()).collect::<Vec<_>>().join(" ");
        let (beats, regions) = (joined(&subscriber.beats), joined(&subscriber.regions));
        let fixed = [
            subscriber.address.as_str(),
            subscriber.name.as_deref().unwrap_or_default(),
            subscriber.language.as_str(),
            subscriber.organisation.as_deref().unwrap_or_default(),
            &beats,
            &regions,
            &lists,
        ];
        let attribute = |name| subscriber.attributes.get(name).map(String::as_str).unwrap_or_default();
        sheet.row(fixed.into_iter().chain(self.attributes.iter().map(attribute)));
    }
}

fn is_wanted(subscriber: &Subscriber, settings: &ExportSettings) -> bool {
    settings.list.as_ref().is_none_or(|list| subscriber.state_on(list) == Some(SubscriptionState::Active))
}
