//! Quotes: what somebody said, and who.

/// A quote given as a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Paragraphs, without quotation marks or dashes; those follow the language.
    pub paragraphs: Vec<String>,
    /// Who said it.
    pub speaker: Speaker,
    /// Where the speaker is named.
    pub attribution: AttributionPlace,
}

/// Who said something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speaker {
    /// The name.
    pub name: String,
    /// Titles, in order.
    pub titles: Vec<String>,
}

impl Speaker {
    /// On one line: `Karin Ek, ordförande`.
    pub fn line(&self) -> String {
        std::iter::once(&self.name).chain(&self.titles).map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Where the speaker is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributionPlace {
    /// Before the first paragraph.
    Before,
    /// After the first paragraph, before the rest.
    Middle,
    /// After the last one.
    #[default]
    After,
}

impl AttributionPlace {
    /// The word in release files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Middle => "middle",
            Self::After => "after",
        }
    }

    /// All of them, for messages.
    pub const ALL: [Self; 3] = [Self::Before, Self::Middle, Self::After];
}

/// The speaker named by a block quote's last line, `— Name, title, title`; `None` when that line names nobody.
///
/// An em dash, an en dash or two or three hyphens begin it, followed by a space.
pub fn split_attribution(line: &str) -> Option<Speaker> {
    let line = line.trim();
    let rest = ["\u{2014}", "\u{2013}", "---", "--"].iter().find_map(|dash| line.strip_prefix(dash))?;
    if !rest.starts_with([' ', '\u{a0}']) {
        return None;
    }
    let mut parts = rest.split(',').map(str::trim).filter(|part| !part.is_empty());
    let name = parts.next()?.to_owned();
    Some(Speaker { name, titles: parts.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_speaker_from_the_last_line() {
        let speaker = split_attribution("\u{2014} Karin Ek, ordförande, Exempelförbundet").unwrap();
        assert_eq!(speaker.name, "Karin Ek");
        assert_eq!(speaker.titles, ["ordförande", "Exempelförbundet"]);
        assert_eq!(split_attribution("-- Karin Ek").unwrap().name, "Karin Ek");
        assert_eq!(split_attribution("Karin Ek"), None);
        assert_eq!(split_attribution("\u{2014}"), None);
        assert_eq!(split_attribution("\u{2013}nej"), None);
    }
}
