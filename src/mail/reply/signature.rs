//! Whether the text below, or in place of, the sender's words is a signature: names, functions, addresses, numbers. A
//! sentence is not a signature; then a person must read it.

use super::lines::{Written, is_decoration, plain};
use super::{ReplyReader, Sender};

/// Maximum number of words of a line in a signature; of one with an address or a number; of a closing.
const WORDS: usize = 7;
const WORDS_OF_CONTACT: usize = 14;
const WORDS_OF_CLOSING: usize = 10;
/// Maximum number of lines of a signature without introduction.
const LINES: usize = 12;
/// Maximum number of words of a greeting with a name.
const GREETING: usize = 4;

impl ReplyReader {
    /// Whether the sender wrote nothing, or only a greeting and a signature.
    pub(super) fn says_nothing(&self, form: &Written, sender: Sender<'_>) -> bool {
        let own = self.words_of(form);
        (own.is_empty() || self.is_signature(&own, sender)) && form.signature().all(|line| self.is_of_signature(line))
    }

    /// The lines with the sender's own text, without empty ones and a greeting at the top.
    pub(crate) fn words_of<'a>(&self, form: &'a Written) -> Vec<&'a str> {
        let mut own: Vec<&str> = form.own().filter(|line| !is_decoration(line)).collect();
        if own.first().is_some_and(|line| self.greets(line)) {
            own.remove(0);
        }
        own
    }

    /// Whether something else takes a clear word back: "PS. Nej, …" below it, a symbol that means no.
    pub(crate) fn takes_back(&self, form: &Written) -> bool {
        let says_no = |text: &str| self.refusing_symbols.iter().any(|symbol| text.contains(symbol.as_str()));
        form.lines.iter().any(|line| says_no(&line.text))
            || form.signature().any(|line| {
                let words = words(line);
                let first = words.first().map(String::as_str).unwrap_or_default();
                self.speaking.iter().any(|word| word == first)
                    || ["no", "non", "ne"].contains(&first)
                    || words.starts_with(&["p".to_owned(), "s".to_owned()])
            })
    }

    /// Whether a line is a greeting, possibly with a name.
    pub(crate) fn greets(&self, line: &str) -> bool {
        let words = words(line);
        let joined = words.join(" ");
        let begins = |greeting: &String| {
            joined.strip_prefix(greeting.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        words.len() <= GREETING
            && !line.contains('?')
            && !has_symbols(line)
            && !self.speaks(line)
            && self.greeting.iter().any(begins)
    }

    /// Whether these lines are a signature without introduction, as some programs put below every mail: the sender's
    /// own name, followed by no sentence.
    pub(crate) fn is_signature(&self, lines: &[&str], sender: Sender<'_>) -> bool {
        let Some(first) = lines.first() else { return true };
        let local = words(sender.address.split('@').next().unwrap_or_default());
        let name = words(sender.name);
        let first = words(first);
        let names = |word: &String| local.contains(word) || name.contains(word);
        let is_name = match name.is_empty() {
            true => first.len() <= 3 && first.iter().any(names),
            false => !first.is_empty() && first.iter().all(names),
        };
        is_name && lines.len() <= LINES && lines.iter().all(|line| self.is_of_signature(line))
    }

    /// Whether a line may be part of a signature.
    fn is_of_signature(&self, line: &str) -> bool {
        let lower = plain(line);
        if self.is_of_program(&lower) {
            return true;
        }
        let count = words(line).iter().filter(|word| word.contains(char::is_alphabetic)).count();
        if self.speaks(line) || line.contains('?') || has_symbols(line) {
            return false;
        }
        let digits = line.chars().filter(char::is_ascii_digit).count();
        let is_contact = line.contains('@') || lower.contains("://") || lower.contains("www.") || digits >= 5;
        match self.closes(&lower) {
            true => count <= WORDS_OF_CLOSING,
            false if is_contact => count <= WORDS_OF_CONTACT,
            false => count <= WORDS && !line.ends_with(['.', '!', ':']),
        }
    }

    /// Whether a line has words that do not occur in names or addresses.
    fn speaks(&self, line: &str) -> bool {
        let words = words(line);
        let first = words.first().map(String::as_str).unwrap_or_default();
        self.speaking_first.iter().any(|word| word == first)
            || words.iter().any(|word| self.speaking.iter().any(|one| one == word))
    }
}

/// Whether a line has emoji, smileys or other symbols with an unclear meaning.
fn has_symbols(line: &str) -> bool {
    let is_symbol = |c: char| {
        !c.is_alphanumeric()
            && !c.is_whitespace()
            && !c.is_ascii_punctuation()
            && !matches!(c, '\u{a0}'..='\u{bf}' | '\u{300}'..='\u{36f}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{20a0}'..='\u{20bf}' | '\u{2122}' | '\u{2500}'..='\u{257f}' | '\u{fffd}' | '\u{25a0}'..='\u{25ff}')
    };
    line.chars().any(is_symbol) || !line.contains(char::is_alphanumeric)
}

/// Words in lower case, without surrounding punctuation.
fn words(text: &str) -> Vec<String> {
    let pieces = text
        .split(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';' | ':' | '_' | '/' | '+' | '-' | '!' | '?'));
    let bare = pieces.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    bare.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}
