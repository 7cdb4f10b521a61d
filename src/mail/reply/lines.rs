//! The lines of a reply, each with its kind: the sender's own text, a closing, a signature, a quotation.

use super::ReplyReader;
use super::unread::Unread;
use crate::mail::html_text::structure::{HtmlLine, PICTURE, Place};

/// Maximum bytes of a text that are read.
const MOST_BYTES: usize = 256 * 1024;
/// Maximum number of lines that are read.
const MOST_LINES: usize = 4000;
/// Maximum bytes of one line that are searched for marks.
const LONGEST: usize = 1000;
/// Minimum number of words of a paragraph that may be a disclaimer without introduction or below a signature.
const DISCLAIMER: usize = 8;
const DISCLAIMER_BELOW: usize = 3;
/// Minimum number of letters of a line that was wrapped and not ended.
const WRAPPED: usize = 40;

/// What the sender wrote, in one form of the mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The sender's lines in order, trimmed, including empty ones, without disclaimers.
    pub lines: Vec<Line>,
    /// The lines marked as quoted, without the marks.
    pub quoted: Vec<String>,
    /// The lines after a mark that begins a quotation without an end: quoted, or written below the quotation.
    pub below: Vec<String>,
}

/// One of the sender's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Its kind.
    pub kind: Kind,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Their own text.
    Own,
    /// A closing, such as "Mvh", or a line below one: a name, an address.
    Closing,
    /// A line below a mark that introduces a signature.
    Signature,
}

impl Written {
    pub(super) const NOTHING: Self = Self { lines: Vec::new(), quoted: Vec::new(), below: Vec::new() };

    /// The lines with their own text.
    pub(crate) fn own(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|line| line.kind == Kind::Own).map(|line| line.text.as_str())
    }

    /// The lines of closings and signatures that are not empty.
    pub(crate) fn signature(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().filter(|line| line.kind != Kind::Own && !is_decoration(&line.text));
        lines.map(|line| line.text.as_str())
    }

    fn push(&mut self, text: &str, kind: Kind) {
        self.lines.push(Line { text: text.to_owned(), kind });
    }
}

/// A line whose kind is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) text: String,
    pub(super) place: Place,
    /// Marked by a bar: some programs quote so, and people draw tables so.
    pub(super) is_barred: bool,
}

impl Raw {
    fn new(text: &str, place: Place) -> Self {
        let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        Self { text: text.trim().to_owned(), place, is_barred: false }
    }

    pub(super) fn is_quoted(&self) -> bool {
        self.place == Place::Quoted || self.is_barred
    }
}

/// The lines of plain text. RFC 3676 §4.5: quoted lines begin with `>`.
pub(super) fn plain_lines(text: &str, unread: &mut Vec<Unread>) -> Vec<Raw> {
    let whole = &text[..text.floor_char_boundary(MOST_BYTES)];
    if whole.len() < text.len() || whole.lines().nth(MOST_LINES).is_some() {
        unread.push(Unread::TooLong);
    }
    let mut lines = Vec::new();
    let mut armour = Armour::None;
    for line in whole.lines().take(MOST_LINES) {
        let line = line.trim();
        // RFC 9580 §7: a text enclosed in its signature.
        match (line, &armour) {
            ("-----BEGIN PGP SIGNED MESSAGE-----", _) => armour = Armour::Header,
            ("-----BEGIN PGP SIGNATURE-----", _) => armour = Armour::Signature,
            ("-----END PGP SIGNATURE-----", _) | ("", Armour::Header) => armour = Armour::None,
            (_, Armour::Header | Armour::Signature) => {}
            (line, Armour::None) => {
                let mut raw = Raw::new(&with_pictures(line), Place::Own);
                if raw.text.starts_with('>') && !is_in_brackets(&lines) {
                    raw.text = raw.text.trim_start_matches(['>', ' ', '\u{a0}']).to_owned();
                    raw.place = Place::Quoted;
                } else if raw.text.starts_with('|') {
                    raw.is_barred = true;
                }
                lines.push(raw);
            }
        }
    }
    lines
}

