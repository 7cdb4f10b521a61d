//! Quotations and their speakers.

/// A quotation given as a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Paragraphs, without quotation marks or dashes; those are added for the language.
    pub paragraphs: Vec<String>,
    /// Who said it.
    pub speaker: Speaker,
    /// Where the speaker is named.
    pub attribution: AttributionPlace,
}

/// The speaker of a quotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speaker {
    /// The name.
    pub name: String,
    /// The party, printed in parentheses.
    pub party: Option<String>,
    /// Titles, in order.
    pub titles: Vec<String>,
}

impl Speaker {
    /// On one line: `Karin Ek (X), ordförande`.
    pub(crate) fn line(&self) -> String {
        let mut line = self.name.clone();
        if let Some(party) = &self.party {
            line.push_str(&format!(" ({party})"));
        }
        for title in &self.titles {
            line.push_str(", ");
            line.push_str(title);
        }
        line
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
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Middle => "middle",
            Self::After => "after",
        }
    }

    /// All of them, for messages.
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Middle, Self::After];
}

/// Dashes that may begin the line that names a speaker. The en dash also begins direct speech, in Swedish and other
/// languages.
const DASHES: [&str; 4] = ["\u{2014}", "\u{2013}", "---", "--"];

/// Name particles written in lower case.
const PARTICLES: [&str; 26] = [
    "af", "al", "av", "bin", "da", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "e", "el", "ibn", "la",
    "le", "och", "ten", "ter", "van", "von", "y", "zu",
];

/// Maximum number of words in a name.
const NAME_WORDS: usize = 7;

/// The line without its initial dash; `None` without a dash followed by a space.
pub(crate) fn after_dash(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = DASHES.iter().find_map(|dash| line.strip_prefix(dash))?;
    rest.starts_with([' ', '\u{a0}']).then(|| rest.trim())
}

/// The speaker named by a block quote's last line, `— Name, title, title`; `None` when that line names no speaker.
///
/// The line begins with an em dash, an en dash or two or three hyphens, followed by a space. The rest must have the
/// form of a name, so that speech that begins with a dash stays speech; `verbs` are the language's verbs of saying.
pub(crate) fn split_attribution(line: &str, verbs: &[String]) -> Option<Speaker> {
    let rest = after_dash(line)?;
    let mut parts = rest.split(',').map(str::trim).filter(|part| !part.is_empty());
    let name = parts.next()?;
    let titles: Vec<String> = parts.map(str::to_owned).collect();
    let says = |title: &String| title.split(' ').next().is_some_and(|word| verbs.iter().any(|verb| verb == word));
    let exclaims = rest.ends_with(['!', '?', ':', ';', '…', '”', '"']);
    // "– Nej", "– Ja, det är sant.": one word after the dash is a name only if a title follows.
    let one_word = !name.contains(' ');
    let doubtful = one_word && (rest.ends_with('.') || (titles.is_empty() && line.trim().starts_with('\u{2013}')));
    if !is_name(name) || titles.iter().any(says) || exclaims || doubtful {
        return None;
    }
    Some(Speaker { name: name.to_owned(), party: None, titles })
}

/// Whether a text has the form of a name: capitals and particles, no digits, no sentence end.
fn is_name(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_part = |word: &&str| {
        let bare = word.trim_start_matches(['(', '”', '"', '’']);
        bare.starts_with(char::is_uppercase) || PARTICLES.contains(&bare.to_lowercase().as_str())
    };
    let last = words.last().copied().unwrap_or_default();
    let sentence = last.ends_with('.') && last.chars().count() > 4;
    (1..=NAME_WORDS).contains(&words.len()) && words.iter().all(is_part) && !sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Speaker> {
        split_attribution(line, &["säger".to_owned()])
    }

    #[test]
    fn reads_the_speaker_from_the_last_line() {
        let speaker = split("\u{2014} Karin Ek, ordförande, Exempelförbundet").unwrap();
        assert_eq!(speaker.name, "Karin Ek");
        assert_eq!(speaker.titles, ["ordförande", "Exempelförbundet"]);
        for line in [
            "-- Karin Ek",
            "\u{2013} Carl von Essen",
            "\u{2014} Anonym",
            "\u{2014} Karin Ek (S), statsråd",
            "\u{2013} Karin, 34 år",
            "\u{2014} Dr. Anna-Lena Söderström-Åkesson, f.d. överläkare.",
        ] {
            assert_eq!(split(line).map(|speaker| speaker.line()).as_deref(), after_dash(line), "{line}");
        }
    }

    #[test]
    fn speech_that_begins_with_a_dash_names_no_speaker() {
        for line in [
            "Karin Ek",
            "\u{2014}",
            "\u{2013}nej",
            "\u{2013} Nej",
            "\u{2013} Ja, det är sant.",
            "\u{2013} Ja, säger Karin Ek",
            "\u{2014} Det är en stor dag, säger hon.",
            "\u{2014} Tack Karin, vi ses!",
            "\u{2013} Vi är glada",
            "\u{2013} Välkommen till Örebro",
        ] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
