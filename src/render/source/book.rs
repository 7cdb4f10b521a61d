//! Parses contact book files: TOML with `[[organisations]]`, `[[contacts]]` and `[[boilerplates]]`, with the same
//! checks and findings as a release file.

use super::SourceSettings;
use super::front;
use super::log::Log;
use super::section::Section;
use super::split::Split;
use crate::base::language::Language;
use crate::model::contact::{Boilerplate, Contact, ContactBook, Organisation, is_book_id};
use crate::render::finding::{Finding, sort};

/// A contact book from a file. Boilerplates have no revision numbers yet: the store assigns them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BookFile {
    /// Organisations in order.
    pub organisations: Vec<Organisation>,
    /// Contacts with their ids, in order.
    pub contacts: Vec<(String, Contact)>,
    /// Texts in order; the revision of each is 0.
    pub boilerplates: Vec<Boilerplate>,
}

/// Parses a contact book.
///
/// # Errors
/// All errors, by line.
pub fn parse_book(text: &str, settings: &SourceSettings) -> Result<BookFile, Vec<Finding>> {
    let split = Split::of_toml(text).map_err(|finding| vec![finding])?;
    let front = front::read(split);
    let log = Log::new(&front.split, front.language);
    let table = front.table(&log);
    let mut root = Section::root(table, &log);
    let mut file = BookFile::default();
    for section in root.sections("organisations") {
        file.organisations.extend(organisation(section));
    }
    for section in root.sections("contacts") {
        file.contacts.extend(contact(section, settings));
    }
    for section in root.sections("boilerplates") {
        file.boilerplates.extend(boilerplate(section));
    }
    root.finish();
    let (mut findings, _) = log.into_parts();
    super::log::drop_echoes(&mut findings);
    sort(&mut findings);
    if findings.is_empty() { Ok(file) } else { Err(findings) }
}

fn id(section: &mut Section<'_, '_>, key: &'static str, example: &str) -> Option<String> {
    let id = section.need(key, example);
    if id.is_empty() {
        return None;
    }
    if !is_book_id(&id) {
        section.refuse(&section.path_of(key), section.line().unwrap_or(1), "id", &[]);
        return None;
    }
    Some(id)
}

fn organisation(mut section: Section<'_, '_>) -> Option<Organisation> {
    let id = id(&mut section, "id", "\"exempelforbundet\"");
    let name = section.need("name", "\"Exempelförbundet\"");
    let url = section.link("url");
    let email = section.parsed("email", "address");
    let responsible_publisher = section.line_text("responsible_publisher");
    section.finish();
    Some(Organisation { id: id?, name, url, email, responsible_publisher })
}

fn contact(mut section: Section<'_, '_>, settings: &SourceSettings) -> Option<(String, Contact)> {
    let id = id(&mut section, "id", "\"karin-ek\"");
    let contact = section.person_to_call(settings);
    section.finish();
    Some((id?, contact))
}

fn boilerplate(mut section: Section<'_, '_>) -> Option<Boilerplate> {
    let organisation = id(&mut section, "organisation", "\"exempelforbundet\"");
    let language: Option<Language> = section.parsed("language", "language");
    if !section.was_given("language") {
        section.miss("language", "\"sv\"");
    }
    let text = section.text("text").unwrap_or_else(|| {
        section.miss("text", "\"Exempelförbundet är …\"");
        String::new()
    });
    let name = section.line_text("name");
    section.finish();
    let (organisation, language) = (organisation?, language?);
    Some(Boilerplate { name: name.unwrap_or_default(), organisation, revision: 0, language, text })
}

impl BookFile {
    /// The book from this file alone; texts are numbered in the order of the file.
    pub fn into_book(self) -> ContactBook {
        let mut book = ContactBook {
            organisations: self.organisations.into_iter().map(|o| (o.id.clone(), o)).collect(),
            contacts: self.contacts.into_iter().collect(),
            ..ContactBook::default()
        };
        for mut text in self.boilerplates {
            let revisions = book.boilerplates.keys().filter(|(organisation, _)| *organisation == text.organisation);
            text.revision = u32::try_from(revisions.count()).unwrap_or(u32::MAX).saturating_add(1);
            if text.name.is_empty() {
                let named = book.organisations.get(&text.organisation);
                text.name = named.map_or_else(|| text.organisation.clone(), |o| o.name.clone());
            }
            book.boilerplates.insert((text.organisation.clone(), text.revision), text);
        }
        book
    }
}
