//! `template.toml`: the requirements of a kind's templates. A new kind is a folder with this file in it.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::model::release::block::Block;
use crate::model::release::presence::FIELDS;
use crate::model::release::{RelationKind, Release};

/// A kind's manifest.
///
/// ```toml
/// name = "invitation"                      # the folder's name
/// title = { sv = "Pressinbjudan", en = "Press invitation" }
/// required = ["lead", "event.start", "event.place"]
/// one_of = [["event.rsvp", "media_welcome"]]
/// at_least = { series = 2 }                # fields of which there must be several
/// relates = ["correction-of"]              # a [[relations]] of one of these kinds is required
/// order = ["facts", "rsvp", "body"]        # the order of its blocks; those not named follow
/// looks_back = true                        # its event may be over
/// max_headline = 60                        # characters; more is a warning
/// calendar = true                          # the mail carries a calendar part
/// unshown = ["beats", "regions"]           # fields that are kept with the release and not meant to be shown
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The kind.
    pub name: String,
    /// Its title, by language.
    pub title: BTreeMap<String, String>,
    /// Required fields: names of [`FIELDS`].
    #[serde(default)]
    pub required: Vec<String>,
    /// Groups of which at least one field is required.
    #[serde(default)]
    pub one_of: Vec<Vec<String>>,
    /// Number of characters of a headline that are certainly shown; more is a warning.
    #[serde(default = "sixty")]
    pub max_headline: usize,
    /// Lists that need more than one entry, each with its least number: blocks whose parts are counted.
    #[serde(default, deserialize_with = "counted")]
    pub at_least: BTreeMap<String, usize>,
    /// Kinds of relation to an earlier release, of which one is required; empty if none is.
    #[serde(default, deserialize_with = "relations")]
    pub(crate) relates: Vec<RelationKind>,
    /// The order of the blocks (see [`Block`]); those not named follow.
    #[serde(default = "all_blocks", deserialize_with = "blocks")]
    pub(crate) order: Vec<Block>,
    /// Whether it reports on what has been, so that its event may be over.
    #[serde(default)]
    pub looks_back: bool,
    /// Whether the mail carries a calendar part when there is an event.
    #[serde(default)]
    pub calendar: bool,
    /// Fields that are stored with the release and not meant to be shown, so that `release check` does not report
    /// them.
    #[serde(default = "kept")]
    pub unshown: Vec<String>,
}

fn sixty() -> usize {
    60
}

fn all_blocks() -> Vec<Block> {
    Block::ALL.to_vec()
}

fn blocks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Block>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let block = |word: &String| {
        let known = Block::ALL.map(Block::word);
        let unknown = || format!("order: there is no block \u{201c}{word}\u{201d}; known blocks: {}", known.join(", "));
        Block::of_word(word).ok_or_else(|| D::Error::custom(unknown()))
    };
    let order: Vec<Block> = words.iter().map(block).collect::<Result<_, _>>()?;
    match order.iter().enumerate().find(|(at, block)| order[..*at].contains(block)) {
        Some((_, twice)) => Err(D::Error::custom(format!("order: \u{201c}{twice}\u{201d} is named twice"))),
        None => Ok(order),
    }
}

fn relations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RelationKind>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let kind = |word: &String| {
        let unknown = || {
            let known = RelationKind::ALL.map(RelationKind::word).join(", ");
            format!("relates: there is no relation \u{201c}{word}\u{201d}; known relations: {known}")
        };
        let found = RelationKind::ALL.into_iter().find(|kind| kind.word() == word);
        found.ok_or_else(|| D::Error::custom(unknown()))
    };
    words.iter().map(kind).collect()
}

fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, usize>, D::Error> {
    let fields = BTreeMap::<String, usize>::deserialize(deserializer)?;
    let has_parts = |field: &String| Block::of_word(field).is_some_and(Block::has_parts);
    match fields.keys().find(|field| !has_parts(field)) {
        Some(field) => {
            let known: Vec<&str> = Block::ALL.into_iter().filter(|block| block.has_parts()).map(Block::word).collect();
            let said = format!("at_least: \u{201c}{field}\u{201d} cannot be counted; these can: {}", known.join(", "));
            Err(D::Error::custom(said))
        }
        None => Ok(fields),
    }
}

