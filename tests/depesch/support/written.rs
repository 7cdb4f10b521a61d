//! A release as a press officer types it, as its reader receives it, and the findings of `release check`.

use std::collections::BTreeMap;

use depesch::composition::content::{CheckAgainst, Content};
use depesch::model::contact::ContactBook;
use depesch::render::finding::{Finding, has_errors};

use super::samples::{Reader, prepared};

/// A release file.
pub struct Written(pub String);

/// What its reader receives; non-breaking spaces are kept.
pub struct Read {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Written {
    /// A Swedish press release with this text.
    pub fn body(body: &str) -> Self {
        Self::of("press-release", "sv", "", body)
    }

    /// A release of a kind with more fields; the body begins on the line after them.
    pub fn of(kind: &str, language: &str, front: &str, body: &str) -> Self {
        Self(format!(
            "+++\nkind = \"{kind}\"\nlanguage = \"{language}\"\nheadline = \"Provtext\"\nlead = \"Ingress.\"\nissuers = [\"F\"]\n\
             boilerplate = {{ name = \"F\", text = \"Text.\" }}\n{front}\n[[contacts]]\nname = \"Karin Ek\"\nphone = \"070-174 06 12\"\n+++\n{body}\n"
        ))
    }

    /// The findings of `release check`.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_with(&Content::built_in().unwrap())
    }

    /// The findings of `release check` with other templates.
    pub fn findings_with(&self, content: &Content) -> Vec<Finding> {
        let (book, files) = (ContactBook::default(), BTreeMap::new());
        let now = "2027-01-20T08:00:00Z".parse().unwrap();
        let pictures = BTreeMap::new();
        let against = CheckAgainst { book: &book, files: &files, pictures: &pictures, now, send_at: None };
        content.check(&self.0, &against).findings
    }

    /// Checks that exactly these rules have findings.
    #[track_caller]
    pub fn check(&self, rules: &[&str]) -> Vec<Finding> {
        let found = self.findings();
        assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), rules, "{found:#?}\n{}", self.0);
        found
    }

    /// The release as its reader receives it.
    #[track_caller]
    pub fn read(&self) -> Read {
        assert!(!has_errors(&self.findings()), "{:#?}", self.findings());
        let personal =
            prepared(&super::samples::release_of(&self.0)).for_recipient(&Reader::default().recipient()).unwrap();
        // Styles are irrelevant here.
        let mut html = String::new();
        for (place, part) in personal.html().split(" style=\"").enumerate() {
            html.push_str(if place == 0 { part } else { part.split_once('"').unwrap().1 });
        }
        Read { subject: personal.subject(), text: personal.text(), html: html.replace("&nbsp;", "\u{a0}") }
    }
}

impl Read {
    /// Checks that text and HTML contain these.
    #[track_caller]
    pub fn holds(&self, texts: &[&str], html: &[&str]) {
        for part in texts {
            assert!(self.text.contains(part), "the text lacks {part}:\n{}", self.text);
        }
        for part in html {
            assert!(self.html.contains(part), "the HTML lacks {part}:\n{}", self.html);
        }
    }
}
