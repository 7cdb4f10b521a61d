//! Renders blocks to HTML for mail: written, sanitised by an allow list, and only then styled, so that nothing in the
//! source can introduce a style, a script or a dangerous link.

use std::collections::{HashMap, HashSet};

use super::links::SCHEMES;
use super::markdown::{Block, Inline, Table, text_of};
use super::plain::SpeechMarks;
use crate::model::release::Speaker;

/// Elements that Markdown may produce.
const ELEMENTS: [&str; 30] = [
    "p",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "cite",
    "pre",
    "code",
    "a",
    "strong",
    "em",
    "b",
    "i",
    "br",
    "hr",
    "sub",
    "sup",
    "del",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "s",
];

/// Styles added after sanitising. Colours are mid-tones that stay legible when a mail program inverts the page.
const STYLES: [(&str, &str); 16] = [
    // Before those of the two alone: what follows in the item, such as a list, stands close to it.
    ("<li><p>", "<li style=\"margin:0 0 6px\"><p style=\"margin:0 0 6px\">"),
    ("<p>", "<p style=\"margin:0 0 16px\">"),
    ("<h2>", "<h2 style=\"margin:28px 0 8px;font-size:20px;line-height:1.3\">"),
    ("<h3>", "<h3 style=\"margin:24px 0 8px;font-size:17px;line-height:1.3\">"),
    ("<h4>", "<h4 style=\"margin:20px 0 8px;font-size:16px;line-height:1.3\">"),
    ("<ul>", "<ul style=\"margin:0 0 16px;padding:0 0 0 24px\">"),
    ("<ol>", "<ol style=\"margin:0 0 16px;padding:0 0 0 24px\">"),
    ("<li>", "<li style=\"margin:0 0 6px\">"),
    ("<blockquote>", "<blockquote style=\"margin:0 0 16px;padding:0 0 0 16px;border-left:3px solid #7a8ca0\">"),
    ("<cite>", "<cite style=\"display:block;margin:-8px 0 0;font-style:normal;font-weight:bold\">"),
    // A line of code that is broken can be read; one that is not makes the whole mail wider than a telephone.
    ("<pre>", "<pre style=\"margin:0 0 16px;white-space:pre-wrap\">"),
    ("<a href=", "<a style=\"color:#2f6fb0\" href="),
    (
        "<table>",
        "<table cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 16px;border-collapse:collapse;font-size:16px\">",
    ),
    ("<th ", "<th valign=\"top\" style=\"padding:4px 16px 4px 0;border-bottom:1px solid #7a8ca0\" "),
    ("<td ", "<td valign=\"top\" style=\"padding:4px 16px 4px 0;border-bottom:1px solid #7a8ca0\" "),
    ("<hr>", "<hr style=\"border:0;border-top:1px solid #7a8ca0;margin:24px 0\">"),
];

/// Escapes the five characters that HTML requires, in text and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
    out
}

/// Enclose text that must not be broken, until it is sanitised; no text may contain these noncharacters.
const UNBROKEN: [char; 2] = ['\u{fdd2}', '\u{fdd3}'];

/// Maximum bytes of a range: a long address with a dash in it must be breakable.
const LONGEST_RANGE: usize = 32;

/// Escapes the text of an element and marks ranges such as `9.30–16.00`, because a line may break after their dash
/// (Unicode Standard Annex 14, class BA).
fn escape_words(text: &str) -> String {
    let text = text.replace(UNBROKEN, "");
    let dash = |word: &str| {
        let parts: Vec<&str> = word.split('\u{2013}').collect();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        parts.windows(2).any(|pair| digit(pair[0].chars().next_back()) && digit(pair[1].chars().next()))
    };
    let mut out = String::with_capacity(text.len() + 8);
    for piece in text.split_inclusive([' ', '\n', '\t']) {
        let word = piece.trim_end_matches([' ', '\n', '\t']);
        if word.len() <= LONGEST_RANGE && dash(word) {
            out.push_str(&format!("{}{}{}{}", UNBROKEN[0], escape(word), UNBROKEN[1], &piece[word.len()..]));
        } else {
            out.push_str(&escape(piece));
        }
    }
    out
}

/// Writes, sanitises and styles. Create one per release: it holds the tables of the sanitiser.
pub(crate) struct HtmlWriter {
    sanitiser: ammonia::Builder<'static>,
}

