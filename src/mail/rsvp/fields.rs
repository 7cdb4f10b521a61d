//! What people say about themselves in an answer: in labelled lines as the invitation asks for them, in a line of the
//! form "Name, newsroom, function", in the signature. Only what is clearly one of these; the rest stays in the
//! comment.

use super::Person;
use super::heads;
use super::words::{Words, words_of};

/// Maximum number of lines that are read.
const MAX_LINES: usize = 400;
/// Maximum bytes of one line that are read.
const MAX_LINE: usize = 2000;
/// Maximum bytes of a field that are kept.
const MAX_FIELD: usize = 200;

/// A text, split into fields and the rest.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) person: Person,
    /// Values of labels such as "Svar" or "Attending".
    pub(super) answers: Vec<String>,
    /// Number of labelled fields about the person.
    pub(super) labelled: usize,
    /// The text that is neither field nor signature.
    pub(super) free: String,
}

/// Parses a text.
pub(super) fn read(text: &str, words: &Words) -> Fields {
    let mut fields = Fields::default();
    let mut lines = text.lines().take(MAX_LINES).map(|line| &line[..line.floor_char_boundary(MAX_LINE)]).peekable();
    let mut free: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(inline) = closing(line, words) {
            let signature: Vec<&str> = inline.into_iter().chain(lines.by_ref()).collect();
            sign(&mut fields, &signature, words);
            break;
        }
        let found = labelled(line, words);
        if found.is_empty() {
            free.push(line);
            continue;
        }
        for (label, mut value) in found {
            let next_is_value = |next: &&str| !next.trim().is_empty() && labelled(next, words).is_empty();
            if value.is_empty() && label != "other" && lines.peek().is_some_and(next_is_value) {
                value = cell(lines.next().unwrap_or_default());
            }
            if !fields.take(label, value, words) {
                free.push(line);
            }
        }
    }
    fields.free = free.join("\n").trim().to_owned();
    one_line_of_a_person(&mut fields, words);
    if fields.person.press_card.is_none() {
        fields.person.press_card = press_card(text);
    }
    if fields.person.people.is_none() {
        fields.person.people = heads::people(&fields.free, words);
    }
    fields
}

impl Fields {
    /// Takes a labelled value; `false` if the line is better read as text.
    fn take(&mut self, label: &str, value: String, words: &Words) -> bool {
        if value.is_empty() {
            return label != "comment";
        }
        let person = &mut self.person;
        let place = match label {
            "name" => &mut person.name,
            "newsroom" => &mut person.newsroom,
            "function" => &mut person.function,
            "press_card" => &mut person.press_card,
            "people" => {
                person.people = heads::number(&value, words).or(person.people);
                return true;
            }
            "answer" => {
                let short = value.split_whitespace().count() <= 4;
                if short {
                    self.answers.push(value);
                }
                return short;
            }
            "comment" => return false,
            _ => return true,
        };
        self.labelled += 1;
        match place {
            None => *place = Some(value),
            // A second person in the same mail.
            Some(before) if before.len() + value.len() < MAX_FIELD && *before != value => {
                before.push_str("; ");
                before.push_str(&value);
            }
            Some(_) => {}
        }
        true
    }
}

/// The labelled values of a line, e.g. "Namn: Karin Ek, Redaktion: Exempelbladet".
fn labelled<'a>(line: &str, words: &'a Words) -> Vec<(&'a str, String)> {
    let mut found: Vec<(&'a str, String)> = Vec::new();
    for piece in line.split_inclusive([',', ';', '|', '\t']) {
        match (label(piece, words), found.last_mut()) {
            (Some((name, rest)), _) => found.push((name, rest.to_owned())),
            (None, Some((_, last))) => last.push_str(piece),
            // Text before the first label means that the line is a sentence: "Hej: jag kommer".
            (None, None) if piece.trim().is_empty() => {}
            (None, None) => return Vec::new(),
        }
    }
    found.into_iter().map(|(name, value)| (name, cell(value.trim_end_matches([',', ';', '|', '\t'])))).collect()
}

/// The label at the beginning of a text and the text after its colon.
fn label<'a, 'b>(text: &'b str, words: &'a Words) -> Option<(&'a str, &'b str)> {
    let at = text.find([':', '='])?;
    let name = text[..at].trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut lists = words.labels.iter();
    let (field, _) = lists.find(|(_, names)| names.contains(&name))?;
    Some((field, &text[at + 1..]))
}

/// A value on one line, of bounded length, without marks of bold text and lists.
fn cell(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim_matches(|c: char| c.is_whitespace() || "*_[]<>\u{a0}".contains(c));
    let blank = text.chars().all(|c| !c.is_alphanumeric());
    if blank { String::new() } else { text[..text.floor_char_boundary(MAX_FIELD)].trim_end().to_owned() }
}

/// Whether a line closes the text ("Med vänlig hälsning"); then the rest of the same line, if any.
fn closing<'a>(line: &'a str, words: &Words) -> Option<Option<&'a str>> {
    let trimmed = line.trim().trim_start_matches('/');
    let lower = trimmed.to_lowercase();
    let phrase = words.closings.iter().filter(|phrase| lower.starts_with(phrase.as_str())).max_by_key(|p| p.len())?;
    // Positions correspond only if the lower-case form has the same number of bytes.
    let rest = trimmed.get(phrase.len()..).filter(|_| lower.len() == trimmed.len())?;
    if rest.starts_with(char::is_alphanumeric) || trimmed.split_whitespace().count() > 7 {
        return None;
    }
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let named = rest.is_empty() || is_name(rest) || rest.split(',').next().is_some_and(is_name);
    named.then_some((!rest.is_empty()).then_some(rest))
}

