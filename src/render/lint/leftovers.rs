//! Markup that Markdown did not recognise and left in the text.

/// A leftover mark, and how to fix it.
pub(super) struct Leftover {
    /// Its position in the text.
    pub at: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// The name of its text in `rules.toml`.
    pub text: &'static str,
    /// The line, where the text shows it.
    pub line: String,
}

/// Marks that are shown literally, each with the rule and its text.
const MARKS: [(&str, &str, &str); 7] = [
    ("](", "link", "spaced"),
    ("][", "link", "no-address"),
    ("[^", "footnote", "no-text"),
    ("{{", "markup", "braces"),
    ("**", "markup", "stars"),
    ("==", "markup", "equals"),
    ("~~", "markup", "tildes"),
];

/// Finds all leftover marks in a text of one or more lines.
pub(super) fn find(text: &str) -> Vec<Leftover> {
    let mut found = Vec::new();
    let leftover = |at, rule, text| Leftover { at, rule, text, line: String::new() };
    for (mark, rule, name) in MARKS {
        if let Some(at) = text.find(mark).filter(|at| is_mark(text, *at, mark)) {
            found.push(leftover(at, rule, name));
        }
    }
    let mut at = 0;
    let mut bars = 0;
    for line in text.split('\n') {
        let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
        let words = &line[hashes..];
        let meant = hashes > 1 || words.trim().contains(' ');
        if (1..=6).contains(&hashes) && meant && words.starts_with(char::is_alphanumeric) {
            found.push(Leftover { line: line.chars().take(40).collect(), ..leftover(at, "heading", "no-space") });
        }
        bars += usize::from(line.trim_start().starts_with('|'));
        if bars == 2 {
            found.push(leftover(0, "table", "no-rule"));
            bars += 1;
        }
        at += line.len() + 1;
    }
    found.extend(emoji(text).map(|at| leftover(at, "markup", "emoji")));
    found
}

/// Whether a mark is one: an opening mark must be closed, and a line of equals signs is not a mark.
fn is_mark(text: &str, at: usize, mark: &str) -> bool {
    let rest = &text[at + mark.len()..];
    match mark {
        "==" => rest.starts_with(char::is_alphanumeric) && rest.contains("=="),
        "{{" => rest.contains("}}"),
        "[^" => rest.contains(']'),
        "~~" => rest.contains("~~"),
        _ => true,
    }
}

/// `:smile:`: letters between two colons, with no letter or digit before them.
fn emoji(text: &str) -> Option<usize> {
    let mut parts = text.match_indices(':').map(|(at, _)| at).peekable();
    while let Some(open) = parts.next() {
        let Some(close) = parts.peek().copied() else { break };
        let name = &text[open + 1..close];
        let plain = name.len() > 1 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if plain && !text[..open].ends_with(char::is_alphanumeric) {
            return Some(open);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn marks_that_show_are_found_and_signs_are_not() {
        for (text, rule) in [
            ("[a](b c", "link"),
            ("[a][b]", "link"),
            ("se[^1]", "footnote"),
            ("Hej {{name}}", "markup"),
            ("** fet **", "markup"),
            ("==märkt==", "markup"),
            ("a\n##Rubrik", "heading"),
            ("#Stor rubrik", "heading"),
            ("| a |\n| b |", "table"),
            ("Hej :smile:", "markup"),
        ] {
            assert_eq!(find(text).iter().map(|l| l.rule).collect::<Vec<_>>(), [rule], "{text}");
        }
        for text in ["#hashtag", "kl. 12:30:45", "a | b", "x == y", "5 * 3 * 2", "Tid: 9:30", "a # b"] {
            assert!(find(text).is_empty(), "{text}");
        }
    }
}
