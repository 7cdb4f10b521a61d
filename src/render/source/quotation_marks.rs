//! Texts in the wrong quotation marks, or in none: found line by line when the fields are not TOML, and repaired, so that
//! everything else in the file is still checked.

use crate::model::release::names::AuthorLanguage;

/// Marks that word processors write instead of `"`.
const CURLY: [char; 7] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}', '\u{2018}', '\u{2019}'];

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It stands between curly marks.
    Curly,
    /// It contains the mark that ends it.
    Inside,
    /// Its closing mark is missing.
    Open,
    /// It has no marks.
    None,
}

impl FaultKind {
    /// The name of its text in `rules.toml`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Curly => "curly",
            Self::Inside => "inside",
            Self::Open => "open",
            Self::None => "none",
        }
    }
}

/// A text that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line among the fields, from 0.
    pub line: usize,
    /// The field as written.
    pub field: String,
    /// What is wrong.
    pub kind: FaultKind,
    /// What stands between the marks.
    content: String,
}

impl Fault {
    /// The line as it should be written.
    pub(super) fn example(&self, language: AuthorLanguage) -> String {
        let (open, close) = language.pick(('\u{201c}', '\u{201d}'), ('\u{201d}', '\u{201d}'));
        let mut opens = false;
        let mut curly = || {
            opens = !opens;
            if opens { open } else { close }
        };
        let text: String = self.content.chars().map(|c| if c == '"' { curly() } else { c }).collect();
        let short: String = text.chars().take(60).collect();
        let dots = if short.len() < text.len() { "…" } else { "" };
        match self.field.as_str() {
            "" => format!("\"{short}{dots}\""),
            field => format!("{field} = \"{short}{dots}\""),
        }
    }
}

/// The length in bytes of the text of one line, with its marks, at the beginning of `rest`; `None` if there is none.
pub(super) fn text_length(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    let length = match first {
        '"' => closing(&rest[1..]).map(|at| at + 2),
        '\'' => rest[1..].find('\'').map(|at| at + 2),
        curly if CURLY.contains(&curly) => {
            let inner = &rest[first.len_utf8()..];
            let close = inner.char_indices().find(|(_, c)| CURLY.contains(c));
            close.map(|(at, c)| first.len_utf8() + at + c.len_utf8())
        }
        _ => return None,
    };
    Some(length.unwrap_or(rest.len()))
}

/// The position of the mark that ends a text.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Finds all such texts, and writes them in straight marks.
pub(super) fn repair(front: &str) -> (Vec<Fault>, String) {
    let (mut faults, mut lines) = (Vec::new(), Vec::new());
    let mut within: Option<&str> = None;
    for (number, line) in front.split('\n').enumerate() {
        if within.is_none()
            && let Some((kind, field, content, repaired)) = repaired_line(line)
        {
            faults.push(Fault { line: number, field, kind, content });
            lines.push(repaired);
            continue;
        }
        for mark in ["\"\"\"", "'''"] {
            // An even number of marks opens and closes texts on this line.
            if within.is_none_or(|open| open == mark) && line.matches(mark).count() % 2 == 1 {
                within = if within.is_some() { None } else { Some(mark) };
                break;
            }
        }
        lines.push(line.to_owned());
    }
    (faults, lines.join("\n"))
}

/// The fault of a line, its field, the text meant, and the line as TOML.
fn repaired_line(line: &str) -> Option<(FaultKind, String, String, String)> {
    let (head, value) = match line.split_once('=') {
        Some((head, value)) if is_name(head.trim()) => (head, value),
        _ => return repaired_list(line).map(|(content, line)| (FaultKind::Curly, String::new(), content, line)),
    };
    let field = head.trim().trim_matches('"').to_owned();
    let value = value.trim();
    let (kind, content) = fault_of(value).or_else(|| Some((FaultKind::Curly, repaired_list(value)?.0)))?;
    let repaired = match value.starts_with(['[', '{']) {
        true => format!("{head}= {}", repaired_list(value)?.1),
        false => format!("{head}= {}", quoted(&content)),
    };
    Some((kind, field, content, repaired))
}

fn is_name(head: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "_-.\" ".contains(c);
    !head.is_empty() && head.chars().all(fits)
}