/// Parses a signature: the name first, then functions and newsrooms.
fn sign(fields: &mut Fields, lines: &[&str], words: &Words) {
    let mut lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).take(6);
    let Some(first) = lines.next() else { return };
    let mut pieces = first.split([',', '|']).map(cell);
    let name = pieces.next().unwrap_or_default();
    if is_name(&name) {
        fields.person.name.get_or_insert(name);
    } else {
        return;
    }
    let rest: Vec<String> = lines.flat_map(|line| line.split([',', '|', '/']).map(cell).collect::<Vec<_>>()).collect();
    for piece in pieces.chain(rest) {
        describe(fields, piece, words);
    }
}

/// Classifies a piece of a signature or of a person's line as a function or a newsroom.
fn describe(fields: &mut Fields, piece: String, words: &Words) {
    let label = piece.contains([':', '@', '/']) || piece.contains("www.") || piece.chars().any(|c| c.is_ascii_digit());
    if piece.is_empty() || piece.len() > 80 || label || piece.split_whitespace().count() > 6 {
        return;
    }
    let person = &mut fields.person;
    if words_of(&piece).iter().any(|word| words.functions.contains(word)) {
        person.function.get_or_insert(piece);
    } else if piece.chars().next().is_some_and(char::is_uppercase) {
        person.newsroom.get_or_insert(piece);
    }
}

/// Two to four words, each with a capital, as in names.
fn is_name(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let particles = ["af", "von", "van", "de", "der", "la", "el", "al"];
    let named = |word: &&str| {
        let begins = word.chars().next().is_some_and(char::is_uppercase) || particles.contains(word);
        begins && word.chars().all(|c| c.is_alphabetic() || "-'’.".contains(c))
    };
    (1..=4).contains(&words.len()) && text.len() <= 60 && words.iter().all(named)
}

/// "Karin Ek, reporter, Exempelbladet": a line with a name, a function and more.
fn one_line_of_a_person(fields: &mut Fields, words: &Words) {
    if fields.person.name.is_some() {
        return;
    }
    let free = std::mem::take(&mut fields.free);
    for line in free.lines() {
        let pieces: Vec<String> = line.trim_end_matches('.').split(',').map(cell).collect();
        let has_function = pieces.iter().skip(1).any(|p| words_of(p).iter().any(|word| words.functions.contains(word)));
        let named = pieces.first().is_some_and(|name| is_name(name) && name.contains(' '));
        if (2..=6).contains(&pieces.len()) && named && has_function {
            let mut pieces = pieces.into_iter();
            fields.person.name = pieces.next();
            pieces.for_each(|piece| describe(fields, piece, words));
            break;
        }
    }
    fields.free = free;
}

/// The number after "presskort" or "press card".
fn press_card(text: &str) -> Option<String> {
    let mut rest = &text[..text.floor_char_boundary(MAX_LINE * 10)];
    let lower = rest.to_lowercase();
    if lower.len() != rest.len() {
        return None;
    }
    let mut lower = lower.as_str();
    for _ in 0..20 {
        let found = ["presskort", "press card", "press id", "presslegitimation"].iter();
        let at = found.filter_map(|word| lower.find(word).map(|at| at + word.len())).min()?;
        (lower, rest) = (&lower[at..], &rest[at..]);
        let near = &rest[..rest.floor_char_boundary(40)];
        let near = near.split('\n').next().unwrap_or_default();
        let number = near.split(|c: char| !c.is_alphanumeric() && !"-/".contains(c));
        let number = number.take(4).find(|word| word.chars().filter(char::is_ascii_digit).count() >= 3);
        if let Some(number) = number {
            return Some(number.trim_matches(['-', '/']).to_owned());
        }
    }
    None
}
