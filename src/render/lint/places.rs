//! Rules about blocks that the author places in the body.

use std::collections::BTreeSet;

use super::{Finding, Subject};
use crate::model::release::attachment::Travel;
use crate::model::release::block::{Block, NoPlace, Place};
use crate::render::markdown::{parse, pictures_within};
use crate::render::nearest::nearest;
use crate::render::places::{Mark, marks, picture_places};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = subject.release.body.lines().collect();
    let (mut seen, mut line) = (BTreeSet::new(), 0);
    let blocks = parse(&subject.release.body, subject.context.reading);
    for (words, mark) in marks(&blocks) {
        let found = match mark {
            Mark::Place(Err(fault)) => Some(unknown(&fault)),
            Mark::Within => {
                let said = format!("[[{words}]] is not a paragraph of its own, and is shown as it is");
                let fix = "write it on one line, outside lists and quotes, with an empty line above and below";
                Some(Finding::error("place", said, fix))
            }
            Mark::Place(Ok(place)) if !seen.insert((place.block, place.part)) => {
                Some(Finding::error("place", format!("[[{words}]] is placed twice"), "remove one of them"))
            }
            Mark::Place(Ok(place)) => absent(subject, &place),
        };
        // Where it is written: marks come in the order of the text.
        let name = words.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let is_here = |text: &&str| text.split_once("[[").is_some_and(|(_, rest)| rest.trim_start().starts_with(name));
        line = lines.iter().skip(line).position(is_here).map_or(line, |at| line + at);
        let at = subject.positions.body.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
        findings.extend(found.map(|finding| finding.of("body").at(Some(at))));
        line += 1;
    }
    let said = |file: &str, fault: &str| format!("the picture {file} {fault}");
    for place in blocks.iter().flat_map(|block| picture_places(block, &subject.release.images)) {
        if !seen.insert((place.block, place.part)) {
            let image = place.part.and_then(|part| subject.release.images.get(part - 1)?.file.as_deref());
            let said = said(image.unwrap_or_default(), "is placed twice");
            findings.push(of_picture(subject, image, Finding::error("place", said, "remove one of them")));
        }
    }
    for picture in pictures_within(&blocks) {
        let said = said(&picture.file, "is not a paragraph of its own, and is not shown");
        let fix = "write it on a line of its own, outside lists and quotes, with an empty line above and below";
        findings.push(of_picture(subject, Some(&picture.file), Finding::error("place", said, fix)));
    }
}

/// A finding on the last line of the text that shows this file.
fn of_picture(subject: &Subject<'_>, file: Option<&str>, finding: Finding) -> Finding {
    let is_here = |line: &str| line.contains("![") && file.is_some_and(|file| line.contains(file));
    let line = subject.release.body.lines().collect::<Vec<_>>().into_iter().rposition(is_here).unwrap_or_default();
    let at = subject.positions.body.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
    finding.of("body").at(Some(at))
}

fn unknown(fault: &NoPlace) -> Finding {
    let known = Block::ALL.into_iter().filter(|block| *block != Block::Body).map(Block::word);
    match fault {
        NoPlace::Unknown(name) => {
            let fix = match nearest(name, known.clone()) {
                Some(near) => format!("did you mean [[{near}]]?"),
                None => format!("known blocks: {}", known.collect::<Vec<_>>().join(", ")),
            };
            Finding::error("place", format!("there is no block \u{201c}{name}\u{201d} to place"), fix)
        }
        NoPlace::Rest(rest) => {
            let said = format!("\u{201c}{rest}\u{201d} is neither the number of a part nor a heading of this block");
            Finding::error("place", said, "write [[quotes 2]] or [[programme \"Ur programmet\"]]")
        }
    }
}

/// A place for what the release does not have, or shows elsewhere.
fn absent(subject: &Subject<'_>, place: &Place) -> Option<Finding> {
    let (release, block) = (subject.release, place.block);
    if block == Block::Body {
        return Some(Finding::error("place", "the text cannot be placed within itself", "remove it"));
    }
    let parts = release.parts(block);
    if let Some(part) = place.part.filter(|part| *part == 0 || *part > parts) {
        let said = format!("there is no number {part} of {block}; there are {parts}");
        return Some(Finding::error("place", said, "parts are numbered from 1, in the order of the file"));
    }
    let has = match block {
        Block::Facts => release.event.is_some() || !release.facts.is_empty(),
        Block::Rsvp => release.has("event.rsvp") == Some(true),
        Block::Attachments => {
            let all = release.attachments.iter().enumerate();
            let mut here = all.filter(|(at, _)| place.part.is_none_or(|part| part == at + 1));
            here.any(|(_, file)| !release.is_shown_elsewhere(file, Travel::Link))
        }
        other => release.has(other.word()) == Some(true),
    };
    let said = format!("there is nothing to show at [[{block}]]");
    (!has).then(|| Finding::warning("place", said, "fill in the field, or remove the line"))
}
