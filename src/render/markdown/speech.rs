//! Direct speech: a quote that names its speaker on the last line or within a sentence, and paragraphs that begin
//! with a hyphen, which Markdown takes for a list.

use super::inlines::text_of;
use super::{Block, Inline, Reading};
use crate::model::release::quote::{Speaker, after_dash, split_attribution};

/// Whether a text names its speaker: a verb of saying after a comma or the end of speech ("Vi är glada, säger Karin
/// Ek.").
pub(crate) fn names_speaker(text: &str, verbs: &[String]) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(3).any(|three| {
        let ends_speech = three[0].ends_with([',', '?', '!', '”', '"', '’', '»', '–', '—', '…']);
        ends_speech && verbs.iter().any(|verb| verb == three[1])
    })
}

/// Whether a list is really speech: its marks are hyphens, each item is one paragraph of whole sentences, and the
/// first one or at least half of them name the speaker.
pub(crate) fn list_is_speech(marks_are_hyphens: bool, items: &[String], verbs: &[String]) -> bool {
    let whole =
        |text: &String| text.trim_end().ends_with(['.', '!', '?', '…', '”', '"', ':']) || names_speaker(text, verbs);
    let named: Vec<bool> = items.iter().map(|text| names_speaker(text, verbs)).collect();
    let count = named.iter().filter(|named| **named).count();
    marks_are_hyphens && items.iter().all(whole) && (named.first() == Some(&true) || count * 2 >= items.len().max(1))
}

/// Converts a list that is speech into paragraphs; returns the items if it is a list.
pub(super) fn as_speech(
    marks_are_hyphens: bool,
    items: Vec<Vec<Block>>,
    reading: &Reading,
) -> Result<Vec<Block>, Vec<Vec<Block>>> {
    if reading.dash.is_empty() || !marks_are_hyphens {
        return Err(items);
    }
    let text = |item: &Vec<Block>| match item.as_slice() {
        [Block::Paragraph(inlines)] => Some(text_of(inlines)),
        _ => None,
    };
    let Some(texts) = items.iter().map(text).collect::<Option<Vec<String>>>() else { return Err(items) };
    if !list_is_speech(true, &texts, &reading.verbs) {
        return Err(items);
    }
    let mut blocks: Vec<Block> = items.into_iter().flatten().collect();
    blocks.iter_mut().for_each(|block| begin_with_dash(block, reading, true));
    Ok(blocks)
}

/// Puts the language's dash before a paragraph of speech: in place of hyphens before the first word, and with
/// `always` also without hyphens.
pub(super) fn begin_with_dash(block: &mut Block, reading: &Reading, always: bool) {
    let Block::Paragraph(inlines) = block else { return };
    let speaks = names_speaker(&text_of(inlines), &reading.verbs);
    let Some(Inline::Text(first)) = inlines.first_mut() else {
        if always {
            inlines.insert(0, Inline::Text(reading.dash.clone()));
        }
        return;
    };
    let words = first.trim_start_matches('-').trim_start();
    let hyphens = first.starts_with('-') && words.starts_with(|c: char| c.is_alphabetic() || "”\"’".contains(c));
    let marked = first.starts_with(['–', '—', '”', '"', '“', '»', '«']);
    let is_speech = if hyphens { always || speaks } else { always && !marked };
    if is_speech {
        *first = format!("{}{words}", reading.dash);
    }
}

/// Builds a block quote from its content.
pub(super) fn quote(mut blocks: Vec<Block>, reading: &Reading) -> Block {
    if let Some(speaker) = take_speaker(&mut blocks, reading) {
        blocks.iter_mut().for_each(without_hyphens);
        return Block::Quote { blocks, speaker: Some(speaker) };
    }
    let says = |block: &Block| match block {
        Block::Paragraph(inlines) => {
            let text = text_of(inlines);
            names_speaker(&text, &reading.verbs) || after_dash(&text).is_some()
        }
        _ => false,
    };
    if !reading.dash.is_empty()
        && blocks.iter().all(|block| matches!(block, Block::Paragraph(_)))
        && blocks.iter().any(says)
    {
        return Block::Speech(blocks);
    }
    Block::Quote { blocks, speaker: None }
}

/// Removes hyphens from the beginning of speech: the language's own marks are put there.
fn without_hyphens(block: &mut Block) {
    if let Block::Paragraph(inlines) = block
        && let Some(Inline::Text(first)) = inlines.first_mut()
    {
        let words = first.trim_start_matches('-').trim_start();
        if first.starts_with('-') && words.starts_with(|c: char| c.is_alphabetic()) {
            *first = words.to_owned();
        }
    }
}

/// Removes the line that names the speaker from the end of a block quote.
fn take_speaker(blocks: &mut Vec<Block>, reading: &Reading) -> Option<Speaker> {
    let Some(Block::Paragraph(inlines)) = blocks.last_mut() else { return None };
    let line = inlines.iter().rposition(|i| matches!(i, Inline::SoftBreak | Inline::HardBreak));
    let speaker = split_attribution(&text_of(&inlines[line.map_or(0, |at| at + 1)..]), &reading.verbs)?;
    match line {
        Some(at) => inlines.truncate(at),
        // A quote that contains only its speaker is not a quote with a speaker.
        None if blocks.len() == 1 => return None,
        None => {
            blocks.pop();
        }
    }
    // A hyphen before a line of speech makes it a list for Markdown: it was meant as the dash of a quote.
    let spoken = std::mem::take(blocks).into_iter().flat_map(|block| match block {
        Block::List { first: None, items } => items.into_iter().flatten().collect(),
        other => vec![other],
    });
    blocks.extend(spoken);
    Some(speaker)
}
