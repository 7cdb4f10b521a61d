//! Renders blocks to plain text. A paragraph is one line here, however long; [`super::flow`] wraps lines at the end.

use super::markdown::{Block, Inline, Table};
use super::plain_table::TextTable;

/// The links of a whole text, in order of first mention: each is a numbered note at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    links: Vec<String>,
}

impl Notes {
    /// The number of a link, from 1; repeated links share a number.
    pub(crate) fn number(&mut self, link: &str) -> usize {
        let known = self.links.iter().position(|l| l == link);
        known.unwrap_or_else(|| {
            self.links.push(link.to_owned());
            self.links.len() - 1
        }) + 1
    }

    /// The links in order.
    pub(crate) fn links(&self) -> &[String] {
        &self.links
    }
}

/// How speech is marked in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpeechMarks {
    /// Before the first line of each speech paragraph, e.g. `– ` in Swedish; empty where quotation marks are used.
    pub dash: String,
    /// The opening mark, if there is no dash.
    pub open: String,
    /// The closing mark, if there is no dash.
    pub close: String,
}

impl SpeechMarks {
    /// The marks to put before and after a speech paragraph; empty if the author wrote them.
    pub(crate) fn around(&self, text: &str) -> (&str, &str) {
        let text = text.trim();
        if text.starts_with(['–', '—', '”', '“', '"', '»', '«', '„', '\'', '‘', '’', '-']) {
            return ("", "");
        }
        if self.dash.is_empty() { (&self.open, &self.close) } else { (&self.dash, "") }
    }
}

/// Renders blocks as text, separated by empty lines; no line break at the end.
pub(crate) fn write(blocks: &[Block], marks: &SpeechMarks, notes: &mut Notes) -> String {
    let texts: Vec<String> = blocks.iter().map(|block| block_text(block, marks, notes)).collect();
    texts.join("\n\n")
}

fn block_text(block: &Block, marks: &SpeechMarks, notes: &mut Notes) -> String {
    match block {
        Block::Paragraph(inlines) => line(inlines, notes),
        Block::Heading(level, inlines) => {
            let text = line(inlines, notes);
            let rule = if *level <= 2 { "-".repeat(text.chars().count().min(72)) } else { String::new() };
            if rule.is_empty() { text } else { format!("{text}\n{rule}") }
        }
        Block::List { first, items } => {
            let tight = items.iter().all(|item| item.len() == 1);
            let texts: Vec<String> = items
                .iter()
                .zip(first.unwrap_or(0)..)
                .map(|(item, number)| {
                    let marker = if first.is_some() { format!("{number}. ") } else { "* ".to_owned() };
                    hang(&marker, &write(item, marks, notes))
                })
                .collect();
            texts.join(if tight { "\n" } else { "\n\n" })
        }
        Block::Quote { blocks, speaker: Some(speaker) } => {
            format!("{}\n{}", speech(blocks, marks, notes), speaker.line())
        }
        Block::Speech(blocks) => speech(blocks, marks, notes),
        Block::Quote { blocks, speaker: None } => {
            let inner = write(blocks, marks, notes);
            inner.lines().map(|l| format!("> {l}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
        }
        Block::Table(table) => table_text(table, notes),
        Block::Code(text) => text.lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n"),
        Block::Rule => "* * *".to_owned(),
    }
}

/// Renders paragraphs of direct speech, each marked as the language requires.
fn speech(blocks: &[Block], marks: &SpeechMarks, notes: &mut Notes) -> String {
    let count = blocks.len();
    let texts: Vec<String> = blocks
        .iter()
        .enumerate()
        .map(|(place, block)| {
            let text = block_text(block, marks, notes);
            let spoken = matches!(block, Block::Paragraph(_)) && !block.is_name();
            let (open, close) = if spoken { marks.around(&text) } else { ("", "") };
            // Quotation marks stay open over several paragraphs: only the last one is closed.
            let close = if place + 1 == count { close } else { "" };
            format!("{open}{text}{close}")
        })
        .collect();
    texts.join("\n\n")
}

fn table_text(table: &Table, notes: &mut Notes) -> String {
    // A cell is one line: a break in it would break the columns.
    let mut cells = |row: &Vec<Vec<Inline>>| row.iter().map(|c| line(c, notes).replace('\n', " ")).collect::<Vec<_>>();
    let head = cells(&table.head);
    TextTable { right: table.right.clone(), head, rows: table.rows.iter().map(cells).collect() }.write()
}

/// Puts `marker` before the first line of `text` and spaces of its width before the others.
fn hang(marker: &str, text: &str) -> String {
    let space = " ".repeat(marker.chars().count());
    let mut out = String::new();
    for (place, line) in text.lines().enumerate() {
        match (place, line.is_empty()) {
            (0, _) => out.push_str(marker),
            (_, true) => out.push('\n'),
            (_, false) => {
                out.push('\n');
                out.push_str(&space);
            }
        }
        out.push_str(line);
    }
    out
}

/// Renders inlines on one line, except for breaks by the author; links are followed by their note's number.
pub(crate) fn line(inlines: &[Inline], notes: &mut Notes) -> String {
    let mut text = String::new();
    push_inlines(&mut text, inlines, notes);
    text.trim().to_owned()
}

fn push_inlines(out: &mut String, inlines: &[Inline], notes: &mut Notes) {
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Html(_) => {}
            Inline::Strong(more) | Inline::Emphasis(more) => push_inlines(out, more, notes),
            // Without a mark, struck-through text would appear as if it were valid.
            Inline::Struck(more) => {
                out.push_str("~~");
                push_inlines(out, more, notes);
                out.push_str("~~");
            }
            Inline::Link(to, more) => push_link(out, to, more, notes),
            Inline::Image(source, alt) => {
                out.push('[');
                push_inlines(out, alt, notes);
                out.push(']');
                push_note(out, source, notes);
            }
            Inline::Picture(picture) => out.push_str(&picture.words()),
            Inline::SoftBreak => out.push(' '),
            Inline::HardBreak => out.push('\n'),
        }
    }
}

