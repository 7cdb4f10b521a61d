//! The contact book on disk: organisations, contacts, and boilerplate texts in numbered revisions that never change.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::language::Language;
use crate::model::contact::{Boilerplate, Contact, ContactBook, Organisation, Phone};

use super::engine::{Batch, Key, Value};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Attempt, Store, StoreError, keys};

const VERSION: u8 = 1;

/// An organisation's form on disk; also used in a release's snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct OrganisationV1 {
    id: String,
    name: String,
    url: Option<String>,
    email: Option<String>,
    responsible_publisher: Option<String>,
}

/// A contact's form on disk; also used in a release's snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct ContactV1 {
    id: String,
    name: String,
    title: Option<String>,
    organisation: Option<String>,
    phones: Vec<(String, Option<String>)>,
    email: Option<String>,
    hours: Option<String>,
}

/// A boilerplate's form on disk; also used in a release's snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct BoilerplateV1 {
    organisation: String,
    name: String,
    revision: u32,
    language: Language,
    text: String,
}

fn address(family: &'static str, text: Option<String>) -> Result<Option<Address>, RecordError> {
    let damaged = |e: crate::base::address::AddressError| RecordError::Damaged { family, reason: e.to_string() };
    text.map(|text| Address::from_stored(text).map_err(damaged)).transpose()
}

impl OrganisationV1 {
    pub(super) fn of(organisation: &Organisation) -> Self {
        Self {
            id: organisation.id.clone(),
            name: organisation.name.clone(),
            url: organisation.url.clone(),
            email: organisation.email.as_ref().map(|a| a.as_str().to_owned()),
            responsible_publisher: organisation.responsible_publisher.clone(),
        }
    }

    pub(super) fn read(self) -> Result<Organisation, RecordError> {
        let email = address("organisation", self.email)?;
        let Self { id, name, url, responsible_publisher, .. } = self;
        Ok(Organisation { id, name, url, email, responsible_publisher })
    }
}

impl ContactV1 {
    pub(super) fn of(id: &str, contact: &Contact) -> Self {
        Self {
            id: id.to_owned(),
            name: contact.name.clone(),
            title: contact.title.clone(),
            organisation: contact.organisation.clone(),
            phones: contact.phones.iter().map(|p| (p.printed.clone(), p.e164.clone())).collect(),
            email: contact.email.as_ref().map(|a| a.as_str().to_owned()),
            hours: contact.hours.clone(),
        }
    }

    pub(super) fn read(self) -> Result<(String, Contact), RecordError> {
        let email = address("contact", self.email)?;
        let phones = self.phones.into_iter().map(|(printed, e164)| Phone { printed, e164 }).collect();
        let Self { id, name, title, organisation, hours, .. } = self;
        Ok((id, Contact { name, title, organisation, phones, email, hours }))
    }
}

impl BoilerplateV1 {
    pub(super) fn of(text: &Boilerplate) -> Self {
        let Boilerplate { organisation, name, revision, language, text } = text.clone();
        Self { organisation, name, revision, language, text }
    }

    pub(super) fn read(self) -> Boilerplate {
        let Self { organisation, name, revision, language, text } = self;
        Boilerplate { organisation, name, revision, language, text }
    }
}

fn decode<T: serde::de::DeserializeOwned>(family: &'static str, bytes: &Value) -> Result<T, RecordError> {
    let (version, rest) = record::split(family, bytes)?;
    match version {
        VERSION => record::decode(family, rest),
        version => Err(RecordError::Newer { family, version }),
    }
}

/// What an import or an edit adds to the contact book. The store numbers the boilerplates.
#[derive(Clone, Debug, Default)]
pub struct BookChange {
    /// Replace those of the same id.
    pub organisations: Vec<Organisation>,
    /// Replace those of the same id.
    pub contacts: Vec<(String, Contact)>,
    /// Each becomes a new revision, unless it equals the newest of its organisation and language.
    pub boilerplates: Vec<Boilerplate>,
}

/// The result of a [`BookChange`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookOutcome {
    /// Organisations, contacts and revisions added.
    pub added: usize,
    /// Existing organisations and contacts that were changed.
    pub changed: usize,
    /// Entries already stored with the same content.
    pub unchanged: usize,
}

