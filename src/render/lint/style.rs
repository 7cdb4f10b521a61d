//! Rules about tone and about what stands in the text.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::{Finding, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    for (key, text) in [("headline", Some(&release.headline)), ("subject", release.subject.as_ref())] {
        if let Some(fault) = text.and_then(|text| shouting(text)) {
            let finding = Finding::warning("shouting", fault, "write it as a sentence; the mail says what kind it is");
            findings.push(subject.place(finding, key));
        }
    }
    body(subject, findings);
}

/// Why a line shouts: capitals throughout, a first word in capitals with a colon, exclamation marks in a row.
fn shouting(text: &str) -> Option<&'static str> {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let capitals = letters().filter(|c| c.is_uppercase()).count();
    if letters().count() >= 10 && capitals * 10 > letters().count() * 7 {
        return Some("it is written in capitals");
    }
    let label = text.split_once(':').map(|(label, _)| label.trim());
    let loud = |label: &str| label.chars().count() >= 6 && label.chars().all(|c| c.is_uppercase() || c == ' ');
    if label.is_some_and(loud) {
        return Some("it begins with a label in capitals");
    }
    text.contains("!!").then_some("it has several exclamation marks")
}

/// Images in the text need alt text; raw HTML does not travel.
fn body(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let text = &subject.release.body;
    let line_of = |at: usize| {
        let before = text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count();
        Some(subject.positions.body.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)))
    };
    let mut image: Option<(usize, bool)> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Image { .. }) => image = Some((range.start, false)),
            Event::End(TagEnd::Image) => {
                if let Some((at, false)) = image.take() {
                    let mend = "write ![what it shows](link)";
                    let finding = Finding::warning("alt-text", "an image in the text has no alt text", mend);
                    findings.push(finding.of("body").at(line_of(at)));
                }
            }
            Event::Text(words) => {
                if let Some((_, described)) = &mut image {
                    *described |= !words.trim().is_empty();
                }
            }
            Event::Html(_) | Event::InlineHtml(_) => {
                let said = "HTML in the text is not sent as HTML";
                let finding = Finding::warning("html", said, "write it in Markdown");
                findings.push(finding.of("body").at(line_of(range.start)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shouting;

    #[test]
    fn tells_shouting_from_abbreviations() {
        for loud in ["PRESSMEDDELANDE: nya siffror", "NYA SIFFROR FRÅN KARLSTAD", "Succé!!"] {
            assert!(shouting(loud).is_some(), "{loud}");
        }
        for calm in ["LO, TCO och SACO i nytt avtal", "VA: vatten och avlopp", "EU", "Pressinbjudan: riksmöte"] {
            assert_eq!(shouting(calm), None, "{calm}");
        }
    }
}
