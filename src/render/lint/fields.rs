//! Rules about required fields, and about references between fields.

use super::{Finding, Subject};
use crate::model::release::{Attachment, Release};
use crate::render::nearest::nearest;
use crate::render::source::Draft;

pub(super) fn check(subject: &Subject<'_>, draft: &Draft, findings: &mut Vec<Finding>) {
    match subject.context.manifest {
        None => findings.push(unknown_kind(subject)),
        Some(manifest) => {
            for missing in manifest.missing(subject.release) {
                // A boilerplate that the book does not have was reported already.
                if missing != ["boilerplate"] || draft.boilerplates.is_empty() {
                    findings.push(required(subject, &missing));
                }
            }
            for (field, least, count) in manifest.too_few(subject.release).into_iter().filter(|(.., count)| *count > 0)
            {
                let said = format!("this kind needs at least {least} entries in {field}; the release has {count}");
                let finding = Finding::error("required", said, "add the others, or choose another kind");
                findings.push(subject.place(finding, field));
            }
            if let Some(kinds) = manifest.unrelated(subject.release) {
                let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                let said =
                    format!("this kind needs a relation to the release that it is about: {}", words.join(" or "));
                let fix = format!(
                    "write [[relations]], kind = \"{}\" and to = \"r12\", the number of that release",
                    words[0]
                );
                findings.push(subject.place(Finding::error("required", said, fix), "relations"));
            }
            let length = subject.release.headline.chars().count();
            if length > manifest.max_headline {
                let said = format!(
                    "the headline has {length} characters, but only {} are certain to be shown",
                    manifest.max_headline
                );
                let finding = Finding::warning("headline-length", said, "shorten it, or give a shorter subject");
                if subject.release.subject.is_none() {
                    findings.push(subject.place(finding, "headline"));
                }
            }
            subject_length(subject, manifest.max_headline, findings);
        }
    }
    if subject.release.issuers.is_empty() {
        let finding = Finding::error("required", "the release has no issuer", "write issuers = [\"Exempelförbundet\"]");
        findings.push(finding.of("issuers").at(Some(1)));
    }
    references(subject, findings);
}

fn subject_length(subject: &Subject<'_>, most: usize, findings: &mut Vec<Finding>) {
    let Some(text) = &subject.release.subject else { return };
    let length = text.chars().count();
    if length > most {
        let said = format!("the subject has {length} characters, but only {most} are certain to be shown");
        findings.push(subject.place(Finding::warning("headline-length", said, "shorten it"), "subject"));
    }
}

fn unknown_kind(subject: &Subject<'_>) -> Finding {
    let kind = subject.release.kind.as_str();
    let known = subject.context.kinds.iter().copied();
    let fix = match nearest(kind, known.clone()) {
        Some(near) => format!("did you mean \u{201c}{near}\u{201d}?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    let said = format!("there are no templates for the kind \u{201c}{kind}\u{201d}");
    subject.place(Finding::error("kind", said, fix), "kind")
}

fn required(subject: &Subject<'_>, missing: &[&str]) -> Finding {
    let kind = subject.release.kind.as_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let names: Vec<&str> = missing.iter().copied().map(file_field).collect();
    let said = match names.as_slice() {
        [field] => format!("{article} {kind} needs {field}"),
        _ => format!("{article} {kind} needs one of {}", names.join(", ")),
    };
    let fix = missing.iter().copied().map(example).collect::<Vec<_>>().join(", or ");
    let key = names.first().copied().unwrap_or_default().to_owned();
    Finding::error("required", said, fix).of(key).at(Some(1))
}

/// The name of a field in release files.
fn file_field(field: &str) -> &str {
    match field {
        "attachments_or_links" => "an attachment or a link",
        "body" => "a text after the closing +++",
        other => other,
    }
}

fn example(field: &str) -> String {
    match field {
        "event" | "event.start" => "write [event] with start = 2026-11-26T09:30:00".to_owned(),
        "event.place" => "give [event] a venue, street, city or stream".to_owned(),
        "event.rsvp" => "write [event.rsvp] with to = \"press@example.org\"".to_owned(),
        "media_welcome" => "write media_welcome = \"Media hälsas välkomna.\"".to_owned(),
        "boilerplate" => "write boilerplate = with the organisation's id".to_owned(),
        "attachments_or_links" => "write [[attachments]] with file, or [[links]] with title and url".to_owned(),
        "relations" => "write [[relations]] with kind and to".to_owned(),
        "body" => "write the text in Markdown".to_owned(),
        "attachments" | "facts" | "images" | "links" | "presentations" | "programme" | "quotes" | "series"
        | "videos" => {
            format!("write [[{field}]]")
        }
        other => format!("write {other} = …"),
    }
}

/// Files that presentations and series rows refer to must be among the attachments.
fn references(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release: &Release = subject.release;
    let presentations = release.presentations.iter().map(|p| p.attachment.as_deref()).enumerate();
    let series = release.series.iter().map(|row| row.attachment.as_deref()).enumerate();
    let named = presentations
        .map(|(index, file)| (format!("presentations[{index}].attachment"), file))
        .chain(series.map(|(index, file)| (format!("series[{index}].attachment"), file)));
    for (key, file) in named {
        let Some(file) = file else { continue };
        let known = || release.attachments.iter().map(|a: &Attachment| a.file.as_str());
        if known().any(|name| name == file) {
            continue;
        }
        let fix = match nearest(file, known()) {
            Some(near) => format!("did you mean \u{201c}{near}\u{201d}?"),
            None => "add it under [[attachments]]".to_owned(),
        };
        let said = format!("\u{201c}{file}\u{201d} is not among the attachments");
        findings.push(subject.place(Finding::error("unknown-reference", said, fix), key));
    }
}
