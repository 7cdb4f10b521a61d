//! `labels/<language>.toml`: the words that templates need in a language, and how times, lists and speech are
//! written. A new language needs one such file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dates::{DateWriter, TimeForm};
use super::markdown::Reading;
use super::plain::SpeechMarks;
use super::typography::Typography;

/// The words and formats of a language.
pub struct Labels {
    /// The words, by name.
    pub words: BTreeMap<String, String>,
    /// Formats dates and times.
    pub dates: DateWriter,
    /// How speech is marked.
    pub marks: SpeechMarks,
    /// How texts are parsed: words of speech, and what stays on one line.
    pub reading: Reading,
    /// Between the last two of a list, e.g. ` och `.
    pub and: String,
    /// `ltr` or `rtl`.
    pub direction: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsFile {
    /// The CLDR locale for dates.
    locale: String,
    direction: String,
    and: String,
    time: TimeForm,
    speech: SpeechForm,
    #[serde(default)]
    typography: Typography,
    words: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpeechForm {
    dash: String,
    open: String,
    close: String,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Labels {
    /// Parses a labels file.
    ///
    /// # Errors
    /// A text with the line, if known.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: LabelsFile = toml::from_str(text).map_err(|e| e.to_string())?;
        if !["ltr", "rtl"].contains(&file.direction.as_str()) {
            return Err(format!(
                "direction is \u{201c}{}\u{201d}; write \u{201c}ltr\u{201d} or \u{201c}rtl\u{201d}",
                file.direction
            ));
        }
        let reading = Reading {
            of_releases: true,
            dash: file.speech.dash.clone(),
            verbs: file.speech.verbs,
            typography: file.typography,
        };
        Ok(Self {
            reading,
            words: file.words,
            dates: DateWriter::new(&file.locale, file.time)?,
            marks: SpeechMarks { dash: file.speech.dash, open: file.speech.open, close: file.speech.close },
            and: file.and,
            direction: file.direction,
        })
    }

    /// The word of that name; the name itself if the file lacks it, which the registry's check of all files prevents.
    pub(crate) fn word<'a>(&'a self, name: &'a str) -> &'a str {
        self.words.get(name).map_or(name, String::as_str)
    }

    /// "A, B och C".
    pub fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [many @ .., last] => format!("{}{}{last}", many.join(", "), self.and),
        }
    }
}