impl Default for HtmlWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl HtmlWriter {
    /// Creates a writer with the allow list of this file.
    pub(crate) fn new() -> Self {
        let mut sanitiser = ammonia::Builder::new();
        sanitiser
            .tags(HashSet::from(ELEMENTS))
            .generic_attributes(HashSet::new())
            .tag_attributes(HashMap::from([
                ("a", HashSet::from(["href"])),
                ("ol", HashSet::from(["start"])),
                ("th", HashSet::from(["scope", "align"])),
                ("td", HashSet::from(["align"])),
            ]))
            .url_schemes(HashSet::from(SCHEMES))
            .url_relative(ammonia::UrlRelative::Deny)
            .link_rel(None);
        Self { sanitiser }
    }

    /// Renders blocks as HTML.
    pub(crate) fn blocks(&self, blocks: &[Block], marks: &SpeechMarks) -> String {
        let mut raw = String::new();
        blocks.iter().for_each(|block| push_block(&mut raw, block, marks));
        self.finish(&raw)
    }

    /// Renders inlines as HTML, without a paragraph around them.
    pub(crate) fn inlines(&self, inlines: &[Inline]) -> String {
        let mut raw = String::new();
        push_inlines(&mut raw, inlines);
        self.finish(&raw)
    }

    fn finish(&self, raw: &str) -> String {
        let mut html = self.sanitiser.clean(raw).to_string();
        // After sanitising only `a`, `ol` and cells have attributes, and text contains no `<`.
        for (plain, styled) in STYLES {
            html = html.replace(plain, styled);
        }
        for (mark, tag) in UNBROKEN.iter().zip(["<span style=\"white-space:nowrap\">", "</span>"]) {
            html = html.replace(*mark, tag);
        }
        html
    }
}

fn push_block(out: &mut String, block: &Block, marks: &SpeechMarks) {
    match block {
        Block::Paragraph(inlines) => element(out, "p", |out| push_inlines(out, inlines)),
        Block::Heading(level, inlines) => element(out, &format!("h{level}"), |out| push_inlines(out, inlines)),
        Block::List { first, items } => push_list(out, *first, items, marks),
        Block::Quote { blocks, speaker } => push_quote(out, blocks, speaker.as_ref(), marks),
        Block::Speech(blocks) => {
            out.push_str("<blockquote>");
            push_speech(out, blocks, marks);
            out.push_str("</blockquote>\n");
        }
        Block::Table(table) => push_table(out, table),
        Block::Code(text) => element(out, "pre", |out| out.push_str(&escape(text))),
        Block::Rule => out.push_str("<hr>\n"),
    }
}

fn push_quote(out: &mut String, blocks: &[Block], speaker: Option<&Speaker>, marks: &SpeechMarks) {
    out.push_str("<blockquote>");
    match speaker {
        None => blocks.iter().for_each(|block| push_block(out, block, marks)),
        Some(speaker) => {
            push_speech(out, blocks, marks);
            out.push_str(&format!("<p><cite>{}</cite></p>", escape(&speaker.line())));
        }
    }
    out.push_str("</blockquote>\n");
}

/// Writes paragraphs of direct speech, each marked as the language requires.
fn push_speech(out: &mut String, blocks: &[Block], marks: &SpeechMarks) {
    for (place, block) in blocks.iter().enumerate() {
        match block {
            Block::Paragraph(inlines) if !block.is_name() => {
                let (open, close) = marks.around(&text_of(inlines));
                let close = if place + 1 == blocks.len() { close } else { "" };
                out.push_str(&format!("<p>{}", escape(open)));
                push_inlines(out, inlines);
                out.push_str(&format!("{}</p>\n", escape(close)));
            }
            _ => push_block(out, block, marks),
        }
    }
}

