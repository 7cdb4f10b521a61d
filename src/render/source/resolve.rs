//! Resolves a draft with the contact book into a release: ids become the people and texts that they refer to.

use super::{Draft, DraftBoilerplate, DraftContact, DraftWho};
use crate::model::contact::{Boilerplate, Contact, ContactBook, ReleaseContact};
use crate::model::release::{Issuer, Release};
use crate::render::finding::{Finding, Severity};
use crate::render::nearest::nearest;

pub(super) fn resolve(draft: &Draft, book: &ContactBook) -> (Release, Vec<Finding>) {
    let mut release = draft.release.clone();
    let mut findings = Vec::new();
    let mut keep = |result: Result<(), Finding>| findings.extend(result.err());
    for (index, issuer) in release.issuers.iter_mut().enumerate() {
        keep(name_issuer(issuer, index, draft, book));
    }
    for (index, contact) in draft.contacts.iter().enumerate() {
        keep(find_contact(contact, index, draft, book).map(|contact| release.contacts.push(contact)));
    }
    for (index, given) in draft.boilerplates.iter().enumerate() {
        keep(find_boilerplate(given, index, draft, book).map(|text| release.boilerplates.push(text)));
    }
    if release.responsible_publisher.is_none() {
        let organisations = release.issuers.iter().filter_map(|i| book.organisations.get(i.organisation.as_ref()?));
        release.responsible_publisher = organisations.filter_map(|o| o.responsible_publisher.clone()).next();
    }
    (release, findings)
}

fn unknown<'a>(
    draft: &Draft,
    key: String,
    id: &str,
    what: Referred,
    known: impl Iterator<Item = &'a String>,
) -> Finding {
    let near = nearest(id, known.map(String::as_str));
    let text = match (what, near.is_some()) {
        (Referred::Contact, true) => "contact-near",
        (Referred::Contact, false) => "contact",
        (Referred::Organisation, true) => "organisation-near",
        (Referred::Organisation, false) => "organisation",
    };
    error(draft, &key, text, &[("id", id), ("hint", near.unwrap_or_default())])
}

/// What an id of the contact book refers to.
#[derive(Clone, Copy)]
enum Referred {
    Contact,
    Organisation,
}

fn error(draft: &Draft, key: &str, text: &str, values: &[(&str, &str)]) -> Finding {
    let positions = &draft.positions;
    let finding = Finding::said(Severity::Error, ("unknown-reference", text), positions.language, values);
    finding.of(positions.as_written(key)).at(positions.line(key))
}

fn name_issuer(issuer: &mut Issuer, index: usize, draft: &Draft, book: &ContactBook) -> Result<(), Finding> {
    let Some(id) = &issuer.organisation else { return Ok(()) };
    match book.organisations.get(id) {
        Some(organisation) if issuer.name.is_empty() => issuer.name.clone_from(&organisation.name),
        Some(_) => {}
        // With its name printed, the id is only a hint for future sites.
        None if !issuer.name.is_empty() => {}
        None => {
            let known = book.organisations.keys();
            return Err(unknown(draft, format!("issuers[{index}]"), id, Referred::Organisation, known));
        }
    }
    Ok(())
}

fn find_contact(
    given: &DraftContact,
    index: usize,
    draft: &Draft,
    book: &ContactBook,
) -> Result<ReleaseContact, Finding> {
    let (contact, book_id): (Contact, _) = match &given.who {
        DraftWho::Inline(contact) => (contact.clone(), None),
        DraftWho::Book(id) => match book.contacts.get(id) {
            Some(contact) => (contact.clone(), Some(id.clone())),
            None => {
                return Err(unknown(draft, format!("contacts[{index}]"), id, Referred::Contact, book.contacts.keys()));
            }
        },
    };
    Ok(ReleaseContact { role: given.role, contact, book_id })
}

fn find_boilerplate(
    given: &DraftBoilerplate,
    index: usize,
    draft: &Draft,
    book: &ContactBook,
) -> Result<Boilerplate, Finding> {
    let language = &draft.release.language;
    let (organisation, revision) = match given {
        DraftBoilerplate::Inline { name, text } => {
            let (name, text, language) = (name.clone(), text.clone(), language.clone());
            return Ok(Boilerplate { organisation: String::new(), name, revision: 0, language, text });
        }
        DraftBoilerplate::Book { organisation, revision } => (organisation, revision),
    };
    let found = match revision {
        Some(revision) => book.boilerplates.get(&(organisation.clone(), *revision)),
        None => book.newest_boilerplate(organisation, language),
    };
    let key = format!("boilerplate[{index}]");
    match found {
        Some(text) => Ok(text.clone()),
        None if !book.organisations.contains_key(organisation) => {
            Err(unknown(draft, key, organisation, Referred::Organisation, book.organisations.keys()))
        }
        None => {
            let (text, which) = match revision {
                Some(revision) => ("boilerplate-revision", revision.to_string()),
                None => ("boilerplate-language", language.to_string()),
            };
            Err(error(draft, &key, text, &[("id", organisation), ("which", &which)]))
        }
    }
}

/// Exactly what the draft refers to, out of `book`.
pub(super) fn snapshot(draft: &Draft, book: &ContactBook) -> ContactBook {
    let mut kept = ContactBook::default();
    let mut organisations: Vec<&String> =
        draft.release.issuers.iter().filter_map(|issuer| issuer.organisation.as_ref()).collect();
    for (index, given) in draft.boilerplates.iter().enumerate() {
        if let DraftBoilerplate::Book { organisation, .. } = given {
            organisations.push(organisation);
            if let Ok(text) = find_boilerplate(given, index, draft, book) {
                kept.boilerplates.insert((organisation.clone(), text.revision), text);
            }
        }
    }
    for id in organisations {
        if let Some(organisation) = book.organisations.get(id) {
            kept.organisations.insert(id.clone(), organisation.clone());
        }
    }
    for contact in &draft.contacts {
        if let DraftWho::Book(id) = &contact.who
            && let Some(contact) = book.contacts.get(id)
        {
            kept.contacts.insert(id.clone(), contact.clone());
        }
    }
    kept
}
