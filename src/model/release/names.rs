//! Names of fields and words in release files, in English and in Swedish (`names.toml`). English names identify fields in
//! the code, in manifests and in templates; a file may use either language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The language of the names in a file, and of the messages about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AuthorLanguage {
    /// English names: `headline`.
    #[default]
    English,
    /// Swedish names: `rubrik`.
    Swedish,
}

impl AuthorLanguage {
    /// The one of two texts that is in this language.
    pub(crate) fn pick<T>(self, english: T, swedish: T) -> T {
        match self {
            Self::English => english,
            Self::Swedish => swedish,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesFile {
    fields: BTreeMap<String, Vec<String>>,
    words: BTreeMap<String, Vec<String>>,
}

/// Names by their English name: the one shown first, then the others, each also without dots and rings.
struct Names {
    fields: BTreeMap<String, Vec<String>>,
    words: BTreeMap<String, Vec<String>>,
}

/// The constant content of `names.toml`; a test holds that it can be read.
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let file: NamesFile = toml::from_str(include_str!("names.toml")).unwrap_or_default();
    Names { fields: with_plain_letters(file.fields), words: with_plain_letters(file.words) }
});

fn with_plain_letters(mut names: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    for all in names.values_mut() {
        let plain: Vec<String> = all.iter().map(|name| plain(name)).filter(|name| !all.contains(name)).collect();
        all.extend(plain);
    }
    names
}

/// The name without dots and rings.
pub(crate) fn plain(name: &str) -> String {
    let letter = |c| match c {
        'å' | 'ä' => 'a',
        'ö' => 'o',
        'é' => 'e',
        other => other,
    };
    name.chars().map(letter).collect()
}

/// All Swedish names of a field, the shown one first; empty if it has only its English name.
pub(crate) fn swedish(field: &str) -> &'static [String] {
    NAMES.fields.get(field).map_or(&[], Vec::as_slice)
}

/// The name of a field shown to an author.
pub(crate) fn shown(field: &str, language: AuthorLanguage) -> &str {
    match language {
        AuthorLanguage::English => field,
        AuthorLanguage::Swedish => swedish(field).first().map_or(field, String::as_str),
    }
}

/// The path of a field, e.g. `event.rsvp`, as shown to an author.
pub(crate) fn shown_path(path: &str, language: AuthorLanguage) -> String {
    let segment = |segment: &str| {
        let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        format!("{}{index}", shown(name, language))
    };
    path.split('.').map(segment).collect::<Vec<_>>().join(".")
}

/// The word for a value shown to an author, e.g. `cancelled` or `inställt`.
pub(crate) fn shown_word(word: &str, language: AuthorLanguage) -> &str {
    match language {
        AuthorLanguage::English => word,
        AuthorLanguage::Swedish => NAMES.words.get(word).and_then(|all| all.first()).map_or(word, String::as_str),
    }
}

/// Whether `given` is the word `word`, in either language.
pub(crate) fn is_word(given: &str, word: &str) -> bool {
    given == word || NAMES.words.get(word).is_some_and(|all| all.iter().any(|name| name == given))
}

/// The language of which a field's name is typical; `None` for a name of both or of neither.
pub(crate) fn language_of(name: &str) -> Option<AuthorLanguage> {
    let in_swedish = NAMES.fields.values().flatten().any(|swedish| swedish == name);
    match (NAMES.fields.contains_key(name), in_swedish) {
        (true, false) => Some(AuthorLanguage::English),
        (false, true) => Some(AuthorLanguage::Swedish),
        _ => None,
    }
}

/// The English names of a field called `name` in either language.
pub(crate) fn english(name: &str) -> impl Iterator<Item = &str> {
    let of_swedish = NAMES.fields.iter().filter(move |(_, all)| all.iter().any(|swedish| swedish == name));
    std::iter::once(name).chain(of_swedish.map(|(english, _)| english.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_name_is_one_that_toml_can_hold() {
        let file: NamesFile = toml::from_str(include_str!("names.toml")).unwrap();
        assert!(file.fields.len() > 80 && file.words.len() > 10);
        for name in file.fields.values().chain(file.words.values()).flatten() {
            let fits = |c: char| c.is_lowercase() || c == '_' || c == '-';
            assert!(!name.is_empty() && name.chars().all(fits), "{name}");
        }
    }

    #[test]
    fn names_are_found_with_and_without_dots_and_rings() {
        assert_eq!(swedish("language"), ["språk", "sprak"]);
        assert_eq!(shown("headline", AuthorLanguage::Swedish), "rubrik");
        assert_eq!(shown_path("event.rsvp.to", AuthorLanguage::Swedish), "evenemang.anmälan.till");
        assert_eq!(shown_path("contacts[1].phones", AuthorLanguage::Swedish), "kontakter[1].telefoner");
        assert_eq!(shown("uid", AuthorLanguage::Swedish), "uid");
        assert!(is_word("inställt", "cancelled") && is_word("installt", "cancelled") && !is_word("moved", "planned"));
        assert_eq!(language_of("rubrik"), Some(AuthorLanguage::Swedish));
        assert_eq!(language_of("headline"), Some(AuthorLanguage::English));
        assert_eq!((language_of("start"), language_of("status")), (None, None));
    }
}
