//! The lines of an HTML reply, each with its kind: mail programs mark quotations and signatures by elements, classes
//! and ids. The marks are data (`[html]` in `mail/reply/reply.toml`).

use serde::Deserialize;

use super::{Tag, Visitor, is_block, is_cell, push_text, walk};

/// Stands for a picture in a line.
pub(crate) const PICTURE: char = '\u{fffc}';
/// Maximum number of pictures listed.
const MOST_PICTURES: usize = 200;
/// Elements that carry marks; referred to by their index. Others are ignored.
const TRACKED: [&str; 22] = [
    "blockquote",
    "div",
    "p",
    "span",
    "td",
    "tr",
    "table",
    "tbody",
    "font",
    "section",
    "article",
    "ul",
    "ol",
    "li",
    "b",
    "i",
    "strong",
    "em",
    "a",
    "center",
    "h1",
    "body",
];
const BLOCKQUOTE: usize = 0;
const PARAGRAPH: usize = 2;

const HIDDEN: u8 = 1;
const QUOTED: u8 = 2;
const SIGNATURE: u8 = 4;
const CONTAINER: u8 = 8;
const FLAGS: [u8; 4] = [HIDDEN, QUOTED, SIGNATURE, CONTAINER];

/// The marks used by mail programs, in lower case. Classes and ids are compared without their suffix, since programs
/// append numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shapes {
    /// Elements whose whole content is quoted, or introduces a quotation.
    quoted: Vec<String>,
    /// Elements in which only each `blockquote` is quoted.
    container: Vec<String>,
    /// Elements that begin a quotation up to the end of the text.
    begins: Vec<String>,
    /// Signatures.
    signature: Vec<String>,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The sender's own, or unmarked.
    Own,
    /// Quoted.
    Quoted,
    /// After a mark that begins a quotation with an unmarked end.
    Below,
    /// A signature.
    Signature,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HtmlLine {
    /// The text, with [`PICTURE`] and its description for each picture; empty between paragraphs.
    pub text: String,
    /// Its kind.
    pub place: Place,
}

/// The lines of an HTML part, and the pictures shown in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Structure {
    /// The visible lines, in order.
    pub lines: Vec<HtmlLine>,
    /// The Content-IDs of the pictures shown in it (RFC 2392).
    pub pictures: Vec<String>,
}

/// Parses HTML. Hidden text is left out.
pub(crate) fn structure(html: &str, shapes: &Shapes) -> Structure {
    let mut builder = Builder {
        shapes,
        found: Structure::default(),
        line: String::new(),
        place: Place::Own,
        stack: Vec::new(),
        open: [0; TRACKED.len()],
        depth: [0; FLAGS.len()],
        is_below: false,
    };
    walk(html, &mut builder);
    builder.end_line();
    builder.found
}

struct Builder<'a> {
    shapes: &'a Shapes,
    found: Structure,
    line: String,
    place: Place,
    /// Open elements: their index in [`TRACKED`], their flags.
    stack: Vec<(u8, u8)>,
    /// Number of open elements of each tracked kind, so that an unmatched closing tag costs nothing.
    open: [u32; TRACKED.len()],
    /// Number of open elements with each flag.
    depth: [u32; FLAGS.len()],
    is_below: bool,
}

