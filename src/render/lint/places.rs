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
            Mark::Place(Err(fault)) => Some(unknown(subject, &fault)),
            Mark::Within => Some(error(subject, "within", &[("name", &words)])),
            Mark::Place(Ok(place)) if !seen.insert((place.block, place.part)) => {
                Some(error(subject, "twice", &[("name", &words)]))
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
    for place in blocks.iter().flat_map(|block| picture_places(block, &subject.release.images)) {
        if !seen.insert((place.block, place.part)) {
            let image = place.part.and_then(|part| subject.release.images.get(part - 1)?.file.as_deref());
            let twice = error(subject, "picture-twice", &[("file", image.unwrap_or_default())]);
            findings.push(of_picture(subject, image, twice));
        }
    }
    for picture in pictures_within(&blocks) {
        let within = error(subject, "picture-within", &[("file", &picture.file)]);
        findings.push(of_picture(subject, Some(&picture.file), within));
    }
}

/// A finding on the last line of the text that shows this file.
fn of_picture(subject: &Subject<'_>, file: Option<&str>, finding: Finding) -> Finding {
    let is_here = |line: &str| line.contains("![") && file.is_some_and(|file| line.contains(file));
    let line = subject.release.body.lines().collect::<Vec<_>>().into_iter().rposition(is_here).unwrap_or_default();
    let at = subject.positions.body.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
    finding.of("body").at(Some(at))
}

fn error(subject: &Subject<'_>, text: &str, values: &[(&str, &str)]) -> Finding {
    subject.error(("place", text), "body", values)
}

fn unknown(subject: &Subject<'_>, fault: &NoPlace) -> Finding {
    let blocks = Block::ALL.into_iter().filter(|block| *block != Block::Body);
    let known: Vec<&str> = blocks.map(|block| subject.shown(block.word())).collect();
    match fault {
        NoPlace::Unknown(name) => match nearest(name, known.iter().copied()) {
            Some(near) => error(subject, "near", &[("name", name), ("hint", near)]),
            None => error(subject, "none-near", &[("name", name), ("hint", &known.join(", "))]),
        },
        NoPlace::Rest(rest) => error(subject, "rest", &[("rest", rest)]),
    }
}

/// A place for what the release does not have, or shows elsewhere.
fn absent(subject: &Subject<'_>, place: &Place) -> Option<Finding> {
    let (release, block) = (subject.release, place.block);
    let name = subject.shown(block.word());
    if block == Block::Body {
        return Some(error(subject, "body", &[]));
    }
    let parts = release.parts(block);
    if let Some(part) = place.part.filter(|part| *part == 0 || *part > parts) {
        let values = [("number", part.to_string()), ("name", name.to_owned()), ("count", parts.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        return Some(error(subject, "number", &values));
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
    (!has).then(|| subject.warning(("place", "nothing"), "body", &[("name", name)]))
}
