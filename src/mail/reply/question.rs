//! A mail of ours to which a reply is expected: checks whether a reply quotes exactly this mail. In a quotation
//! without marks, only this separates the quotation from text written below it.

use super::ReplyReader;
use super::lines::{Written, plain};
use crate::mail::html_text::html_to_text;

/// Maximum number of words of our mail that are compared.
const MOST_WORDS: usize = 20_000;
/// Minimum number of words of a line that may be found anywhere further on; a shorter one, such as "No", must be the
/// next one.
const LONG: usize = 4;
/// Maximum number of comparison steps for one reply.
const MOST_STEPS: usize = 4_000_000;

/// A mail of ours, prepared for comparing.
#[derive(Clone, Debug, Default)]
pub struct Question {
    subject: String,
    /// Its words, in order: of the text, and of the HTML.
    forms: [Vec<String>; 2],
}

impl Question {
    /// Creates it from the mail's subject, text and HTML.
    pub fn new(subject: &str, text: &str, html: &str) -> Self {
        let cut = |text: &str| words(text).into_iter().take(MOST_WORDS).collect();
        Self { subject: subject.to_owned(), forms: [cut(text), cut(&html_to_text(html))] }
    }

    /// Its subject.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether everything that a reply quotes is from this mail.
    pub(super) fn is_all_of(&self, form: &Written, reader: &ReplyReader) -> bool {
        let mut steps = MOST_STEPS;
        self.forms.iter().any(|own| is_all_below(own, &form.below, reader, &mut steps))
            && self.forms.iter().any(|own| is_quoted(own, &form.quoted, reader, &mut steps))
    }
}

/// Without marks: the lines must follow each other as in our mail, after the header that introduces them.
fn is_all_below(own: &[String], lines: &[String], reader: &ReplyReader, steps: &mut usize) -> bool {
    let (mut at, mut is_header) = (0, true);
    for line in lines {
        let these = words(line);
        if these.is_empty() {
            if !super::lines::is_decoration(line) && !line.starts_with(['|', '<', '[', '\u{fffc}']) {
                return false;
            }
            continue;
        }
        let lower = plain(line);
        if is_header && (reader.is_header_field(&lower) || reader.divides(&lower) || line.starts_with('<'))
            || reader.is_banner(&lower)
        {
            continue;
        }
        let rest = &own[at..];
        let reach = if these.len() < LONG { 1 } else { rest.len() };
        let Some(found) = find(rest, &these, reach, steps) else { return false };
        at += found + these.len();
        is_header = false;
    }
    true
}

/// With marks: the quotation may be any part of our mail. Lines added by programs are allowed, words of the person
/// are not.
fn is_quoted(own: &[String], lines: &[String], reader: &ReplyReader, steps: &mut usize) -> bool {
    let (mut ours, mut foreign) = (0, 0);
    for line in lines {
        let these = words(line);
        let lower = plain(line);
        if these.is_empty() || reader.is_header_field(&lower) || reader.divides(&lower) || reader.is_banner(&lower) {
            continue;
        }
        if find(own, &these, own.len(), steps).is_some() {
            ours += these.len();
        } else if reader.refuses(&these) {
            return false;
        } else {
            foreign += these.len();
        }
    }
    foreign <= ours
}

/// Where `these` occur in `own`, beginning before `reach`.
fn find(own: &[String], these: &[String], reach: usize, steps: &mut usize) -> Option<usize> {
    let last = own.len().checked_sub(these.len())?;
    (0..=last.min(reach.saturating_sub(1))).find(|at| {
        *steps = steps.saturating_sub(1);
        *steps > 0 && own[*at..*at + these.len()] == *these
    })
}

impl ReplyReader {
    /// Whether a gateway put this line over external mail; `plain` in lower case.
    pub(in crate::mail) fn is_banner(&self, plain: &str) -> bool {
        self.banner.iter().any(|phrase| plain.contains(phrase.as_str()))
    }

    /// Whether the words are a person's and mean no.
    fn refuses(&self, words: &[String]) -> bool {
        words.iter().any(|word| self.speaking.iter().any(|one| one == word))
            || words.first().is_some_and(|first| self.speaking_first.iter().any(|one| one == first))
    }
}

/// Words in lower case, only letters and digits; text in angle brackets is a link's address, added by programs.
fn words(text: &str) -> Vec<String> {
    let mut visible = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        visible.push_str(before);
        match after.split_once('>') {
            Some((inside, behind)) if !inside.contains(['\n', ' ']) => {
                visible.push(' ');
                rest = behind;
            }
            _ => rest = after,
        }
    }
    visible.push_str(rest);
    let words = visible.split(|c: char| !c.is_alphanumeric() && c != '\u{ad}');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}