impl Builder<'_> {
    fn has(&self, flag: u8) -> bool {
        FLAGS.iter().zip(self.depth).any(|(one, depth)| *one == flag && depth > 0)
    }

    fn here(&self) -> Place {
        match () {
            () if self.is_below => Place::Below,
            () if self.has(QUOTED) => Place::Quoted,
            () if self.has(SIGNATURE) => Place::Signature,
            () => Place::Own,
        }
    }

    fn end_line(&mut self) {
        if !self.line.trim().is_empty() {
            let text = std::mem::take(&mut self.line).trim().to_owned();
            self.found.lines.push(HtmlLine { text, place: self.place });
        }
        self.line.clear();
    }

    fn blank(&mut self) {
        self.end_line();
        if self.found.lines.last().is_some_and(|last| !last.text.is_empty()) {
            self.found.lines.push(HtmlLine { text: String::new(), place: self.here() });
        }
    }

    fn push(&mut self, text: &str) {
        if self.has(HIDDEN) {
            return;
        }
        let here = self.here();
        if here != self.place {
            self.end_line();
            self.place = here;
        }
        push_text(&mut self.line, text);
    }

    fn breaks(&mut self, name: &str) {
        if name.eq_ignore_ascii_case("br") {
            if self.line.trim().is_empty() { self.blank() } else { self.end_line() }
        } else if name.eq_ignore_ascii_case("p") {
            self.blank();
        } else if is_block(name) {
            self.end_line();
        } else if is_cell(name) {
            self.push(" ");
        }
    }

    fn begin(&mut self, element: usize, flags: u8) {
        if element <= PARAGRAPH {
            // A paragraph ends where the next block begins (HTML §13.1.2.4).
            while self.stack.last().is_some_and(|(top, _)| usize::from(*top) == PARAGRAPH) {
                self.pop();
            }
        }
        self.stack.push((element as u8, flags));
        self.open[element] += 1;
        FLAGS.iter().zip(&mut self.depth).for_each(|(flag, depth)| *depth += u32::from(flags & flag != 0));
    }

    fn pop(&mut self) {
        let Some((element, flags)) = self.stack.pop() else { return };
        self.open[usize::from(element)] -= 1;
        FLAGS.iter().zip(&mut self.depth).for_each(|(flag, depth)| *depth -= u32::from(flags & flag != 0));
    }

    fn flags(&mut self, element: usize, marks: &Marks<'_>) -> u8 {
        let mut flags = 0;
        let is = |list: &[String]| marks.names().any(|name| list.iter().any(|one| is_mark(name, one)));
        if marks.hidden {
            flags |= HIDDEN;
        }
        if is(&self.shapes.signature) {
            flags |= SIGNATURE;
        }
        if is(&self.shapes.container) {
            flags |= CONTAINER;
        }
        let quotes = element == BLOCKQUOTE && (marks.cites || marks.ruled || self.has(CONTAINER));
        if quotes || is(&self.shapes.quoted) || marks.ruled && marks.name.is_some_and(|name| name == "quote") {
            flags |= QUOTED;
        }
        if is(&self.shapes.begins) && !self.has(QUOTED) {
            self.end_line();
            self.is_below = true;
        }
        flags
    }

    fn picture(&mut self, tag: &Tag<'_>) {
        let (mut alt, mut source, mut tiny) = ("", "", false);
        for (name, value) in attributes(tag.inside) {
            match name {
                _ if name.eq_ignore_ascii_case("alt") => alt = value,
                _ if name.eq_ignore_ascii_case("src") => source = value,
                _ if name.eq_ignore_ascii_case("width") || name.eq_ignore_ascii_case("height") => {
                    tiny |= matches!(value.trim_end_matches("px"), "0" | "1");
                }
                _ if name.eq_ignore_ascii_case("style") => tiny |= is_hidden(value),
                _ => {}
            }
        }
        let id = source.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("cid:")).map(|_| &source[4..]);
        if let Some(id) = id.filter(|_| self.found.pictures.len() < MOST_PICTURES) {
            self.found.pictures.push(id.to_owned());
        }
        if tiny {
            return;
        }
        self.push(&format!(" {PICTURE} "));
        let is_file = alt.rsplit_once('.').is_some_and(|(_, ending)| (3..=4).contains(&ending.len()));
        if !is_file {
            self.push(alt);
            self.push(" ");
        }
    }
}

