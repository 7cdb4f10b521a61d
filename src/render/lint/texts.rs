//! All texts that the author wrote for readers, each with its field: what the rules about wording read.

use super::Subject;
use crate::model::release::Quote;

/// A text and its field.
pub(super) struct Written<'a> {
    /// The field, in English names.
    pub key: String,
    /// The text.
    pub text: &'a str,
}

/// All of them, in the order of the fields; the body comes last. Boilerplate from the contact book is not among them.
pub(super) fn all<'a>(subject: &Subject<'a>) -> Vec<Written<'a>> {
    let release = subject.release;
    let mut found = Found(Vec::new());
    found.add("headline", Some(&release.headline));
    let single = [
        ("subject", &release.subject),
        ("kicker", &release.kicker),
        ("lead", &release.lead),
        ("media_welcome", &release.media_welcome),
        ("editor_note", &release.editor_note),
        ("usage_terms", &release.usage_terms),
        ("change", &release.change),
    ];
    single.into_iter().for_each(|(key, text)| found.add(key, text.as_ref()));
    for (index, words) in release.corrected.iter().enumerate() {
        // The old words are wrong on purpose.
        found.add(format!("corrected[{index}].new"), Some(&words.new));
    }
    for (index, fact) in release.facts.iter().enumerate() {
        found.add(format!("facts[{index}].label"), Some(&fact.label));
        found.add(format!("facts[{index}].printed"), Some(&fact.printed));
    }
    for (index, slot) in release.programme.iter().enumerate() {
        found.add(format!("programme[{index}].time"), slot.printed_time.as_ref());
        found.add(format!("programme[{index}].title"), slot.title.as_ref());
        found.add(format!("programme[{index}].text"), slot.text.as_ref());
        for (at, item) in slot.items.iter().enumerate() {
            found.add(format!("programme[{index}].items[{at}].title"), item.title.as_ref());
        }
    }
    for (index, presentation) in release.presentations.iter().enumerate() {
        found.add(format!("presentations[{index}].title"), Some(&presentation.title));
        found.add(format!("presentations[{index}].text"), presentation.text.as_ref());
        found.quote(&format!("presentations[{index}].quote"), presentation.quote.as_ref());
    }
    for (index, quote) in release.quotes.iter().enumerate() {
        found.quote(&format!("quotes[{index}]"), Some(quote));
    }
    found.quote("pull_quote", release.pull_quote.as_ref());
    for (index, image) in release.images.iter().enumerate() {
        found.add(format!("images[{index}].alt"), image.alt.as_ref());
        found.add(format!("images[{index}].caption"), image.caption.as_ref());
    }
    for (index, video) in release.videos.iter().enumerate() {
        found.add(format!("videos[{index}].title"), Some(&video.title));
        found.add(format!("videos[{index}].text"), video.text.as_ref());
    }
    let own = release.boilerplates.iter().enumerate().filter(|(_, text)| text.organisation.is_empty());
    own.for_each(|(index, text)| found.add(format!("boilerplate[{index}]"), Some(&text.text)));
    found.add("body", Some(&release.body));
    found.0
}

struct Found<'a>(Vec<Written<'a>>);

impl<'a> Found<'a> {
    fn add(&mut self, key: impl Into<String>, text: Option<&'a String>) {
        self.0.extend(text.map(|text| Written { key: key.into(), text }));
    }

    fn quote(&mut self, key: &str, quote: Option<&'a Quote>) {
        for paragraph in quote.into_iter().flat_map(|quote| &quote.paragraphs) {
            self.add(format!("{key}.text"), Some(paragraph));
        }
    }
}

impl Written<'_> {
    /// The line of a byte of the text; of the field, if it is not the body.
    pub(super) fn line(&self, subject: &Subject<'_>, at: usize) -> Option<u32> {
        if self.key != "body" {
            return subject.positions.line(&self.key);
        }
        let before = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        Some(subject.positions.body.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)))
    }
}