fn kept() -> Vec<String> {
    ["archive", "beats", "regions"].map(str::to_owned).to_vec()
}

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not valid TOML for a manifest; the text has line and column.
    #[error("{file}: {reason}")]
    Form {
        /// The file's name.
        file: String,
        /// The parser's error.
        reason: String,
    },
    /// It names a field that releases do not have.
    #[error("{file}: \u{201c}{field}\u{201d} is not a field of a release{hint}")]
    Field {
        /// The file's name.
        file: String,
        /// The field.
        field: String,
        /// The most similar name, as a question.
        hint: String,
    },
}

impl Manifest {
    /// Parses a manifest; `file` is its name for messages.
    ///
    /// # Errors
    /// [`ManifestError`]: the kind cannot be used until its manifest is fixed.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        let form = |e: toml::de::Error| ManifestError::Form { file: file.to_owned(), reason: e.to_string() };
        let manifest: Self = toml::from_str(text).map_err(form)?;
        let unknown = manifest.fields().find(|field| !FIELDS.contains(field)).map(str::to_owned);
        match unknown {
            None => Ok(manifest),
            Some(field) => {
                let hint =
                    super::nearest::nearest(&field, FIELDS).map(|n| format!("; did you mean \u{201c}{n}\u{201d}?"));
                let file = file.to_owned();
                Err(ManifestError::Field { file, field, hint: hint.unwrap_or_default() })
            }
        }
    }

    /// All fields that it names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        let required = self.required.iter().chain(self.one_of.iter().flatten()).chain(self.at_least.keys());
        required.chain(&self.unshown).map(String::as_str)
    }

    /// The fields of which `release` has too few, each with the number needed and the number there.
    pub(crate) fn too_few(&self, release: &Release) -> Vec<(&str, usize, usize)> {
        let count = |field: &str| Block::of_word(field).map_or(0, |block| release.parts(block));
        let each = self.at_least.iter().map(|(field, least)| (field.as_str(), *least, count(field)));
        each.filter(|(_, least, count)| count < least).collect()
    }

    /// The relations of which `release` lacks one; `None` if it has one, or needs none.
    pub(crate) fn unrelated(&self, release: &Release) -> Option<&[RelationKind]> {
        let relates = release.relations.iter().any(|relation| self.relates.contains(&relation.kind));
        (!self.relates.is_empty() && !relates).then_some(&self.relates)
    }

    /// What `release` lacks: each entry is a field, or fields of which one is sufficient.
    pub(crate) fn missing(&self, release: &Release) -> Vec<Vec<&str>> {
        let has = |field: &str| release.has(field) == Some(true);
        let single = self.required.iter().filter(|f| !has(f)).map(|f| vec![f.as_str()]);
        let groups = self.one_of.iter().filter(|group| !group.iter().any(|f| has(f)));
        single.chain(groups.map(|group| group.iter().map(String::as_str).collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_does_not_exist_is_refused_with_the_nearest_name() {
        let text = "name = 'x'\ntitle = { en = 'X' }\nrequired = ['event.strat']\n";
        let error = Manifest::parse("x/template.toml", text).unwrap_err().to_string();
        assert!(error.contains("did you mean \u{201c}event.start\u{201d}"), "{error}");
    }

    #[test]
    fn an_order_names_each_block_once_and_only_parts_are_counted() {
        let wrong = |more: &str| {
            let text = format!("name = 'x'\ntitle = {{ en = 'X' }}\n{more}\n");
            Manifest::parse("x/template.toml", &text).unwrap_err().to_string()
        };
        assert!(wrong("order = ['body', 'facts', 'body']").contains("\u{201c}body\u{201d} is named twice"));
        assert!(wrong("order = ['talks']").contains("there is no block \u{201c}talks\u{201d}"));
        assert!(wrong("at_least = { tags = 2 }").contains("\u{201c}tags\u{201d} cannot be counted"));
    }
}
