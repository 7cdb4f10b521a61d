//! The blocks of a release: the parts besides its head that have a place in the mail. The kind's manifest orders
//! them; the author moves one by naming it alone on a paragraph of the body, `[[programme]]`.

use std::collections::BTreeMap;
use std::fmt;

use super::attachment::Travel;
use super::{Attachment, Release, names};

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Block {
    /// The labelled facts, or time and place of the event.
    Facts,
    /// How to register for the event.
    Rsvp,
    /// The line that welcomes media.
    MediaWelcome,
    /// The text.
    Body,
    /// The quotation that is shown large.
    PullQuote,
    /// The other quotations given as fields.
    Quotes,
    /// Who wrote it.
    Bylines,
    /// The programme.
    Programme,
    /// The presentations.
    Presentations,
    /// The stops of a series.
    Series,
    /// The attached files, and those to download.
    Attachments,
    /// The images.
    Images,
    /// The films.
    Videos,
    /// The groups of links.
    Links,
    /// The terms of use.
    UsageTerms,
    /// The note to editors.
    EditorNote,
    /// The contacts.
    Contacts,
    /// The texts about the issuers.
    Boilerplate,
}

impl Block {
    /// All of them, in the order of a kind that names none.
    pub(crate) const ALL: [Self; 18] = [
        Self::Facts,
        Self::Rsvp,
        Self::MediaWelcome,
        Self::Body,
        Self::PullQuote,
        Self::Quotes,
        Self::Bylines,
        Self::Programme,
        Self::Presentations,
        Self::Series,
        Self::Attachments,
        Self::Images,
        Self::Videos,
        Self::Links,
        Self::UsageTerms,
        Self::EditorNote,
        Self::Contacts,
        Self::Boilerplate,
    ];

    /// Its name in manifests, release files and templates: that of its field.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Rsvp => "rsvp",
            Self::MediaWelcome => "media_welcome",
            Self::Body => "body",
            Self::PullQuote => "pull_quote",
            Self::Quotes => "quotes",
            Self::Bylines => "bylines",
            Self::Programme => "programme",
            Self::Presentations => "presentations",
            Self::Series => "series",
            Self::Attachments => "attachments",
            Self::Images => "images",
            Self::Videos => "videos",
            Self::Links => "links",
            Self::UsageTerms => "usage_terms",
            Self::EditorNote => "editor_note",
            Self::Contacts => "contacts",
            Self::Boilerplate => "boilerplate",
        }
    }

    /// The block of this name, if there is one.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|block| block.word() == word)
    }

    /// The block that a text calls so, in English or Swedish: `[[programme]]`, `[[program]]`.
    fn of_name(name: &str) -> Option<Self> {
        names::english(name).find_map(Self::of_word)
    }

    /// Whether its parts can be placed one by one, by number: `[[quotes 2]]`.
    pub(crate) fn has_parts(self) -> bool {
        matches!(
            self,
            Self::Quotes
                | Self::Presentations
                | Self::Series
                | Self::Attachments
                | Self::Images
                | Self::Videos
                | Self::Links
                | Self::Contacts
                | Self::Boilerplate
        )
    }

    /// Whether the author can give it a heading, or leave out its own.
    pub(crate) fn has_heading(self) -> bool {
        self.has_parts() || matches!(self, Self::Facts | Self::Programme)
    }
}

impl Release {
    /// Number of parts that a block of this release has.
    pub(crate) fn parts(&self, block: Block) -> usize {
        match block {
            Block::Quotes => self.quotes.len(),
            Block::Presentations => self.presentations.len(),
            Block::Series => self.series.len(),
            Block::Attachments => self.attachments.len(),
            Block::Images => self.images.len(),
            Block::Videos => self.videos.len(),
            Block::Links => self.links.len(),
            Block::Contacts => self.contacts.len(),
            Block::Boilerplate => self.boilerplates.len(),
            _ => 0,
        }
    }