/// Whether an address is open whose closing bracket was folded onto the next line, as in an attribution.
fn is_in_brackets(lines: &[Raw]) -> bool {
    let last = lines.iter().rev().take(2).take_while(|line| line.place == Place::Own && !line.text.is_empty());
    let before: String = last.collect::<Vec<_>>().iter().rev().map(|line| line.text.as_str()).collect();
    before.rsplit_once('<').is_some_and(|(_, open)| open.contains('@') && !open.contains('>'))
}

enum Armour {
    None,
    Header,
    Signature,
}

/// The lines of HTML.
pub(super) fn html_lines(lines: Vec<HtmlLine>) -> Vec<Raw> {
    lines.iter().map(|line| Raw::new(&line.text, line.place)).collect()
}

/// Cuts off what exceeds the limits.
pub(super) fn bound(lines: &mut Vec<Raw>, unread: &mut Vec<Unread>) {
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        unread.push(Unread::TooLong);
    }
}

impl ReplyReader {
    /// Determines the kind of each line.
    pub(super) fn written(&self, lines: Vec<Raw>, unread: &mut Vec<Unread>) -> Written {
        let mut written = Written::default();
        let (mut kind, mut is_below, mut at) = (Kind::Own, false, 0);
        while let Some(line) = lines.get(at) {
            let here = at;
            at += 1;
            let plain = plain(&line.text);
            if line.place == Place::Quoted {
                written.quoted.push(line.text.clone());
                // Text below a quotation is new, whatever was above it.
                kind = Kind::Own;
                continue;
            }
            if line.place == Place::Below || is_below || line.is_barred {
                written.below.push(line.text.clone());
                continue;
            }
            if self.is_unreadable(&plain) {
                unread.push(Unread::Armour);
                continue;
            }
            let begins = self.divides(&plain) || self.heads_quotation(&lines[here..]);
            if begins || is_rule(&plain) && self.quotation_follows(&lines[at..]) {
                is_below = begins;
                continue;
            }
            if let Some(length) = self.attribution(&lines[here..]) {
                at = here + length;
                // A quotation without marks has no detectable end.
                is_below = !lines[at..].iter().find(|line| !line.text.is_empty()).is_some_and(Raw::is_quoted);
                continue;
            }
            if let Some(length) =
                self.disclaims(&lines[here..], here == 0 || lines[here - 1].text.is_empty(), kind, &written)
            {
                at = here + length;
                let is_top = written.own().all(str::is_empty) && kind == Kind::Own;
                kind = if is_top { kind } else { Kind::Signature };
                continue;
            }
            // RFC 3676 §4.3: the signature separator.
            if line.text == "--" || is_rule(&plain) || line.place == Place::Signature || self.is_of_program(&plain) {
                kind = Kind::Signature;
            } else if kind == Kind::Own && self.closes(&plain) {
                kind = Kind::Closing;
            }
            let text = line.text.replace(PICTURE, " ");
            let text = text.trim();
            if text.len() < line.text.len()
                && kind == Kind::Own
                && written.own().all(str::is_empty)
                && is_decoration(text)
            {
                unread.push(Unread::Picture);
            }
            if line.text != "--" && !is_rule(&plain) {
                written.push(text, kind);
            }
        }
        written
    }

    /// Whether a quotation begins below a horizontal rule.
    fn quotation_follows(&self, lines: &[Raw]) -> bool {
        let Some(next) = lines.iter().position(|line| !line.text.is_empty()) else { return false };
        self.divides(&plain(&lines[next].text)) || self.heads_quotation(&lines[next..])
    }