/// Why a change of the contact book was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A boilerplate names an organisation that is neither in the book nor in the change.
    #[error("there is no organisation \u{201c}{0}\u{201d} for this boilerplate")]
    NoOrganisation(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// The whole contact book. It is written by hand (organisations, their press contacts and texts), so all fits in
    /// memory.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn contact_book(&self) -> Result<ContactBook, StoreError> {
        let mut book = ContactBook::default();
        let mut organisations = self.pages(Query::new(keys::table(b'q'), |_, bytes| {
            Ok(decode::<OrganisationV1>("organisation", &bytes)?.read()?)
        }));
        while let Some(organisation) = organisations.next().await? {
            book.organisations.insert(organisation.id.clone(), organisation);
        }
        let mut contacts =
            self.pages(Query::new(keys::table(b'o'), |_, bytes| Ok(decode::<ContactV1>("contact", &bytes)?.read()?)));
        while let Some((id, contact)) = contacts.next().await? {
            book.contacts.insert(id, contact);
        }
        let mut texts = self.pages(Query::new(keys::table(b'b'), |_, bytes| {
            Ok(decode::<BoilerplateV1>("boilerplate", &bytes)?.read())
        }));
        while let Some(text) = texts.next().await? {
            book.boilerplates.insert((text.organisation.clone(), text.revision), text);
        }
        Ok(book)
    }

    /// Applies the whole change or nothing.
    ///
    /// # Errors
    /// [`BookError`]: nothing was changed.
    pub async fn change_book(&self, change: &BookChange) -> Result<BookOutcome, BookError> {
        self.attempt(|| async move {
            let book = self.contact_book().await?;
            let (mut batch, mut outcome) = (Batch::new(), BookOutcome::default());
            for organisation in &change.organisations {
                let form = record::encode(VERSION, &OrganisationV1::of(organisation));
                self.put_known(&mut batch, &mut outcome, keys::organisation(&organisation.id), form).await?;
            }
            for (id, contact) in &change.contacts {
                let form = record::encode(VERSION, &ContactV1::of(id, contact));
                self.put_known(&mut batch, &mut outcome, keys::contact(id), form).await?;
            }
            number_boilerplates(&mut batch, &mut outcome, book, change)?;
            Ok(Attempt::Commit(batch, outcome))
        })
        .await
    }

    async fn put_known(
        &self,
        batch: &mut Batch,
        outcome: &mut BookOutcome,
        key: Key,
        form: Value,
    ) -> Result<(), StoreError> {
        let before = self.engine.get(&key).await?;
        match &before {
            Some(same) if *same == form => outcome.unchanged += 1,
            Some(_) => outcome.changed += 1,
            None => outcome.added += 1,
        }
        batch.expect_read(key.clone(), before);
        batch.put(key, form);
        Ok(())
    }
}

fn number_boilerplates(
    batch: &mut Batch,
    outcome: &mut BookOutcome,
    mut book: ContactBook,
    change: &BookChange,
) -> Result<(), BookError> {
    book.organisations.extend(change.organisations.iter().map(|o| (o.id.clone(), o.clone())));
    for text in &change.boilerplates {
        let Some(organisation) = book.organisations.get(&text.organisation) else {
            return Err(BookError::NoOrganisation(text.organisation.clone()));
        };
        let mut text = text.clone();
        if text.name.is_empty() {
            text.name.clone_from(&organisation.name);
        }
        let of_this = book.boilerplates.iter().filter(|((id, _), _)| *id == text.organisation);
        let newest = of_this.clone().rfind(|(_, b)| b.language == text.language);
        if newest.is_some_and(|(_, b)| b.text == text.text && b.name == text.name) {
            outcome.unchanged += 1;
            continue;
        }
        text.revision = of_this.map(|((_, revision), _)| *revision).max().unwrap_or(0).saturating_add(1);
        let key = keys::boilerplate(&text.organisation, text.revision);
        // Must be absent: a revision number is never reused, and a revision never changes.
        batch.expect_absent(key.clone());
        batch.put(key, record::encode(VERSION, &BoilerplateV1::of(&text)));
        book.boilerplates.insert((text.organisation.clone(), text.revision), text);
        outcome.added += 1;
    }
    Ok(())
}
