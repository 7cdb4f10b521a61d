//! Splits a text into lines, sentences and clauses.

use std::borrow::Cow;

use super::{Words, words_of};

/// Maximum number of words in one clause.
const MAX_WORDS: usize = 60;

/// A sentence, without its end mark.
pub(super) struct Sentence<'a> {
    pub(super) text: &'a str,
    pub(super) asks: bool,
}

/// The role of a clause in its sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClauseKind {
    #[default]
    Main,
    Condition,
    Subordinate,
}

/// A part of a sentence that is interpreted alone.
#[derive(Debug, Default)]
pub(super) struct Clause {
    pub(super) words: Vec<String>,
    pub(super) after_but: bool,
    pub(super) relative: bool,
    pub(super) kind: ClauseKind,
}

impl Words {
    /// The sentences of a line. A full stop ends one only before a space, and not after an abbreviation or a single
    /// letter.
    pub(super) fn sentences<'a>(&self, line: &'a str) -> Vec<Sentence<'a>> {
        let mut out = Vec::new();
        let mut from = 0;
        for (at, mark) in line.char_indices() {
            let next = line[at + mark.len_utf8()..].chars().next();
            let ends = next.is_none_or(|c| c.is_whitespace() || !c.is_alphanumeric() && !"/=&%_-.".contains(c));
            let real = match mark {
                '?' | '!' | ';' | ':' => ends,
                '.' => {
                    let before = line[from..at].rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
                    ends && !self.abbreviations.contains(&before) && before.chars().count() != 1
                }
                '•' | '…' => true,
                _ => false,
            };
            if real {
                out.push(Sentence { text: &line[from..at], asks: mark == '?' });
                from = at + mark.len_utf8();
            }
        }
        out.push(Sentence { text: &line[from..], asks: false });
        // "Kommer ni?!" is a question as well.
        for at in 1..out.len() {
            if out[at].text.trim().is_empty() && out[at].asks {
                out[at - 1].asks = true;
            }
        }
        out
    }

    /// The clauses of a sentence: between commas, dashes and brackets, before "men" and "och", before a condition.
    pub(super) fn clauses(&self, sentence: &str) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for piece in sentence.split([',', '(', ')', '–', '—', '"', '”', '“', '/']).flat_map(|piece| piece.split(" - "))
        {
            let mut clause = Clause::default();
            let all = words_of(piece);
            for (at, word) in all.iter().enumerate() {
                let (but, relative) = (self.but.contains(word), self.relative.contains(word));
                let and = relative || self.and.contains(word);
                let rest = &all[at..];
                let kind = match (self.begins("condition", rest), self.begins("subordinate", rest)) {
                    (true, _) => Some(ClauseKind::Condition),
                    (_, true) => Some(ClauseKind::Subordinate),
                    _ => None,
                };
                if but || and || kind.is_some() || clause.words.len() >= MAX_WORDS {
                    let kind = kind.unwrap_or_default();
                    let next = Clause { after_but: but, relative, kind, words: Vec::new() };
                    let mut before = std::mem::replace(&mut clause, next);
                    // A "but" at the beginning of a piece belongs to what follows it, also after an "om jag".
                    if before.words.is_empty() {
                        clause.after_but |= before.after_but;
                        continue_with(&mut clause, but || and, word);
                        continue;
                    }
                    before.words.truncate(MAX_WORDS);
                    clauses.push(before);
                    continue_with(&mut clause, but || and, word);
                    continue;
                }
                clause.words.push(word.clone());
            }
            if !clause.words.is_empty() || clause.after_but {
                clauses.push(clause);
            }
        }
        clauses
    }
}

/// The word that begins a clause stays in it, unless it only joins two.
fn continue_with(clause: &mut Clause, joins: bool, word: &str) {
    if !joins {
        clause.words.push(word.to_owned());
    }
}

/// The lines of `text`, joined where a mail program only wrapped them: a line continues in the next one if that
/// begins with a lower-case letter.
pub(super) fn unwrapped(text: &str) -> Vec<Cow<'_, str>> {
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    for line in text.lines().map(str::trim) {
        let goes_on = line.chars().next().is_some_and(char::is_lowercase);
        match out.last_mut() {
            Some(last) if goes_on && !last.is_empty() && !last.ends_with(['.', '!', '?', ':']) => {
                let joined = last.to_mut();
                joined.push(' ');
                joined.push_str(line);
            }
            _ => out.push(Cow::Borrowed(line)),
        }
    }
    out
}
