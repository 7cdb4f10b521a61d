//! Where the author places blocks in a text: the one reading of `[[programme]]`, for the mail and for `release check`.

use crate::model::release::Image;
use crate::model::release::block::{Block as Placed, NoPlace, Place};

use super::markdown::{Block, Inline, pictures_of, text_of};

/// What double brackets in a text are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A paragraph of their own: a block is shown there, or its name is wrong.
    Place(Result<Place, NoPlace>),
    /// They look like a place, but stand within a paragraph, a list or a quote, and are shown as they are.
    Within,
}

/// The place that a block of the text's first level is, if it is one.
pub(super) fn place_of(block: &Block) -> Option<Place> {
    match mark_of(block)?.1 {
        Mark::Place(place) => place.ok(),
        Mark::Within => None,
    }
}

/// The places of the images that a paragraph of pictures shows.
pub(super) fn picture_places(block: &Block, images: &[Image]) -> Vec<Place> {
    let position = |file: &str| images.iter().position(|image| image.file.as_deref() == Some(file));
    let place = |at: usize| Place { block: Placed::Images, part: Some(at + 1), heading: None };
    pictures_of(block).into_iter().filter_map(|picture| position(&picture.file)).map(place).collect()
}

/// All marks in a text, in order, each with its words in the brackets.
pub(super) fn marks(blocks: &[Block]) -> Vec<(String, Mark)> {
    let mut found = Vec::new();
    for block in blocks {
        match mark_of(block) {
            Some(mark) => found.push(mark),
            None => within(block, &mut found),
        }
    }
    found
}

fn mark_of(block: &Block) -> Option<(String, Mark)> {
    let Block::Paragraph(inlines) = block else { return None };
    let is_line = !inlines.iter().any(|inline| matches!(inline, Inline::SoftBreak | Inline::HardBreak));
    let text = text_of(inlines);
    let place = Place::parse(&text).filter(|_| is_line)?;
    Some((inside(&text), Mark::Place(place)))
}

/// The marks of blocks that can hold no place.
fn within(block: &Block, found: &mut Vec<(String, Mark)>) {
    match block {
        Block::Paragraph(inlines) => {
            let lines = inlines.split(|inline| matches!(inline, Inline::SoftBreak | Inline::HardBreak));
            let mut texts: Vec<String> = lines.map(text_of).collect();
            // A mark must be on one line.
            texts.push(text_of(inlines));
            let marks: Vec<String> = texts.into_iter().filter(|text| Place::parse(text).is_some()).collect();
            found.extend(marks.iter().take(1).map(|text| (inside(text), Mark::Within)));
        }
        Block::List { items, .. } => items.iter().flatten().for_each(|block| within(block, found)),
        Block::Quote { blocks, .. } | Block::Speech(blocks) => blocks.iter().for_each(|block| within(block, found)),
        Block::Heading(..) | Block::Table(_) | Block::Code(_) | Block::Rule => {}
    }
}

fn inside(text: &str) -> String {
    text.trim().trim_start_matches('[').trim_end_matches(']').trim().to_owned()
}
