//! Finishes a line: no-break spaces, bare addresses as links, lines that begin with a dash or a bullet.

use super::{Inline, Reading};
use crate::render::links;

/// Marks that begin a separate line, even within a paragraph.
pub(super) const LINE_MARKS: [&str; 5] = ["– ", "— ", "• ", "· ", "▪ "];

/// Superscript and subscript digits and signs in Unicode.
pub(super) const RAISED: (&str, &str) = ("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ");
pub(super) const LOWERED: (&str, &str) = ("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎");

/// Maximum number of small characters between two marks.
const SMALL: usize = 8;

/// A text in superscript or subscript characters; `None` if one of them has no such form.
pub(super) fn small(text: &str, (plain, small): (&str, &str)) -> Option<String> {
    text.chars().map(|c| small.chars().nth(plain.chars().position(|p| p == c)?)).collect()
}

pub(super) fn raised(number: &str) -> String {
    small(number, RAISED).unwrap_or_else(|| number.to_owned())
}

/// Converts `H~2~O` and `x^2^` within a word, which the parser leaves unchanged.
fn with_small_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['~', '^']) {
        let table = if rest[at..].starts_with('~') { LOWERED } else { RAISED };
        let mark = &rest[at..=at];
        let inside = rest[at + 1..].split(mark).next().filter(|inside| (1..=SMALL).contains(&inside.len()));
        let closed = inside.filter(|inside| rest[at + 1 + inside.len()..].starts_with(mark));
        let after_letter = rest[..at].ends_with(char::is_alphanumeric);
        match closed.filter(|_| after_letter).and_then(|inside| Some((inside, small(inside, table)?))) {
            Some((inside, small)) => {
                out.push_str(&rest[..at]);
                out.push_str(&small);
                rest = &rest[at + 2 + inside.len()..];
            }
            None => {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

/// The plain text of inlines.
pub(crate) fn text_of(inlines: &[Inline]) -> String {
    let mut text = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(t) | Inline::Code(t) => text.push_str(t),
            Inline::Html(_) => {}
            Inline::Strong(more)
            | Inline::Emphasis(more)
            | Inline::Struck(more)
            | Inline::Link(_, more)
            | Inline::Image(_, more) => text.push_str(&text_of(more)),
            Inline::Picture(picture) => text.push_str(picture.alt.as_deref().unwrap_or_default()),
            Inline::SoftBreak | Inline::HardBreak => text.push(' '),
        }
    }
    text
}

/// A text that is not Markdown: its lines, with bare addresses as links.
pub(crate) fn plain_inlines(text: &str, reading: &Reading) -> Vec<Inline> {
    finish(vec![Inline::Text(text.to_owned())], reading)
}

/// Finishes the inlines of a block, as a release requires.
pub(super) fn finish(inlines: Vec<Inline>, reading: &Reading) -> Vec<Inline> {
    if !reading.of_releases {
        return inlines;
    }
    let mut out = finished(inlines, reading, true);
    keep_lines(&mut out);
    out
}

fn finished(inlines: Vec<Inline>, reading: &Reading, with_links: bool) -> Vec<Inline> {
    let (mut out, mut run) = (Vec::new(), String::new());
    for inline in inlines {
        match inline {
            Inline::Text(text) => run.push_str(&text),
            Inline::SoftBreak => run.push('\n'),
            other => {
                end_run(&mut out, &mut run, reading, with_links);
                out.push(match other {
                    Inline::Strong(more) => Inline::Strong(finished(more, reading, with_links)),
                    Inline::Emphasis(more) => Inline::Emphasis(finished(more, reading, with_links)),
                    Inline::Struck(more) => Inline::Struck(finished(more, reading, with_links)),
                    Inline::Link(to, more) => Inline::Link(to, finished(more, reading, false)),
                    other => other,
                });
            }
        }
    }
    end_run(&mut out, &mut run, reading, with_links);
    out
}

/// Ends a run of text: spaces first, because a number may continue over the end of a line; then links.
fn end_run(out: &mut Vec<Inline>, run: &mut String, reading: &Reading, with_links: bool) {
    if run.is_empty() {
        return;
    }
    let text = reading.typography.keep_together(&with_small_digits(&std::mem::take(run)));
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            out.push(Inline::SoftBreak);
        }
        let found = if with_links { links::find(line) } else { Vec::new() };
        let mut done = 0;
        for (range, target) in found {
            push_text(out, &line[done..range.start]);
            out.push(Inline::Link(target, vec![Inline::Text(line[range.clone()].to_owned())]));
            done = range.end;
        }
        push_text(out, &line[done..]);
    }
}

fn push_text(out: &mut Vec<Inline>, text: &str) {
    if !text.is_empty() {
        out.push(Inline::Text(text.to_owned()));
    }
}

/// Keeps lines that each begin with a dash or a bullet: for Markdown they are one paragraph, for their author they
/// are not.
fn keep_lines(inlines: &mut [Inline]) {
    let marked = |inline: Option<&Inline>| matches!(inline, Some(Inline::Text(text)) if LINE_MARKS.iter().any(|mark| text.starts_with(mark)));
    if !marked(inlines.first()) {
        return;
    }
    for at in 1..inlines.len() {
        if inlines[at] == Inline::SoftBreak && marked(inlines.get(at + 1)) {
            inlines[at] = Inline::HardBreak;
        }
    }
}
