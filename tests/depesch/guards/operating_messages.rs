//! docs/OPERATING.md explains each warning and error of the log and each line of `depesch status`, with what to do, and
//! no message that does not exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const OPERATING: &str = include_str!("../../../docs/OPERATING.md");
const SECTION: &str = "## What each message means";
/// What stands for a value.
const VALUE: char = '…';
/// Shorter beginnings say too little.
const SHORTEST: usize = 12;

/// Messages that are put together of values only, with the words that these values are.
const PUT_TOGETHER: [(&str, &[&str]); 1] =
    [("…: …: …", &["the new configuration cannot be used", "nothing was applied"])];

/// Where the lines of `depesch status` are made: a file, the beginning of the part, and what ends it.
const STATUS: [(&str, &str, &str); 4] = [
    ("src/operations/health/problems.rs", "", "#[cfg(test)]"),
    ("src/subscribers/bounces/doubt.rs", "fn problems", "\n    }\n"),
    ("src/store/embedded/open_report.rs", "fn doubt", "\n    }\n"),
    ("src/monitor/mod.rs", "/// The address cannot be used.", " struct "),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push(path);
        }
    }
}

/// The end of a string literal that begins at `text`, quotation marks included.
fn literal_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    panic!("a text without an end: {text}")
}

/// The arguments of a macro, from behind its opening bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut all, mut current, mut at) = (0, Vec::new(), String::new(), 0);
    while let Some(letter) = text[at..].chars().next() {
        if letter == '"' {
            let end = at + literal_end(&text[at..]);
            current.push_str(&text[at..end]);
            at = end;
            continue;
        }
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            all.push(std::mem::take(&mut current));
        } else {
            current.push(letter);
        }
        at += letter.len_utf8();
    }
    all.push(current);
    all
}

/// What a literal stands for, its values as [`VALUE`].
fn words(literal: &str) -> String {
    let inner = &literal.trim()[1..literal.trim().len() - 1];
    let (mut words, mut rest) = (String::new(), inner.chars().peekable());
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => match rest.next() {
                Some('u') => {
                    let code: String = rest.by_ref().take_while(|letter| *letter != '}').skip(1).collect();
                    words.extend(char::from_u32(u32::from_str_radix(&code, 16).unwrap()));
                }
                Some('\n') => while rest.next_if(|letter| letter.is_whitespace()).is_some() {},
                escaped => words.extend(escaped),
            },
            '{' => {
                rest.by_ref().find(|letter| *letter == '}');
                words.push(VALUE);
            }
            _ => words.push(letter),
        }
    }
    words
}

/// What a message is looked for by: up to the first mark that ends a thought.
fn beginning(message: &str) -> &str {
    let ends = |at: usize| {
        let rest = &message[at..];
        rest.starts_with([';', ':', ',']) || rest.starts_with(". ") || rest.starts_with(" (")
    };
    let end = message.char_indices().map(|(at, _)| at).skip(SHORTEST).find(|at| ends(*at));
    &message[..end.unwrap_or(message.len())]
}

/// The first literal among the arguments of each call of a macro in a source text.
fn messages_of<'a>(source: &'a str, opening: &'a str) -> impl Iterator<Item = String> + 'a {
    source.match_indices(opening).filter_map(move |(at, _)| {
        let arguments = arguments(&source[at + opening.len()..]);
        arguments.iter().map(|argument| argument.trim()).find(|argument| argument.starts_with('"')).map(words)
    })
}

/// The beginnings of all warnings and errors, each with the file where it stands.
fn logged() -> BTreeMap<String, String> {
    let (mut files, mut found) = (Vec::new(), BTreeMap::new());
    sources(&root().join("src"), &mut files);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let source = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        for macro_name in ["warn!(", "error!("] {
            let calls = source.matches(&format!("tracing::{macro_name}")).count();
            let messages: Vec<String> = messages_of(source, &format!("tracing::{macro_name}")).collect();
            assert_eq!(messages.len(), calls, "{place} has a {macro_name} without a text");
            assert_eq!(calls, source.matches(macro_name).count(), "{place}: write tracing::{macro_name}");
            found.extend(messages.iter().map(|message| (beginning(message).to_owned(), place.clone())));
        }
    }
    found
}