fn quoted(content: &str) -> String {
    format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What is wrong with the value of a field that is one text, and the text meant.
fn fault_of(value: &str) -> Option<(FaultKind, String)> {
    if value.starts_with("\"\"\"") || value.starts_with(['[', '{', '\'', '#']) || value.is_empty() {
        return None;
    }
    if let Some(text) = value.strip_prefix(CURLY) {
        // The last mark ends it: others belong to the text.
        let end = text.rfind(|c| CURLY.contains(&c) || c == '"').unwrap_or(text.len());
        return Some((FaultKind::Curly, text[..end].to_owned()));
    }
    if let Some(text) = value.strip_prefix('"') {
        let Some(end) = closing(text) else {
            let curly = text.ends_with(CURLY);
            let kind = if curly { FaultKind::Curly } else { FaultKind::Open };
            return Some((kind, text.trim_end_matches(CURLY).to_owned()));
        };
        let after = text[end + 1..].trim();
        if after.is_empty() || after.starts_with('#') {
            return None;
        }
        let last = text.rfind('"').filter(|last| *last > end);
        return Some((FaultKind::Inside, text[..last.unwrap_or(text.len())].to_owned()));
    }
    let bare = value.split(" #").next().unwrap_or(value).trim();
    let is_number_or_date = bare.chars().all(|c| c.is_ascii_hexdigit() || "xobTtZz:+-_. ".contains(c))
        && bare.contains(|c: char| c.is_ascii_digit());
    let is_word = ["true", "false", "inf", "nan", "+inf", "-inf", "+nan", "-nan"].contains(&bare);
    ((!is_number_or_date && !is_word) || is_phone(bare)).then(|| (FaultKind::None, bare.to_owned()))
}

/// Whether a value without marks is a phone number: "070-174 06 05", "+46 8 465 004 00". Numbers of TOML begin with no zero.
fn is_phone(bare: &str) -> bool {
    let mut signs = bare.bytes();
    let national = signs.next() == Some(b'0') && signs.next().is_some_and(|byte| byte.is_ascii_digit());
    let is_date = bare.as_bytes().get(4) == Some(&b'-') && bare.as_bytes().get(7) == Some(&b'-');
    let international = bare.starts_with('+') && bare.contains([' ', '-']);
    (national && !is_date && !bare.contains([':', '.'])) || international
}

/// A list or table on one line with its curly texts in straight marks, and the first of these texts.
fn repaired_list(line: &str) -> Option<(String, String)> {
    let (mut out, mut rest, mut first) = (String::new(), line, None);
    while let Some(c) = rest.chars().next() {
        if c == '#' {
            break;
        }
        let Some(length) = text_length(rest) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let text = &rest[..length];
        if CURLY.contains(&c) {
            let content = text.trim_matches(CURLY).to_owned();
            out.push_str(&quoted(&content));
            first.get_or_insert(content);
        } else {
            out.push_str(text);
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    first.map(|first| (first, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, kind: FaultKind, example: &str, repaired: &str) {
        let (faults, text) = repair(line);
        assert_eq!(faults.iter().map(|f| f.kind).collect::<Vec<_>>(), [kind], "{line}");
        assert_eq!((faults[0].example(AuthorLanguage::Swedish).as_str(), text.as_str()), (example, repaired), "{line}");
        assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
    }

    #[test]
    fn each_fault_is_named_shown_and_repaired() {
        use FaultKind::{Curly, Inside, None, Open};
        check("rubrik = ”Nytt avtal”", Curly, "rubrik = \"Nytt avtal\"", "rubrik = \"Nytt avtal\"");
        check("rubrik = “Nytt “x” avtal”", Curly, "rubrik = \"Nytt “x” avtal\"", "rubrik = \"Nytt “x” avtal\"");
        check("rubrik = \"Nytt avtal”", Curly, "rubrik = \"Nytt avtal\"", "rubrik = \"Nytt avtal\"");
        check("a = \"Hon sa \"ja\" i dag\"", Inside, "a = \"Hon sa ”ja” i dag\"", "a = \"Hon sa \\\"ja\\\" i dag\"");
        check("a = \"Nytt avtal", Open, "a = \"Nytt avtal\"", "a = \"Nytt avtal\"");
        check("a = Nytt avtal # x", None, "a = \"Nytt avtal\"", "a = \"Nytt avtal\"");
        check("a = 0701740612", None, "a = \"0701740612\"", "a = \"0701740612\"");
        check("a = +46 70-174 06 12", None, "a = \"+46 70-174 06 12\"", "a = \"+46 70-174 06 12\"");
        check("a = 11 mars 2017", None, "a = \"11 mars 2017\"", "a = \"11 mars 2017\"");
        check("a = [”ett”, \"två\"]", Curly, "a = \"ett\"", "a = [\"ett\", \"två\"]");
    }

    #[test]
    fn what_is_toml_stays() {
        for line in [
            "a = \"”x”\"",
            "a = 2017-05-01 09:30:00",
            "a = 09:30:00",
            "a = 0001-01-01",
            "a = +5",
            "a = 0xff # ”x”",
            "a = '\"'",
            "a = \"x\" # \"y\"",
            "[a]",
            "a = \"\"\"\nb = ”x”\nc = d\n\"\"\"",
            "a = [\"x\", '”y”']",
        ] {
            assert_eq!(repair(line), (Vec::new(), line.to_owned()), "{line}");
        }
    }
}