    /// Whether a presentation or a stop of a series shows this file, so that it is not listed among the attachments: with
    /// its name, and with its link if it does not travel in the mail. The link of the presentation itself would hide that
    /// of the file.
    pub(crate) fn is_shown_elsewhere(&self, attachment: &Attachment, travel: Travel) -> bool {
        let of_presentations = self.presentations.iter().map(|one| (&one.attachment, &one.url));
        let of_series = self.series.iter().map(|row| (&row.attachment, &row.url));
        of_presentations
            .chain(of_series)
            .any(|(file, url)| file.as_ref() == Some(&attachment.file) && (travel != Travel::Link || url.is_none()))
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Headings that the author gives to blocks; an empty one leaves the block's own out.
pub(crate) type Headings = BTreeMap<Block, String>;

/// A place in the body where a block is shown: a paragraph `[[programme]]`, `[[quotes 2]]` or
/// `[[contacts "För ytterligare information"]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The block.
    pub block: Block,
    /// Which of its parts, from 1; all that are placed nowhere else if absent.
    pub part: Option<usize>,
    /// Its heading here; empty for none.
    pub heading: Option<String>,
}

/// Why a paragraph in double brackets names no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// There is no block of this name.
    Unknown(String),
    /// What follows the name is neither a number nor a heading in quotation marks.
    Rest(String),
}

impl Place {
    /// Parses a paragraph; `None` unless all of it stands in double brackets.
    ///
    /// # Errors
    /// Within the `Some`: [`NoPlace`].
    pub(crate) fn parse(paragraph: &str) -> Option<Result<Self, NoPlace>> {
        let inside = paragraph.trim().strip_prefix("[[")?.strip_suffix("]]")?.trim();
        if inside.contains('\n') {
            return None;
        }
        Some(Self::of(inside))
    }

    fn of(inside: &str) -> Result<Self, NoPlace> {
        let end = inside.find(|c: char| c.is_whitespace() || is_quotation_mark(c)).unwrap_or(inside.len());
        let (name, mut rest) = (&inside[..end], inside[end..].trim());
        let block = Block::of_name(&name.to_lowercase()).ok_or_else(|| NoPlace::Unknown(name.to_owned()))?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let part = rest[..digits].parse().ok().filter(|_| block.has_parts());
        if part.is_some() {
            rest = rest[digits..].trim();
        }
        let heading = match rest {
            "" => None,
            _ => {
                let quoted = rest.strip_prefix(is_quotation_mark).and_then(|rest| rest.strip_suffix(is_quotation_mark));
                let heading = quoted.filter(|_| block.has_heading()).ok_or_else(|| NoPlace::Rest(rest.to_owned()))?;
                Some(heading.trim().to_owned())
            }
        };
        Ok(Self { block, part, heading })
    }
}

fn is_quotation_mark(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (Block, Option<usize>, Option<String>) {
        let place = Place::parse(text).unwrap().unwrap();
        (place.block, place.part, place.heading)
    }

    #[test]
    fn a_place_names_a_block_a_part_and_a_heading() {
        assert_eq!(place("[[programme]]"), (Block::Programme, None, None));
        assert_eq!(place(" [[ quotes 2 ]] "), (Block::Quotes, Some(2), None));
        assert_eq!(place("[[contacts \"Kontakt\"]]"), (Block::Contacts, None, Some("Kontakt".to_owned())));
        assert_eq!(place("[[boilerplate 2 ”Om oss”]]"), (Block::Boilerplate, Some(2), Some("Om oss".to_owned())));
        assert_eq!(place("[[boilerplate\"\"]]"), (Block::Boilerplate, None, Some(String::new())));
        assert_eq!(place("[[Program \"Ur programmet:\"]]").0, Block::Programme);
        assert_eq!(place("[[citat 2]]"), (Block::Quotes, Some(2), None));
        assert_eq!(place("[[anmälan]]"), (Block::Rsvp, None, None));
    }

    #[test]
    fn other_paragraphs_are_none_and_faults_are_named() {
        for text in ["programme", "[programme]", "[[a]] b", "[[a\nb]]"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        assert_eq!(Place::parse("[[talks]]"), Some(Err(NoPlace::Unknown("talks".to_owned()))));
        assert_eq!(Place::parse("[[programme 2]]"), Some(Err(NoPlace::Rest("2".to_owned()))));
        assert_eq!(Place::parse("[[quotes 2 Karin]]"), Some(Err(NoPlace::Rest("Karin".to_owned()))));
        assert_eq!(Place::parse("[[rsvp \"Anmälan\"]]"), Some(Err(NoPlace::Rest("\"Anmälan\"".to_owned()))));
    }
}
