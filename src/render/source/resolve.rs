//! Resolves a draft with the contact book into a release: ids become the people and texts that they refer to.

use super::{Draft, DraftBoilerplate, DraftContact, DraftWho};
use crate::model::contact::{Boilerplate, Contact, ContactBook, ReleaseContact};
use crate::model::release::{Issuer, Release};
use crate::render::finding::Finding;
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

fn unknown<'a>(draft: &Draft, key: String, id: &str, what: &str, known: impl Iterator<Item = &'a String>) -> Finding {
    let near = nearest(id, known.map(String::as_str)).map(|n| format!("did you mean \u{201c}{n}\u{201d}?"));
    let fix = near.unwrap_or_else(|| "import it with \u{201c}depesch contact import\u{201d}, or write it out".into());
    let said = format!("the contact book has no {what} \u{201c}{id}\u{201d}");
    let line = draft.positions.line(&key);
    Finding::error("unknown-reference", said, fix).of(key).at(line)
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
            return Err(unknown(draft, format!("issuers[{index}]"), id, "organisation", known));
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
                return Err(unknown(draft, format!("contacts[{index}]"), id, "contact", book.contacts.keys()));
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
            Err(unknown(draft, key, organisation, "organisation", book.organisations.keys()))
        }
        None => {
            let which = match revision {
                Some(revision) => format!("revision {revision}"),
                None => format!("text in {language}"),
            };
            let said = format!("\u{201c}{organisation}\u{201d} has no boilerplate {which}");
            let fix = "add one with \u{201c}depesch organisation boilerplate\u{201d}";
            let line = draft.positions.line(&key);
            Err(Finding::error("unknown-reference", said, fix).of(key).at(line))
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
