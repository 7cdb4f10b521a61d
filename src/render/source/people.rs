//! Parses people, issuers, speakers and quotations: in short form as a text, or as a table.

use super::section::{Section, TextOrSection};
use crate::model::release::{AttributionPlace, Issuer, Person, Quote, Speaker};

impl<'i, 'l> Section<'i, 'l> {
    /// People; `"Karin Ek (X), ordförande"` is the short form.
    pub(super) fn people(&mut self, key: &'static str) -> Vec<Person> {
        self.texts_or_sections(key).into_iter().map(person).collect()
    }

    /// Issuers; the name alone is the short form.
    pub(super) fn issuers(&mut self, key: &'static str) -> Vec<Issuer> {
        self.texts_or_sections(key).into_iter().map(issuer).collect()
    }

    /// Quotations given as fields.
    pub(super) fn quotes(&mut self, key: &'static str) -> Vec<Quote> {
        self.sections(key).into_iter().map(quote).collect()
    }

    /// One quotation given as a field.
    pub(super) fn quote(&mut self, key: &'static str) -> Option<Quote> {
        self.section(key).map(quote)
    }
}

fn person(given: TextOrSection<'_, '_>) -> Person {
    let mut section = match given {
        TextOrSection::Text(_, text, _) => return short_person(&text),
        TextOrSection::Section(section) => section,
    };
    let name = section.need("name", "\"Karin Ek\"");
    let mut titles = section.texts("titles");
    titles.extend(section.line_text("title"));
    let person =
        Person { name, titles, party: section.line_text("party"), affiliation: section.line_text("affiliation") };
    section.finish();
    person
}

/// `Karin Ek (X), ordförande, Exempelförbundet`: name, party, titles.
fn short_person(text: &str) -> Person {
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or(text);
    let (name, party) = match first.strip_suffix(')').and_then(|f| f.rsplit_once(" (")) {
        Some((name, party)) if !name.trim().is_empty() && !party.is_empty() => (name.trim(), Some(party.to_owned())),
        _ => (first, None),
    };
    Person { name: name.to_owned(), titles: parts.map(str::to_owned).collect(), party, affiliation: None }
}

fn issuer(given: TextOrSection<'_, '_>) -> Issuer {
    let mut section = match given {
        TextOrSection::Text(_, name, _) => return Issuer { organisation: None, name, role: None },
        TextOrSection::Section(section) => section,
    };
    let organisation = section.line_text("organisation");
    // An organisation of the contact book provides its name.
    let name = match &organisation {
        Some(_) => section.line_text("name").unwrap_or_default(),
        None => section.need("name", "\"Exempelförbundet\""),
    };
    let issuer = Issuer { organisation, name, role: section.line_text("role") };
    section.finish();
    issuer
}

fn quote(mut section: Section<'_, '_>) -> Quote {
    let mut paragraphs = section.texts("paragraphs");
    if let Some(text) = section.text("text") {
        paragraphs.extend(text.split("\n\n").map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()));
    }
    if paragraphs.is_empty() {
        section.miss("text", "\"what was said\"");
    }
    let speaker = match section.texts_or_sections("speaker").into_iter().next() {
        None => {
            section.miss("speaker", "\"Karin Ek, ordförande\"");
            Speaker::default()
        }
        Some(given) => {
            let person = person(given);
            Speaker {
                name: person.name,
                party: person.party,
                titles: person.titles.into_iter().chain(person.affiliation).collect(),
            }
        }
    };
    let attribution = section.word("attribution", &AttributionPlace::ALL, AttributionPlace::word).unwrap_or_default();
    section.finish();
    Quote { paragraphs, speaker, attribution }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_short_spelling_of_a_person() {
        let person = short_person("Karin Ek (X), ordförande, Exempelförbundet");
        assert_eq!(person.line(), "Karin Ek (X), ordförande, Exempelförbundet");
        assert_eq!((person.name.as_str(), person.party.as_deref()), ("Karin Ek", Some("X")));
        assert_eq!(short_person("Karin Ek").titles, Vec::<String>::new());
    }
}