/// The beginnings of all lines of `depesch status`.
fn said_by_status() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (file, from, until) in STATUS {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let part = &text[text.find(from).unwrap_or_else(|| panic!("{file} has no {from}"))..];
        let part = part.split(until).next().unwrap();
        let of_macros = ["format!(", "#[error("].into_iter().flat_map(|opening| messages_of(part, opening));
        let plain = part.match_indices("\".to_owned()").map(|(end, _)| {
            let line = &part[part[..end].rfind('\n').unwrap_or(0)..=end];
            words(&line[line.find('"').unwrap()..])
        });
        let messages: Vec<String> = of_macros.chain(plain).filter(|message| !message.starts_with(' ')).collect();
        assert!(!messages.is_empty(), "{file} makes no line of the status");
        found.extend(messages.iter().map(|message| (beginning(message).to_owned(), file.to_owned())));
    }
    found
}

/// The rows of the tables of the section: what stands in each column.
fn rows() -> Vec<[String; 3]> {
    let section = OPERATING.split_once(SECTION).unwrap().1.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<String> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not three columns: {cells:?}"))
    };
    lines.map(row).collect()
}

/// The messages that the tables name.
fn named() -> Vec<String> {
    rows().iter().flat_map(|row| row[0].split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// All that may be named.
fn known() -> BTreeMap<String, String> {
    let mut known = logged();
    known.extend(said_by_status());
    for (values, words) in PUT_TOGETHER {
        let place = known.remove(values).unwrap_or_else(|| panic!("there is no message {values}"));
        known.extend(words.iter().map(|words| ((*words).to_owned(), place.clone())));
    }
    known
}

#[test]
fn each_message_is_explained() {
    let document = OPERATING.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_explained =
        |message: &str| ['`', '"', '\u{201c}'].iter().any(|quote| document.contains(&format!("{quote}{message}")));
    let missing: Vec<String> = known()
        .into_iter()
        .filter(|(message, _)| !is_explained(message))
        .map(|(message, place)| format!("`{message}` ({place})"))
        .collect();
    assert!(missing.is_empty(), "docs/OPERATING.md, \u{201c}{SECTION}\u{201d}, lacks:\n{}", missing.join("\n"));
}

#[test]
fn each_explained_message_exists() {
    let (known, named) = (known(), named());
    assert!(named.len() > 100, "the tables were not found");
    let invented: Vec<&String> = named.iter().filter(|message| !known.contains_key(*message)).collect();
    assert!(invented.is_empty(), "no source has:\n{invented:#?}");
}

#[test]
fn each_explanation_says_what_to_do_and_leads_somewhere() {
    for row in rows() {
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        for section in row[2].split('*').skip(1).step_by(2) {
            let leads = ["**", "## ", "**a mailing is paused: "]
                .iter()
                .any(|mark| OPERATING.lines().any(|line| line.contains(&format!("{mark}{section}"))));
            assert!(leads, "there is no section \u{201c}{section}\u{201d}: {row:?}");
        }
    }
}

#[test]
fn messages_are_found_as_they_are_written() {
    let source = "tracing::warn!(%error, of = f(\"x\", 1), \"a \\u{201c}b\\u{201d} of {} failed: \\\n    {why}\");\n\
                  tracing::warn!(\"a long beginning{since}; and more\", since);";
    let found: Vec<String> = messages_of(source, "tracing::warn!(").collect();
    assert_eq!(found, ["a \u{201c}b\u{201d} of … failed: …", "a long beginning…; and more"]);
    assert_eq!(beginning(&found[0]), "a \u{201c}b\u{201d} of … failed");
    assert_eq!(beginning("short: it goes on, and ends"), "short: it goes on");
}
