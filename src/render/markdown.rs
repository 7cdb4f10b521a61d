//! Parses Markdown into blocks, from which both the text part and the HTML part are written.

use std::borrow::Cow;

use pulldown_cmark::{Options, Parser};

use crate::model::release::quote::Speaker;

use super::links;
use super::typography::Typography;

mod inlines;
mod pictures;
mod reader;
mod speech;

pub(crate) use inlines::{plain_inlines, text_of};
pub(crate) use pictures::{Picture, pictures_of, pictures_within};
pub(crate) use reader::is_html;
pub(crate) use speech::{list_is_speech, names_speaker};

/// A block of running text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// A heading below the headline: 2 to 6.
    Heading(u8, Vec<Inline>),
    /// A list.
    List {
        /// The first number of an ordered list.
        first: Option<u64>,
        /// Its items.
        items: Vec<Vec<Block>>,
    },
    /// A block quote; with a speaker if its last line names one.
    Quote {
        /// The quoted blocks.
        blocks: Vec<Block>,
        /// Its speaker.
        speaker: Option<Speaker>,
    },
    /// Direct speech that names its speaker: each paragraph except names (one strong text) is marked as speech.
    Speech(Vec<Block>),
    /// A table.
    Table(Table),
    /// Preformatted text.
    Code(String),
    /// A horizontal rule.
    Rule,
}

/// A table with a row of headings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// For each column, whether its cells are right-aligned.
    pub right: Vec<bool>,
    /// The headings of the columns.
    pub head: Vec<Vec<Inline>>,
    /// Rows, all of the same length.
    pub rows: Vec<Vec<Vec<Inline>>>,
}

impl Block {
    /// Whether it only names a speaker: one strong text, within [`Block::Speech`].
    pub(crate) fn is_name(&self) -> bool {
        matches!(self, Self::Paragraph(inlines) if matches!(inlines.as_slice(), [Inline::Strong(_)]))
    }
}

/// An inline element.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Inline {
    /// Literal text.
    Text(String),
    /// Raw HTML from the author; it goes through the sanitiser, and never into plain text.
    Html(String),
    /// Code.
    Code(String),
    /// Strong.
    Strong(Vec<Inline>),
    /// Emphasis.
    Emphasis(Vec<Inline>),
    /// Struck-through text.
    Struck(Vec<Inline>),
    /// A link that works in a mail (see [`links::target`]).
    Link(String, Vec<Inline>),
    /// An image elsewhere: its link and its alternative text.
    Image(String, Vec<Inline>),
    /// A picture from a file beside the release.
    Picture(Picture),
    /// A line end in the source.
    SoftBreak,
    /// A line end that the author wants kept.
    HardBreak,
}

/// How a text is parsed. The default is plain CommonMark, as for mails of our own that contain strangers' text: no
/// bare address there becomes a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// For releases: tables, footnotes, bare addresses as links, speech as paragraphs.
    pub of_releases: bool,
    /// The mark that begins speech in the language, e.g. `– `; empty where quotation marks are used.
    pub dash: String,
    /// Verbs of saying.
    pub verbs: Vec<String>,
    /// Text that stays on one line.
    pub typography: Typography,
}

/// The Markdown extensions allowed in a release.
pub(crate) fn release_options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_SUPERSCRIPT
        | Options::ENABLE_SUBSCRIPT
}

/// Parses Markdown. A heading of the first level becomes one of the second, and so on: the headline is the only
/// first-level heading.
pub(crate) fn parse(markdown: &str, reading: &Reading) -> Vec<Block> {
    let options = if reading.of_releases { release_options() } else { Options::empty() };
    let source = if reading.of_releases { links::with_spaces(markdown) } else { Cow::Borrowed(markdown) };
    reader::read(&source, Parser::new_ext(&source, options), reading)
}

/// Parses a text that should be one paragraph, e.g. the lead, into inlines. Other blocks become lines of it.
pub(crate) fn parse_inline(markdown: &str, reading: &Reading) -> Vec<Inline> {
    let mut inlines = Vec::new();
    parse(markdown, reading).into_iter().for_each(|block| push_lines(&mut inlines, block));
    inlines
}

fn push_lines(into: &mut Vec<Inline>, block: Block) {
    match block {
        Block::Paragraph(more) | Block::Heading(_, more) => push_line(into, more),
        Block::List { first, items } => {
            for (number, item) in (first.unwrap_or(0)..).zip(items) {
                let mark = first.map_or_else(|| "• ".to_owned(), |_| format!("{number}. "));
                let mut lines = Vec::new();
                item.into_iter().for_each(|block| push_lines(&mut lines, block));
                lines.insert(0, Inline::Text(mark));
                push_line(into, lines);
            }
        }
        Block::Quote { blocks, speaker } => {
            blocks.into_iter().for_each(|block| push_lines(into, block));
            if let Some(speaker) = speaker {
                push_line(into, vec![Inline::Text(speaker.line())]);
            }
        }
        Block::Speech(blocks) => blocks.into_iter().for_each(|block| push_lines(into, block)),
        Block::Table(table) => {
            for row in std::iter::once(table.head).chain(table.rows) {
                push_line(into, row.join(&Inline::Text(" | ".to_owned())));
            }
        }
        Block::Code(text) => text.lines().for_each(|line| push_line(into, vec![Inline::Text(line.to_owned())])),
        Block::Rule => {}
    }
}

fn push_line(into: &mut Vec<Inline>, line: Vec<Inline>) {
    if !into.is_empty() {
        into.push(Inline::HardBreak);
    }
    into.extend(line);
}

#[cfg(test)]
mod tests;
