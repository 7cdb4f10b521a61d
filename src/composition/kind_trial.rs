//! Tries a kind of release with two sample releases: one that has every field, and one that has only what the kind
//! requires. So a value that a template prints without testing it is found before a release lacks it.

use crate::model::contact::ContactBook;
use crate::model::release::presence::FIELDS;
use crate::model::release::{Kind, Release};
use crate::render::source::{SourceSettings, parse};
use crate::render::template_files::TemplateError;

use super::content::Content;

/// The release that has every field.
const SAMPLE: &str = include_str!("kind_trial.md");

/// What is wrong with the templates of a kind, each with file and line; the second error is only tried for if the first
/// sample can be rendered.
///
/// # Errors
/// [`TemplateError`].
pub(crate) fn try_kind(content: &Content, kind: &Kind) -> Result<(), TemplateError> {
    let Some(mut release) = sample() else { return Err(TemplateError::of(kind.as_str(), "the sample is damaged")) };
    release.kind = kind.clone();
    content.try_rendering(&release)?;
    let needed: Vec<String> = content
        .templates
        .manifest(kind)
        .into_iter()
        .flat_map(|manifest| manifest.fields())
        .map(str::to_owned)
        .collect();
    content.try_rendering(&with_only(release, &needed))
}

fn sample() -> Option<Release> {
    parse(SAMPLE, &SourceSettings::default()).draft?.resolve(&ContactBook::default()).ok()
}

/// The release without all fields that no name in `needed` requires.
fn with_only(mut release: Release, needed: &[String]) -> Release {
    let is_needed = |field: &str| {
        let material =
            ["attachments", "links"].contains(&field) && needed.iter().any(|need| need == "attachments_or_links");
        material || needed.iter().any(|need| need == field || need.split('.').next() == Some(field))
    };
    // Facts go first: an event is shown in their place.
    let order = ["facts"].into_iter().chain(FIELDS.into_iter().filter(|field| *field != "facts"));
    for field in order.filter(|field| !is_needed(field)) {
        release = release.without(field).unwrap_or(release);
    }
    release
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_field_and_every_shipped_kind_renders_it() {
        let release = sample().unwrap();
        let absent: Vec<&str> = FIELDS.into_iter().filter(|field| release.has(field) != Some(true)).collect();
        assert_eq!(absent, [""; 0]);
        let content = Content::built_in().unwrap();
        for (kind, _) in content.templates.kinds() {
            assert_eq!(try_kind(&content, kind), Ok(()), "{kind}");
        }
    }

    #[test]
    fn only_what_is_needed_is_left() {
        let less = with_only(sample().unwrap(), &["lead".to_owned(), "event.start".to_owned()]);
        assert!(less.lead.is_some() && less.event.is_some() && less.kicker.is_none() && less.quotes.is_empty());
    }
}
