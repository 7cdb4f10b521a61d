//! The file as text: BOM and line ends, front matter and body.

use crate::base::unicode::tidy;
use crate::model::release::names::{self, AuthorLanguage};
use crate::render::finding::{Finding, Severity};

/// A file in its two parts, in NFC, with LF line ends.
pub(super) struct Split {
    /// The TOML between the `+++` lines.
    pub front: String,
    /// The Markdown after them.
    pub body: String,
    /// The line of the file on which `front` begins, from 1.
    pub front_line: u32,
    /// The line of the file on which `body` begins, from 1.
    pub body_line: u32,
}

fn check_size(text: &str) -> Result<(), Finding> {
    if text.len() <= super::MAX_SOURCE {
        return Ok(());
    }
    let values = [("bytes", text.len().to_string()), ("most", super::MAX_SOURCE.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Err(Finding::said(Severity::Error, ("size", "bytes"), language_near(text), &values))
}

/// Removes BOM and invisible characters, and converts to LF and NFC: what readers cannot see must not make a
/// difference between words.
fn normalise(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    tidy(&text.replace("\r\n", "\n").replace('\r', "\n")).into_owned()
}

/// Splits a file.
pub(super) fn split(text: &str) -> Result<Split, Finding> {
    check_size(text)?;
    let text = normalise(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let first = lines.iter().position(|line| !line.trim().is_empty());
    let Some(opening) = first.filter(|at| is_fence(lines[*at])) else {
        let line = first.map_or(1, |at| number(at + 1));
        let text = ("front-matter", "no-opening");
        return Err(Finding::said(Severity::Error, text, language_near(&lines.join("\n")), &[]).at(Some(line)));
    };
    let Some(length) = lines[opening + 1..].iter().position(|line| is_fence(line)) else {
        let text = ("front-matter", "no-closing");
        let language = language_near(&lines.join("\n"));
        return Err(Finding::said(Severity::Error, text, language, &[]).at(Some(number(opening + 1))));
    };
    let closing = opening + 1 + length;
    Ok(Split {
        front: lines[opening + 1..closing].join("\n"),
        body: lines[closing + 1..].join("\n"),
        front_line: number(opening + 2),
        body_line: number(closing + 2),
    })
}

/// The author's language in a file whose fields cannot be found: that of the names before equals signs near its beginning.
fn language_near(text: &str) -> AuthorLanguage {
    let names = text.lines().take(100).filter_map(|line| names::language_of(line.split_once('=')?.0.trim()));
    let found: Vec<AuthorLanguage> = names.collect();
    let swedish = found.iter().filter(|language| **language == AuthorLanguage::Swedish).count();
    if swedish * 2 > found.len() { AuthorLanguage::Swedish } else { AuthorLanguage::English }
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "+++"
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

impl Split {
    /// Handles a file that is TOML alone.
    pub(super) fn of_toml(text: &str) -> Result<Self, Finding> {
        check_size(text)?;
        Ok(Self { front: normalise(text), body: String::new(), front_line: 1, body_line: 1 })
    }

    /// The body without surrounding blanks.
    pub(super) fn text(&self) -> &str {
        self.body.trim_matches(['\n', ' ', '\t'])
    }

    /// The line of the file on which [`Split::text`] begins.
    pub(super) fn text_line(&self) -> u32 {
        let before = self.body.len() - self.body.trim_start_matches(['\n', ' ', '\t']).len();
        self.body_line.saturating_add(number(self.body[..before].matches('\n').count()))
    }
}
