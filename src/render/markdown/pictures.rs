//! Pictures in a text: `![what it shows](file "caption")`, from files beside the release.

use super::{Block, Inline};

/// A picture in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// The file's path relative to the release file, as written.
    pub file: String,
    /// What it shows.
    pub alt: Option<String>,
    /// Its caption.
    pub caption: Option<String>,
}

impl Picture {
    /// The words that stand for it where it cannot be shown.
    pub(crate) fn words(&self) -> String {
        format!("[{}]", self.alt.as_deref().unwrap_or(&self.file))
    }
}

/// The pictures that a paragraph consists of; empty if it has anything else in it.
pub(crate) fn pictures_of(block: &Block) -> Vec<&Picture> {
    let Block::Paragraph(inlines) = block else { return Vec::new() };
    let mut pictures = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Picture(picture) => pictures.push(picture),
            Inline::SoftBreak | Inline::HardBreak => {}
            Inline::Text(text) if text.trim().is_empty() => {}
            _ => return Vec::new(),
        }
    }
    pictures
}

/// The pictures of a text that are no paragraph of their own: they are not shown.
pub(crate) fn pictures_within(blocks: &[Block]) -> Vec<&Picture> {
    let mut found = Vec::new();
    for block in blocks {
        if pictures_of(block).is_empty() {
            within(block, &mut found);
        }
    }
    found
}

fn within<'a>(block: &'a Block, found: &mut Vec<&'a Picture>) {
    match block {
        Block::Paragraph(inlines) | Block::Heading(_, inlines) => in_line(inlines, found),
        Block::List { items, .. } => items.iter().flatten().for_each(|block| within(block, found)),
        Block::Quote { blocks, .. } | Block::Speech(blocks) => blocks.iter().for_each(|block| within(block, found)),
        Block::Table(table) => {
            table.head.iter().chain(table.rows.iter().flatten()).for_each(|cell| in_line(cell, found));
        }
        Block::Code(_) | Block::Rule => {}
    }
}

fn in_line<'a>(inlines: &'a [Inline], found: &mut Vec<&'a Picture>) {
    for inline in inlines {
        match inline {
            Inline::Picture(picture) => found.push(picture),
            Inline::Strong(more)
            | Inline::Emphasis(more)
            | Inline::Struck(more)
            | Inline::Link(_, more)
            | Inline::Image(_, more) => in_line(more, found),
            Inline::Text(_) | Inline::Html(_) | Inline::Code(_) | Inline::SoftBreak | Inline::HardBreak => {}
        }
    }
}
