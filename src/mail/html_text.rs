//! Converts HTML mail to text for programs: one pass whose cost grows with the length of the input only. Failed
//! searches are not repeated, so repeated unclosed elements do not make it slow.
//!
//! [`html_to_text`] returns flat text: commands, answers and diagnoses are on separate lines. [`structure`] returns
//! the lines of a reply, each with its kind: the sender's own, quoted, a signature.

use memchr::{memchr, memchr2, memmem};

mod entities;
pub(crate) mod structure;

/// Elements that end a line before and after them.
const BLOCKS: [&str; 26] = [
    "address",
    "article",
    "blockquote",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "p",
    "pre",
    "section",
    "table",
    "title",
    "tr",
    "ul",
];
/// Elements whose content is not text.
const SILENT: [&str; 5] = ["script", "style", "template", "head", "xml"];
/// Maximum length of a tag, in bytes.
const TAG: usize = 64 * 1024;

/// Receives the pieces of HTML, in order.
trait Visitor {
    /// Text with entities decoded.
    fn text(&mut self, text: &str);
    /// An opening tag, or that of a void element.
    fn open(&mut self, tag: &Tag<'_>);
    /// A closing tag.
    fn close(&mut self, name: &str);
}

/// A tag, without its angle brackets.
struct Tag<'a> {
    name: &'a str,
    inside: &'a str,
}

/// The text of an HTML part: without tags, one line for each block, spaces collapsed. Text in angle brackets that
/// looks like an address and not like a tag is kept, because many servers forget to escape it.
pub fn html_to_text(html: &str) -> String {
    if !has_elements(html) {
        return html.to_owned();
    }
    let mut flat = Flat { out: String::with_capacity(html.len() / 2) };
    walk(html, &mut flat);
    flat.out
}

/// Whether it contains HTML elements at all: some programs only label it so, and their line ends matter.
fn has_elements(html: &str) -> bool {
    let bytes = html.as_bytes();
    memchr::memchr_iter(b'<', bytes).any(|at| {
        let rest = &bytes[at + 1..];
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let length = rest.iter().take(12).take_while(|o| o.is_ascii_alphanumeric()).count();
        let name = &rest[..length];
        let known = ["html", "body", "a", "b", "i", "img", "span", "font", "td", "head", "strong", "em", "ol", "style"];
        let ends = rest.get(length).is_none_or(|o| matches!(o, b'>' | b'/') || o.is_ascii_whitespace());
        ends && known.iter().chain(&BLOCKS).any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
    })
}

fn walk(html: &str, visitor: &mut dyn Visitor) {
    let bytes = html.as_bytes();
    let mut walk = Walk { html, never_closed: [false; SILENT.len()] };
    let mut at = 0;
    while let Some(next) = memchr2(b'<', b'&', &bytes[at..]) {
        if next > 0 {
            visitor.text(&html[at..at + next]);
        }
        at += next;
        at = if bytes[at] == b'<' { walk.tag(at, visitor) } else { reference(html, at, visitor) };
    }
    if at < html.len() {
        visitor.text(&html[at..]);
    }
}

struct Walk<'a> {
    html: &'a str,
    /// Silent elements known to have no closing tag in the rest: searched for once.
    never_closed: [bool; SILENT.len()],
}

impl Walk<'_> {
    /// Reads the tag that begins at `at`; returns where the text continues.
    fn tag(&mut self, at: usize, visitor: &mut dyn Visitor) -> usize {
        let html = self.html;
        if html[at..].starts_with("<!--") {
            // An unclosed comment extends to the end, as in browsers.
            return memmem::find(&html.as_bytes()[at + 2..], b"-->").map_or(html.len(), |end| at + 2 + end + 3);
        }
        let near = &html.as_bytes()[at + 1..html.len().min(at + TAG)];
        let end = match memchr2(b'<', b'>', near) {
            Some(end) if near[end] == b'>' => at + 1 + end,
            _ => {
                visitor.text("<");
                return at + 1;
            }
        };
        let (inside, after) = (&html[at + 1..end], end + 1);
        // HTML §13.2.5.6: any other character makes it text.
        if !inside.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '!' | '?')) {
            visitor.text("<");
            return at + 1;
        }
        if inside.contains('@') && !inside.contains(['=', ' ', '"']) {
            visitor.text(&html[at..after]);
            return after;
        }
        let (closes, bare) = match inside.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, inside),
        };
        let length = bare.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = &bare[..length];
        if closes {
            visitor.close(name);
            return after;
        }
        visitor.open(&Tag { name, inside });
        match SILENT.iter().position(|one| one.eq_ignore_ascii_case(name)) {
            Some(silent) if !inside.ends_with('/') => self.after_close(after, silent),
            _ => after,
        }
    }

    /// The position after the closing tag of a silent element. An unclosed one hides nothing: a stray tag must not
    /// hide the rest of a message.
    fn after_close(&mut self, from: usize, silent: usize) -> usize {
        if self.never_closed[silent] {
            return from;
        }
        let (bytes, name) = (self.html.as_bytes(), SILENT[silent].as_bytes());
        for found in memmem::find_iter(&bytes[from..], b"</") {
            let begin = from + found + 2;
            let end = begin + name.len();
            let closes = bytes.get(begin..end).is_some_and(|one| one.eq_ignore_ascii_case(name))
                && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
            if closes {
                return memchr(b'>', &bytes[end..]).map_or(bytes.len(), |close| end + close + 1);
            }
        }
        self.never_closed[silent] = true;
        from
    }
}

/// Reads the character reference that begins at `at`, if it is one; returns where the text continues.
fn reference(html: &str, at: usize, visitor: &mut dyn Visitor) -> usize {
    let near = &html[at + 1..html.floor_char_boundary(at + entities::LONGEST)];
    match near.find(';').and_then(|end| Some((end, entities::decode(&near[..end])?))) {
        Some((end, decoded)) => {
            match decoded {
                entities::Decoded::Text(text) => visitor.text(text),
                entities::Decoded::Character(character) => visitor.text(character.encode_utf8(&mut [0; 4])),
            }
            at + end + 2
        }
        None => {
            visitor.text("&");
            at + 1
        }
    }
}

/// Whether an element of this name ends a line.
fn is_block(name: &str) -> bool {
    BLOCKS.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn is_cell(name: &str) -> bool {
    name.eq_ignore_ascii_case("td") || name.eq_ignore_ascii_case("th")
}

struct Flat {
    out: String,
}

impl Flat {
    fn end_line(&mut self) {
        let length = self.out.trim_end_matches(' ').len();
        self.out.truncate(length);
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn element(&mut self, name: &str) {
        if is_block(name) {
            self.end_line();
        } else if is_cell(name) && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }
}

impl Visitor for Flat {
    fn text(&mut self, text: &str) {
        push_text(&mut self.out, text);
    }

    fn open(&mut self, tag: &Tag<'_>) {
        self.element(tag.name);
    }

    fn close(&mut self, name: &str) {
        self.element(name);
    }
}

/// Collapses white space to one space, or to none at the beginning of a line.
fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            c if c.is_whitespace() && (out.is_empty() || out.ends_with([' ', '\n'])) => {}
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
