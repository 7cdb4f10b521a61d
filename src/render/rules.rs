//! The rules of `release check` as data (`rules.toml`): for each an explanation, and texts of findings, in English and in
//! Swedish. The code that finds is in `source/` and `lint/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::release::names::AuthorLanguage;

/// A rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The explanation in English.
    pub en: Explanation,
    /// The explanation in Swedish.
    pub sv: Explanation,
    /// Texts of its findings, by name.
    #[serde(default)]
    pub texts: BTreeMap<String, Texts>,
}

/// What a rule is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What it finds, in one line.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// An example of what it finds.
    pub example: String,
    /// How to fix it.
    pub fix: String,
}

/// The text of a finding: what is wrong, and how to fix it. Values are inserted for names in `{}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// In English.
    pub en: [String; 2],
    /// In Swedish.
    pub sv: [String; 2],
}

/// The constant content of `rules.toml`; a test holds that it can be read.
static RULES: LazyLock<BTreeMap<String, Rule>> =
    LazyLock::new(|| toml::from_str(include_str!("rules.toml")).unwrap_or_default());

/// All rules by their ids.
pub fn all() -> &'static BTreeMap<String, Rule> {
    &RULES
}

/// The id most similar to `given`, if any is similar enough to suggest.
pub(crate) fn nearest(given: &str) -> Option<&'static str> {
    super::nearest::nearest(given, RULES.keys().map(String::as_str))
}

impl Rule {
    /// The explanation in a language.
    pub fn explanation(&self, language: AuthorLanguage) -> &Explanation {
        language.pick(&self.en, &self.sv)
    }
}

/// The text `name` of a rule with its values inserted: what is wrong, and how to fix it.
pub(super) fn texts(rule: &str, name: &str, language: AuthorLanguage, values: &[(&str, &str)]) -> (String, String) {
    let texts = RULES.get(rule).and_then(|rule| rule.texts.get(name));
    debug_assert!(texts.is_some(), "rules.toml has no text {rule}.{name}");
    let Some(texts) = texts else {
        return (format!("{rule}: {name}"), String::new());
    };
    let [said, fix] = language.pick(&texts.en, &texts.sv);
    (filled(said, values), filled(fix, values))
}

/// The text with each `{name}` replaced by its value, in one pass: values are not read again.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(open) = rest.find('{') {
        let value = |length: usize| values.iter().find(|(name, _)| *name == &rest[open + 1..open + length]);
        match rest[open..].find('}').and_then(|length| Some((length, value(length)?))) {
            Some((length, (_, value))) => {
                out.push_str(&rest[..open]);
                out.push_str(value);
                rest = &rest[open + length + 1..];
            }
            None => {
                out.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> std::collections::BTreeSet<&str> {
        let inside = |part: &'_ str| part.split_once('}').map_or(0, |(name, _)| name.len());
        let parts = text.split('{').skip(1);
        parts.map(|part| &part[..inside(part)]).filter(|name| !name.is_empty() && !name.contains(' ')).collect()
    }

    #[test]
    fn the_file_is_read_and_both_languages_insert_the_same_values() {
        let rules: BTreeMap<String, Rule> = toml::from_str(include_str!("rules.toml")).unwrap();
        for (id, rule) in &rules {
            for explanation in [&rule.en, &rule.sv] {
                for text in [&explanation.title, &explanation.why, &explanation.example, &explanation.fix] {
                    assert!(!text.trim().is_empty(), "{id}");
                }
            }
            for (name, Texts { en, sv }) in &rule.texts {
                let (en, sv) = (en.concat(), sv.concat());
                // A message of another library stands in English ones only.
                let more: Vec<&str> = names(&sv).difference(&names(&en)).copied().collect();
                assert!(more.is_empty() || more == ["given"], "{id}.{name}: {more:?}");
                assert_ne!(en, sv, "{id}.{name}");
            }
        }
    }

    #[test]
    fn values_are_inserted_once_and_other_braces_stay() {
        let values = [("a", "{b}"), ("b", "x")];
        assert_eq!(filled("{a} {b} {c} {{ {", &values), "{b} x {c} {{ {");
    }
}
