//! The contact book: organisations, their press contacts, and their "about us" texts in numbered revisions.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::language::Language;

/// An organisation that issues releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id, e.g. `exempelforbundet`: see [`is_book_id`].
    pub id: String,
    /// Its name, as printed.
    pub name: String,
    /// Its site.
    pub url: Option<String>,
    /// Its mail address.
    pub email: Option<Address>,
    /// Its responsible publisher (Swedish law: ansvarig utgivare).
    pub responsible_publisher: Option<String>,
}

/// A press contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The title.
    pub title: Option<String>,
    /// The employer, as printed.
    pub organisation: Option<String>,
    /// Phone numbers, preferred first.
    pub phones: Vec<Phone>,
    /// The mail address.
    pub email: Option<Address>,
    /// Opening hours, e.g. "vardagar 8–17".
    pub hours: Option<String>,
}

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// The number as the author writes it.
    pub printed: String,
    /// ITU-T E.164, e.g. `+46701740605`; `None` when it cannot be derived from the printed form.
    pub e164: Option<String>,
}

/// The role of a contact in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactRole {
    /// Expert on the subject.
    Subject,
    /// Press contact.
    Press,
}

/// A contact of one release: a snapshot, so that later changes of the book do not change what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseContact {
    /// Their role.
    pub role: ContactRole,
    /// The person, as recorded at that time.
    pub contact: Contact,
    /// The id in the contact book, if they came from there.
    pub book_id: Option<String>,
}

/// One revision of an "about us" text. A revision never changes; a new text is a new revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boilerplate {
    /// The organisation's id; empty for a text written in the release itself.
    pub organisation: String,
    /// Its name, as printed above the text.
    pub name: String,
    /// Revision number, from 1; 0 for a text written in the release itself.
    pub revision: u32,
    /// The language of the text.
    pub language: Language,
    /// The text, in Markdown.
    pub text: String,
}

/// Everything that a release may refer to by id: the whole book, or the snapshot that a release keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactBook {
    /// By id.
    pub organisations: BTreeMap<String, Organisation>,
    /// By id.
    pub contacts: BTreeMap<String, Contact>,
    /// By organisation and revision.
    pub boilerplates: BTreeMap<(String, u32), Boilerplate>,
}

impl ContactBook {
    /// An organisation's newest text in `language`: matched by whole tag first, then by primary subtag.
    pub(crate) fn newest_boilerplate(&self, organisation: &str, language: &Language) -> Option<&Boilerplate> {
        let of = || self.boilerplates.range((organisation.to_owned(), 0)..=(organisation.to_owned(), u32::MAX));
        let newest = |fits: &dyn Fn(&Language) -> bool| of().rev().map(|(_, b)| b).find(|b| fits(&b.language));
        newest(&|l| l == language).or_else(|| newest(&|l| l.primary() == language.primary()))
    }
}

/// Whether `id` can name a contact or an organisation: 1 to 60 of `a-z`, `0-9`, `-` and `.`.
pub(crate) fn is_book_id(id: &str) -> bool {
    (1..=60).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
}

impl Phone {
    /// Parses a number as printed; national numbers (one leading 0) belong to `country_code`, e.g. `46`.
    pub fn read(printed: &str, country_code: &str) -> Self {
        Self { printed: printed.to_owned(), e164: e164(printed, country_code) }
    }
}

/// ITU-T E.164 §6: at most 15 digits after the plus.
fn e164(printed: &str, country_code: &str) -> Option<String> {
    // Letterheads write "+46 (0)70-…": the zero in parentheses is not dialled from abroad.
    let printed = printed.trim().replace("(0)", "");
    if !printed.chars().all(|c| c.is_ascii_digit() || "+-–()/. \u{a0}\u{2011}".contains(c)) {
        return None;
    }
    let digits: String = printed.chars().filter(char::is_ascii_digit).collect();
    let international = match (printed.starts_with('+'), digits.strip_prefix("00"), digits.strip_prefix('0')) {
        (true, _, _) => digits,
        (false, Some(rest), _) => rest.to_owned(),
        (false, None, Some(rest)) => format!("{country_code}{rest}"),
        (false, None, None) => return None,
    };
    (7..=15).contains(&international.len()).then(|| format!("+{international}"))
}

impl ContactRole {
    /// The word in release files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Press => "press",
        }
    }

    /// All roles, for messages.
    pub(crate) const ALL: [Self; 2] = [Self::Subject, Self::Press];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_international_number_from_the_printed_one() {
        let read = |printed: &str| Phone::read(printed, "46").e164;
        assert_eq!(read("070-174 06 05").as_deref(), Some("+46701740605"));
        assert_eq!(read("+46 (0)70-174 06 05").as_deref(), Some("+46701740605"));
        assert_eq!(read("0046 8 465 004 00").as_deref(), Some("+46846500400"));
        assert_eq!(read("växeln"), None);
        assert_eq!(read("465 004 00"), None);
    }

    #[test]
    fn the_newest_boilerplate_is_of_the_language_asked_for() {
        let mut book = ContactBook::default();
        for (revision, language) in [(1, "sv"), (2, "en"), (3, "sv"), (4, "en-gb")] {
            let language: Language = language.parse().unwrap();
            let text = Boilerplate { organisation: "a".into(), name: "A".into(), revision, language, text: "x".into() };
            book.boilerplates.insert(("a".into(), revision), text);
        }
        let newest = |language: &str| book.newest_boilerplate("a", &language.parse().unwrap()).map(|b| b.revision);
        assert_eq!(
            (newest("sv"), newest("sv-fi"), newest("en"), newest("en-us")),
            (Some(3), Some(3), Some(2), Some(4))
        );
        assert_eq!(newest("de"), None);
    }
}