impl Visitor for Builder<'_> {
    fn text(&mut self, text: &str) {
        self.push(text);
    }

    fn open(&mut self, tag: &Tag<'_>) {
        self.breaks(tag.name);
        if tag.name.eq_ignore_ascii_case("img") {
            self.picture(tag);
            return;
        }
        let element = TRACKED.iter().position(|one| one.eq_ignore_ascii_case(tag.name));
        if element.is_none() && !tag.name.eq_ignore_ascii_case("hr") {
            return;
        }
        let marks = Marks::read(tag.inside);
        let flags = self.flags(element.unwrap_or(usize::MAX), &marks);
        if let Some(element) = element.filter(|_| !tag.inside.ends_with('/')) {
            self.begin(element, flags);
        }
    }

    fn close(&mut self, name: &str) {
        self.breaks(name);
        let Some(element) = TRACKED.iter().position(|one| one.eq_ignore_ascii_case(name)) else { return };
        // Unclosed elements inside are closed with it: each element is removed from the stack once.
        while self.open[element] > 0 {
            let top = self.stack.last().map(|(top, _)| usize::from(*top));
            self.pop();
            if top == Some(element) {
                break;
            }
        }
    }
}

/// The marks in an element's attributes.
#[derive(Default)]
struct Marks<'a> {
    class: Option<&'a str>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    cites: bool,
    hidden: bool,
    ruled: bool,
}

impl<'a> Marks<'a> {
    fn read(inside: &'a str) -> Self {
        let mut marks = Self::default();
        for (name, value) in attributes(inside) {
            let is = |one: &str| name.eq_ignore_ascii_case(one);
            if is("class") {
                marks.class = Some(value);
            } else if is("id") {
                marks.id = Some(value);
            } else if is("name") {
                marks.name = Some(value);
            } else if is("type") || is("cite") {
                marks.cites |= is("cite") || value.eq_ignore_ascii_case("cite");
            } else if is("hidden") {
                marks.hidden = true;
            } else if is("style") {
                marks.hidden |= is_hidden(value);
                marks.ruled |= declarations(value).any(|(name, value)| {
                    (name == "border-left" || name.starts_with("border-left-width"))
                        && !value.starts_with('0')
                        && !value.starts_with("none")
                });
            }
        }
        marks
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        let words = self.class.unwrap_or_default().split_ascii_whitespace();
        words.chain(self.id).chain(self.name)
    }
}

/// Whether a class or id is this mark, possibly with a prefix by a mail service or a number as suffix.
fn is_mark(name: &str, mark: &str) -> bool {
    let Some(at) = name.len().checked_sub(mark.len()).filter(|at| name.is_char_boundary(*at)) else { return false };
    let ends = name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(mark))
        && (at == 0 || name[..at].ends_with(['_', '-']));
    let begins = name.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark))
        && name[mark.len()..].chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | '-'));
    ends || begins
}

/// The attributes of a tag (HTML §13.1.2.3): name and value, not decoded.
fn attributes(inside: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = inside.trim_start_matches(|c: char| !c.is_ascii_whitespace());
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let length = rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len());
        let name = &rest[..length];
        let after = rest[length..].trim_start();
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
            rest = after;
            return Some((name, ""));
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        rest = after;
        Some((name, value))
    })
}

/// The declarations of a style attribute, in lower case, without spaces.
fn declarations(style: &str) -> impl Iterator<Item = (String, String)> {
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    style.split(';').filter_map(move |one| one.split_once(':').map(|(name, value)| (plain(name), plain(value))))
}

/// Whether a style hides an element: not displayed, or of size zero.
fn is_hidden(style: &str) -> bool {
    let number = |value: &str| {
        let length = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
        value[..length].parse::<f64>().ok()
    };
    declarations(style).any(|(name, value)| match name.as_str() {
        "display" => value.starts_with("none"),
        "visibility" => value.starts_with("hidden"),
        "mso-hide" => value.starts_with("all"),
        "font-size" => number(&value).is_some_and(|size| size <= 1.0) && !value.contains("em") && !value.contains('%'),
        "max-height" | "opacity" => number(&value).is_some_and(|size| size == 0.0),
        _ => false,
    })
}
