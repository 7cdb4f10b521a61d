//! Parses contacts and boilerplate: written out, or by their id in the contact book.

use super::section::{Section, TextOrSection};
use super::{DraftBoilerplate, DraftContact, DraftWho, SourceSettings};
use crate::model::contact::{Contact, ContactRole, Phone};

impl<'i, 'l> Section<'i, 'l> {
    /// Contacts; an id of the contact book alone is the short form of a press contact.
    pub(super) fn contacts(&mut self, key: &'static str, settings: &SourceSettings) -> Vec<DraftContact> {
        let read = |given: TextOrSection<'_, '_>| match given {
            TextOrSection::Text(_, id, _) => DraftContact { role: ContactRole::Press, who: DraftWho::Book(id) },
            TextOrSection::Section(section) => draft_contact(section, settings),
        };
        self.texts_or_sections(key).into_iter().map(read).collect()
    }

    /// A contact person; the caller must call `finish`.
    pub(super) fn person_to_call(&mut self, settings: &SourceSettings) -> Contact {
        Contact {
            name: self.need("name", "\"Karin Ek\""),
            title: self.line_text("title"),
            organisation: self.line_text("organisation"),
            phones: self.phones(settings),
            email: self.parsed("email", "address"),
            hours: self.line_text("hours"),
        }
    }

    fn phones(&mut self, settings: &SourceSettings) -> Vec<Phone> {
        let read = |given: TextOrSection<'_, '_>| match given {
            TextOrSection::Text(_, printed, _) => Phone::read(&printed, &settings.country_code),
            TextOrSection::Section(mut section) => {
                let printed = section.need("printed", "\"070-174 06 05\"");
                let given = section.line_text("e164");
                section.finish();
                let read = Phone::read(&printed, &settings.country_code);
                Phone { e164: given.or(read.e164), printed: read.printed }
            }
        };
        let mut phones: Vec<Phone> = self.texts_or_sections("phones").into_iter().map(read).collect();
        phones.extend(self.line_text("phone").map(|printed| Phone::read(&printed, &settings.country_code)));
        phones
    }

    /// Boilerplates; an organisation's id alone is the short form of its newest text.
    pub(super) fn boilerplates(&mut self, key: &'static str) -> Vec<DraftBoilerplate> {
        self.texts_or_sections(key).into_iter().map(boilerplate).collect()
    }
}

fn draft_contact(mut section: Section<'_, '_>, settings: &SourceSettings) -> DraftContact {
    let role = section.word("role", &ContactRole::ALL, ContactRole::word).unwrap_or(ContactRole::Press);
    let who = match section.line_text("contact") {
        Some(id) => DraftWho::Book(id),
        None => DraftWho::Inline(section.person_to_call(settings)),
    };
    section.finish();
    DraftContact { role, who }
}

fn boilerplate(given: TextOrSection<'_, '_>) -> DraftBoilerplate {
    let mut section = match given {
        TextOrSection::Text(_, organisation, _) => return DraftBoilerplate::Book { organisation, revision: None },
        TextOrSection::Section(section) => section,
    };
    let draft = match section.text("text") {
        Some(text) => DraftBoilerplate::Inline { name: section.need("name", "\"Exempelförbundet\""), text },
        None => DraftBoilerplate::Book {
            organisation: section.need("organisation", "\"exempelforbundet\", ‹text› = \"…\""),
            revision: section.number("revision"),
        },
    };
    section.finish();
    draft
}
