//! Rules about blocks that the author places in the body.

use std::collections::BTreeSet;

use super::{Finding, Subject};
use crate::model::release::block::{Block, NoPlace, Place};
use crate::render::nearest::nearest;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = subject.release.body.lines().collect();
    let mut seen = BTreeSet::new();
    let mut fenced = false;
    for (at, line) in lines.iter().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        // Code shows what it says.
        if fenced || line.starts_with("    ") {
            continue;
        }
        let Some(place) = Place::parse(line) else { continue };
        let blank = |at: Option<usize>| at.and_then(|at| lines.get(at)).is_none_or(|line| line.trim().is_empty());
        let found = match place {
            Err(fault) => Some(unknown(&fault)),
            Ok(_) if !blank(at.checked_sub(1)) || !blank(at.checked_add(1)) => {
                let said = format!("{} stands within a paragraph, and is shown as it is", line.trim());
                Some(Finding::error("place", said, "put an empty line above and below it"))
            }
            Ok(place) if !seen.insert((place.block, place.part)) => {
                let said = format!("{} is placed twice", line.trim());
                Some(Finding::error("place", said, "remove one of them"))
            }
            Ok(place) => absent(subject, &place),
        };
        let line = subject.positions.body.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        findings.extend(found.map(|finding| finding.of("body").at(Some(line))));
    }
}

fn unknown(fault: &NoPlace) -> Finding {
    let known = Block::ALL.into_iter().filter(|block| *block != Block::Body).map(Block::word);
    match fault {
        NoPlace::Unknown(name) => {
            let fix = match nearest(name, known.clone()) {
                Some(near) => format!("did you mean [[{near}]]?"),
                None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
            };
            Finding::error("place", format!("there is no block \u{201c}{name}\u{201d} to place"), fix)
        }
        NoPlace::Rest(rest) => {
            let said = format!("\u{201c}{rest}\u{201d} is neither the number of a part nor a heading of this block");
            Finding::error("place", said, "write [[quotes 2]] or [[programme \"Ur programmet\"]]")
        }
    }
}

/// A place for what the release does not have.
fn absent(subject: &Subject<'_>, place: &Place) -> Option<Finding> {
    let (release, block) = (subject.release, place.block);
    if block == Block::Body {
        return Some(Finding::error("place", "the text cannot be placed within itself", "remove it"));
    }
    let parts = release.parts(block);
    if let Some(part) = place.part.filter(|part| *part == 0 || *part > parts) {
        let said = format!("there is no number {part} of {block}; there are {parts}");
        return Some(Finding::error("place", said, "count them in their order above, from 1"));
    }
    let has = match block {
        Block::Facts => release.event.is_some() || !release.facts.is_empty(),
        Block::Rsvp => release.has("event.rsvp") == Some(true),
        other => release.has(other.word()) == Some(true),
    };
    let said = format!("there is nothing to show at [[{block}]]");
    (!has).then(|| Finding::warning("place", said, "fill in the field, or remove the line"))
}