/// Writes a data table with a scope for each heading. If the corner is empty, the first column has headings, too.
fn push_table(out: &mut String, table: &Table) {
    let by_rows = table.head.first().is_some_and(Vec::is_empty);
    let cell = |out: &mut String, at: usize, heads: Option<&str>, inlines: &[Inline]| {
        let side = if table.right.get(at) == Some(&true) { "right" } else { "left" };
        match heads {
            Some(scope) => out.push_str(&format!("<th scope=\"{scope}\" align=\"{side}\">")),
            None => out.push_str(&format!("<td align=\"{side}\">")),
        }
        push_inlines(out, inlines);
        out.push_str(if heads.is_some() { "</th>" } else { "</td>" });
    };
    out.push_str("<table><thead><tr>");
    for (at, inlines) in table.head.iter().enumerate() {
        cell(out, at, (!inlines.is_empty()).then_some("col"), inlines);
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (at, inlines) in row.iter().enumerate() {
            cell(out, at, (at == 0 && by_rows).then_some("row"), inlines);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

fn push_list(out: &mut String, first: Option<u64>, items: &[Vec<Block>], marks: &SpeechMarks) {
    match first {
        Some(1) => out.push_str("<ol>"),
        Some(first) => out.push_str(&format!("<ol start=\"{first}\">")),
        None => out.push_str("<ul>"),
    }
    for item in items {
        out.push_str("<li>");
        match item.as_slice() {
            [Block::Paragraph(inlines)] => push_inlines(out, inlines),
            blocks => blocks.iter().for_each(|block| push_block(out, block, marks)),
        }
        out.push_str("</li>\n");
    }
    out.push_str(if first.is_some() { "</ol>\n" } else { "</ul>\n" });
}

fn element(out: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    out.push_str(&format!("<{name}>"));
    content(out);
    out.push_str(&format!("</{name}>\n"));
}

fn push_inlines(out: &mut String, inlines: &[Inline]) {
    for inline in inlines {
        match inline {
            Inline::Text(text) => out.push_str(&escape_words(text)),
            Inline::Html(raw) => out.push_str(raw),
            Inline::Code(text) => out.push_str(&format!("<code>{}</code>", escape(text))),
            Inline::Strong(more) => wrapped(out, "strong", more),
            Inline::Emphasis(more) => wrapped(out, "em", more),
            Inline::Struck(more) => wrapped(out, "del", more),
            Inline::Link(to, more) => {
                out.push_str(&format!("<a href=\"{}\">", escape(to)));
                push_inlines(out, more);
                out.push_str("</a>");
            }
            // A picture that is a paragraph of its own is a block of the release; `release check` reports others.
            Inline::Picture(picture) => out.push_str(&escape(&picture.words())),
            // An image elsewhere becomes a link, so that the mail fetches nothing.
            Inline::Image(source, alt) => {
                out.push_str(&format!("<a href=\"{}\">[{}]</a>", escape(source), escape(&text_of(alt))));
            }
            Inline::SoftBreak => out.push('\n'),
            Inline::HardBreak => out.push_str("<br>\n"),
        }
    }
}

fn wrapped(out: &mut String, name: &str, inlines: &[Inline]) {
    out.push_str(&format!("<{name}>"));
    push_inlines(out, inlines);
    out.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use super::super::markdown::{Reading, parse};
    use super::*;

    fn html(markdown: &str) -> String {
        let reading = Reading { of_releases: true, ..Reading::default() };
        HtmlWriter::new()
            .blocks(&parse(markdown, &reading), &SpeechMarks { dash: "– ".into(), ..SpeechMarks::default() })
    }

    #[test]
    fn what_may_not_be_is_taken_out() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<p style=\"position:fixed\" onclick=a>x</p>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](data:text/html,1)",
            "<iframe src=https://example.org></iframe>",
            "<svg><style>*{}</style></svg>",
            "<form action=https://example.org><input></form>",
            "![x](https://example.org/pixel.gif)",
        ] {
            let html = html(&format!("Före {hostile} efter\n\n{hostile}\n"));
            let lower = html.to_lowercase();
            for never in [
                "<script",
                "onerror",
                "onclick",
                "javascript:",
                "data:",
                "<iframe",
                "<svg",
                "<form",
                "<input",
                "<img",
                "fixed",
            ] {
                assert!(!lower.contains(never), "{hostile} gave {html}");
            }
            assert!(html.contains("Före"), "{html}");
        }
    }

    #[test]
    fn text_is_escaped_and_links_styled() {
        let html = html("A & B < C [l](https://example.org/?a=1&b=2)");
        assert!(html.contains("A &amp; B &lt; C"), "{html}");
        assert!(html.contains("<a style=\"color:#2f6fb0\" href=\"https://example.org/?a=1&amp;b=2\">l</a>"), "{html}");
    }

    #[test]
    fn a_table_has_headings_and_ranges_are_not_broken() {
        let html = html("| | 2026 |\n|---|--:|\n| Öppet | 9.30–16.00 |");
        for part in ["<th ", "scope=\"col\"", "scope=\"row\"", "<span style=\"white-space:nowrap\">9.30–16.00</span>"]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn a_quote_names_its_speaker() {
        let html = html("> Nu räcker det.\n> — Karin Ek, ordförande");
        assert!(html.contains("– Nu räcker det.</p>"), "{html}");
        assert!(html.contains(">Karin Ek, ordförande</cite>"), "{html}");
    }
}
