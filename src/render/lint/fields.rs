//! Rules about required fields, and about references between fields.

use super::{Finding, Subject};
use crate::model::release::names::{self, AuthorLanguage};
use crate::model::release::{Attachment, Invite, Release};
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
                let values = [("least", least.to_string()), ("count", count.to_string())];
                let [least, count] = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                let values = [least, count, ("field", subject.shown(field))];
                findings.push(subject.error(("required", "too-few"), field, &values));
            }
            if let Some(kinds) = manifest.unrelated(subject.release) {
                let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                let values = [("kinds", words.join(", ")), ("kind", words[0].to_owned())];
                let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                findings.push(subject.error(("required", "relation"), "relations", &values));
            }
            lengths(subject, manifest.max_headline, findings);
        }
    }
    if subject.release.issuers.is_empty() {
        findings.push(subject.error(("required", "no-issuer"), "issuers", &[]).at(Some(1)));
    }
    let event = subject.release.event.as_ref();
    if event.is_some_and(|event| event.invite == Some(Invite::Request) && event.rsvp.is_none()) {
        findings.push(subject.error(("invite", "no-rsvp"), "event.invite", &[]));
    }
    references(subject, findings);
}

fn lengths(subject: &Subject<'_>, most: usize, findings: &mut Vec<Finding>) {
    // A subject of its own is shown instead of the headline.
    let (field, text) = match &subject.release.subject {
        Some(text) => ("subject", text),
        None => ("headline", &subject.release.headline),
    };
    let length = text.chars().count();
    if length > most {
        let values = [("length", length.to_string()), ("most", most.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        findings.push(subject.warning(("headline-length", field), field, &values));
    }
}

fn unknown_kind(subject: &Subject<'_>) -> Finding {
    let kind = subject.release.kind.as_str();
    let known = subject.context.kinds.iter().map(String::as_str);
    match nearest(kind, known.clone()) {
        Some(near) => subject.error(("kind", "near"), "kind", &[("kind", kind), ("hint", near)]),
        None => {
            let known = known.collect::<Vec<_>>().join(", ");
            subject.error(("kind", "none-near"), "kind", &[("kind", kind), ("hint", &known)])
        }
    }
}

fn required(subject: &Subject<'_>, missing: &[&str]) -> Finding {
    let language = subject.language();
    let kind = match language {
        AuthorLanguage::English => {
            let kind = subject.release.kind.as_str();
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("{article} {kind}")
        }
        AuthorLanguage::Swedish => {
            let title = subject.context.manifest.and_then(|manifest| manifest.title.get("sv"));
            let title = title.map_or_else(|| subject.release.kind.to_string(), |title| title.to_lowercase());
            format!("typen {title}")
        }
    };
    let names: Vec<String> = missing.iter().map(|field| file_field(field, language)).collect();
    let text = if names.len() == 1 { "field" } else { "one-of" };
    let or = language.pick(", or ", ", eller ");
    let fix = missing.iter().map(|field| example(field, language)).collect::<Vec<_>>().join(or);
    let values = [("kind", kind.as_str()), ("fields", &names.join(", ")), ("fix", &fix)];
    let key = match missing.first().copied().unwrap_or_default() {
        "attachments_or_links" => "attachments",
        other => other,
    };
    subject.error(("required", text), key, &values).at(Some(1))
}

/// The name of a field in release files.
fn file_field(field: &str, language: AuthorLanguage) -> String {
    match field {
        "attachments_or_links" => language.pick("an attachment or a link", "en bilaga eller en länk").to_owned(),
        "body" => language.pick("a text after the closing +++", "en text efter det sista +++").to_owned(),
        other => names::shown_path(other, language),
    }
}

fn example(field: &str, language: AuthorLanguage) -> String {
    let both = match field {
        "event" | "event.start" => {
            ("write [event] with start = 2026-11-26T09:30:00", "skriv [evenemang] med start = 2026-11-26T09:30:00")
        }
        "event.place" => {
            ("give [event] a venue, street, city or stream", "ge [evenemang] en lokal, gata, ort eller direktsändning")
        }
        "event.rsvp" => (
            "write [event.rsvp] with to = \"press@example.org\"",
            "skriv [evenemang.anmälan] med till = \"press@example.org\"",
        ),
        "media_welcome" => {
            ("write media_welcome = \"Media hälsas välkomna.\"", "skriv media_välkomnas = \"Media hälsas välkomna.\"")
        }
        "boilerplate" => ("write boilerplate = with the organisation's id", "skriv om_oss = med organisationens id"),
        "attachments_or_links" => (
            "write [[attachments]] with file, or [[links]] with title and url",
            "skriv [[bilagor]] med fil, eller [[länkar]] med titel och länk",
        ),
        "relations" => ("write [[relations]] with kind and to", "skriv [[relationer]] med typ och till"),
        "body" => ("write the text in Markdown", "skriv texten i Markdown"),
        "attachments" | "facts" | "images" | "links" | "presentations" | "programme" | "quotes" | "series"
        | "videos" => {
            return format!("{} [[{}]]", language.pick("write", "skriv"), names::shown(field, language));
        }
        other => {
            return format!("{} {} = …", language.pick("write", "skriv"), names::shown_path(other, language));
        }
    };
    language.pick(both.0, both.1).to_owned()
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
        let near = nearest(file, known());
        let text = if near.is_some() { "file-near" } else { "file" };
        let values = [("id", file), ("hint", near.unwrap_or_default())];
        findings.push(subject.error(("unknown-reference", text), key, &values));
    }
}