fn push_link(out: &mut String, to: &str, content: &[Inline], notes: &mut Notes) {
    let before = out.len();
    push_inlines(out, content, notes);
    let shown = out[before..].trim();
    let bare = to.strip_prefix("mailto:").or(to.strip_prefix("tel:")).unwrap_or(to);
    // A link whose text is its address needs no note.
    let same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
    if !shown.is_empty()
        && (same(shown, to) || same(shown, bare) || bare.strip_prefix("https://").is_some_and(|b| same(shown, b)))
    {
        return;
    }
    push_note(out, to, notes);
}

fn push_note(out: &mut String, link: &str, notes: &mut Notes) {
    let safe = link.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if safe && !link.is_empty() && super::links::is_allowed(link) {
        out.push_str(&format!(" [{}]", notes.number(link)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::markdown::{Reading, parse};
    use super::*;

    fn check(markdown: &str, text: &str) -> Vec<String> {
        let marks = SpeechMarks { dash: "– ".into(), ..SpeechMarks::default() };
        let mut notes = Notes::default();
        assert_eq!(write(&parse(markdown, &Reading::default()), &marks, &mut notes), text);
        notes.links
    }

    #[test]
    fn links_become_numbered_notes_each_once() {
        let links = check(
            "Läs [rapporten](https://example.org/r) och [mer](https://example.org/m), åter [rapporten](https://example.org/r).",
            "Läs rapporten [1] och mer [2], åter rapporten [1].",
        );
        assert_eq!(links, ["https://example.org/r", "https://example.org/m"]);
        assert!(check("<https://example.org/> <a@example.org>", "https://example.org/ a@example.org").is_empty());
        assert!(check("[x](javascript:alert(1))", "x").is_empty());
    }

    #[test]
    fn speech_keeps_the_dash_of_the_language() {
        check(
            "> Nu räcker det.\n>\n> Vi vill mer.\n> — Karin Ek, ordförande",
            "– Nu räcker det.\n\n– Vi vill mer.\nKarin Ek, ordförande",
        );
        check("> – Redan märkt.\n> — Karin Ek", "– Redan märkt.\nKarin Ek");
    }

    #[test]
    fn lists_hang() {
        check(
            "1. ett\n2. två\n   - inre\n",
            "1. ett\n2. två\n\n   * inre".replace("1. ett\n2", "1. ett\n\n2").as_str(),
        );
        check("- ett\n- två\n", "* ett\n* två");
    }

    #[test]
    fn raw_html_is_not_in_the_text() {
        check("Hej <b>du</b>", "Hej du");
    }
}