    fn is_unreadable(&self, plain: &str) -> bool {
        let encoded = plain.strip_prefix("begin ").and_then(|rest| rest.split_once(' ')).is_some_and(|(mode, _)| {
            (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'))
        });
        encoded || self.armour.iter().any(|begin| plain.starts_with(begin.as_str()))
    }

    pub(super) fn is_of_program(&self, plain: &str) -> bool {
        self.program.iter().any(|begin| begins_with_words(plain, begin))
    }

    pub(super) fn closes(&self, plain: &str) -> bool {
        let alone = plain.trim_end_matches(|c: char| !c.is_alphanumeric());
        self.closing.iter().any(|closing| begins_with_words(plain, closing))
            || self.closing_alone.iter().any(|closing| closing == alone)
    }

    /// Number of lines of the disclaimer, or of a gateway's banner at the top, that begins here. A sentence by the
    /// sender that contains such a phrase is kept.
    fn disclaims(&self, lines: &[Raw], begins: bool, kind: Kind, written: &Written) -> Option<usize> {
        let is_of_paragraph = |line: &&Raw| !line.text.is_empty() && line.place == lines[0].place && !line.is_barred;
        // Within a paragraph only its own lines are examined, so that each is examined twice at most.
        let most = if begins { lines.len() } else { 1 };
        let paragraph: Vec<&str> =
            lines.iter().take(most).take_while(is_of_paragraph).map(|line| line.text.as_str()).collect();
        let (_, others) = paragraph.split_last()?;
        let is_wrapped = others.iter().all(|line| line.chars().count() >= WRAPPED);
        let (text, length) = match is_wrapped {
            true => (paragraph.join(" "), paragraph.len()),
            false => (paragraph.first().copied().unwrap_or_default().to_owned(), 1),
        };
        let lower = plain_whole(&text);
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).collect();
        let has = |phrases: &[String]| phrases.iter().any(|phrase| lower.contains(phrase.as_str()));
        let is_top = kind == Kind::Own && written.own().all(str::is_empty);
        let least = if kind == Kind::Own { DISCLAIMER } else { DISCLAIMER_BELOW };
        let is_phrase = has(&self.disclaimer) && words.len() >= least || is_top && has(&self.banner);
        let own = words.iter().any(|word| self.personal.iter().any(|one| one == word))
            || text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "I");
        (is_phrase && !own && !text.contains('?')).then_some(length)
    }
}

/// Lower case, without marks of bold and italic text, up to the searched length.
pub(super) fn plain(line: &str) -> String {
    plain_whole(&line[..line.floor_char_boundary(LONGEST)])
}

fn plain_whole(text: &str) -> String {
    text.chars().filter(|c| *c != '*').flat_map(char::to_lowercase).collect()
}

fn begins_with_words(line: &str, words: &str) -> bool {
    line.strip_prefix(words).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// A line of only dashes.
fn is_rule(plain: &str) -> bool {
    plain.chars().count() >= 10
        && plain.chars().all(|c| matches!(c, '_' | '-' | '=' | '\u{2013}' | '\u{2014}' | '\u{2500}'))
}

/// A line without meaning: empty, a dot, dashes. "..." needs a person's judgement.
pub(super) fn is_decoration(text: &str) -> bool {
    let hesitates = text.contains("..") && text.chars().all(|c| c == '.' || c.is_whitespace());
    !hesitates
        && text.chars().all(|c| {
            c.is_whitespace() || matches!(c, '.' | '-' | '_' | '*' | '=' | '~' | '\u{2013}' | '\u{2014}' | '\u{b7}')
        })
}

/// Invisible characters.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
        || c.is_control() && !c.is_whitespace()
}

/// Replaces texts that stand for a picture by a mark: `[cid:…]`, `[image: …]`, `<image001.png>`.
fn with_pictures(line: &str) -> std::borrow::Cow<'_, str> {
    let lower = line.trim();
    let inner = lower.strip_prefix(['[', '<']).and_then(|rest| rest.strip_suffix([']', '>']));
    let is_picture = inner.is_some_and(|inner| {
        let inner = inner.to_lowercase();
        let named = ["cid:", "image:", "bild:", "inline image", "billede:", "bilde:", "afbeelding:", "kuva:"];
        let file = [".png", ".jpg", ".jpeg", ".gif"];
        named.iter().any(|begin| inner.starts_with(begin)) || file.iter().any(|end| inner.ends_with(end))
    });
    if is_picture { PICTURE.to_string().into() } else { line.into() }
}
