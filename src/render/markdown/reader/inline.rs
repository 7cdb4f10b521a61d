//! Inlines: text, emphasis, links, images and HTML within a block.

use pulldown_cmark::{Event, Tag};

use super::super::inlines::{LOWERED, RAISED, finish, raised, small, text_of};
use super::super::{Inline, Picture};
use super::{DEEPEST, Reader, is_html};
use crate::render::links::{self, LinkFault};

impl<'a> Reader<'a> {
    /// Reads the inlines of a whole block.
    pub(super) fn line(&mut self) -> Vec<Inline> {
        let inlines = self.inlines();
        finish(inlines, self.reading)
    }

    pub(super) fn inlines(&mut self) -> Vec<Inline> {
        let mut inlines = Vec::new();
        while let Some(event) = self.next() {
            if let Event::End(_) = event {
                break;
            }
            self.inline(event, &mut inlines);
        }
        inlines
    }

    pub(super) fn inline(&mut self, event: Event<'a>, into: &mut Vec<Inline>) {
        if matches!(event, Event::Start(_)) && self.depth >= DEEPEST {
            return self.skip();
        }
        self.depth += 1;
        self.push_inline(event, into);
        self.depth -= 1;
    }

    fn push_inline(&mut self, event: Event<'a>, into: &mut Vec<Inline>) {
        let inline = match event {
            Event::Text(text) => Inline::Text(text.into_string()),
            Event::Code(text) => Inline::Code(text.into_string()),
            Event::Html(html) | Event::InlineHtml(html) if is_line_break(&html) => Inline::HardBreak,
            Event::Html(html) | Event::InlineHtml(html) if !is_html(&html) => Inline::Text(html.into_string()),
            Event::Html(html) | Event::InlineHtml(html) => Inline::Html(html.into_string()),
            Event::SoftBreak => Inline::SoftBreak,
            Event::HardBreak => Inline::HardBreak,
            Event::TaskListMarker(done) => Inline::Text(if done { "☑ " } else { "☐ " }.to_owned()),
            Event::FootnoteReference(label) => {
                let number = self.numbers.get(label.as_ref()).copied().unwrap_or_default();
                Inline::Text(raised(&number.to_string()))
            }
            Event::Start(Tag::Strong) => Inline::Strong(self.inlines()),
            Event::Start(Tag::Emphasis) => Inline::Emphasis(self.inlines()),
            Event::Start(Tag::Strikethrough) => Inline::Struck(self.inlines()),
            Event::Start(Tag::Superscript) => return self.push_small(into, RAISED, "sup"),
            Event::Start(Tag::Subscript) => return self.push_small(into, LOWERED, "sub"),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let words = self.inlines();
                return push_link(into, &dest_url, words);
            }
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                let words = self.inlines();
                match links::target(&dest_url) {
                    Err(LinkFault::Relative(_)) if self.reading.of_releases => picture(&dest_url, &words, &title),
                    _ => return push_image(into, &dest_url, words),
                }
            }
            Event::Start(_) => return into.extend(self.inlines()),
            _ => return,
        };
        into.push(inline);
    }

    /// Adds superscript or subscript text: as Unicode characters if possible, otherwise as HTML.
    fn push_small(&mut self, into: &mut Vec<Inline>, table: (&str, &str), element: &str) {
        let inlines = self.inlines();
        match small(&text_of(&inlines), table) {
            Some(text) => into.push(Inline::Text(text)),
            None => {
                into.push(Inline::Html(format!("<{element}>")));
                into.extend(inlines);
                into.push(Inline::Html(format!("</{element}>")));
            }
        }
    }
}

fn is_line_break(html: &str) -> bool {
    let name = html.trim_matches(['<', '>', '/', ' ', '\n']);
    name.eq_ignore_ascii_case("br")
}

/// Adds a link that works, otherwise its words followed by the address: an address is never lost.
fn push_link(into: &mut Vec<Inline>, written: &str, words: Vec<Inline>) {
    match links::target(written) {
        Ok(target) => into.push(Inline::Link(target, words)),
        Err(_) => {
            let said = text_of(&words);
            into.extend(words);
            if let Some(address) = links::shown(written).filter(|address| !said.contains(address)) {
                into.push(Inline::Text(format!(" ({address})")));
            }
        }
    }
}

/// A picture from a file beside the release.
fn picture(file: &str, words: &[Inline], title: &str) -> Inline {
    let given =
        |text: &str| Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty());
    Inline::Picture(Picture { file: file.trim().to_owned(), alt: given(&text_of(words)), caption: given(title) })
}

fn push_image(into: &mut Vec<Inline>, written: &str, words: Vec<Inline>) {
    match links::target(written) {
        Ok(target) => into.push(Inline::Image(target, words)),
        Err(_) => {
            let address = links::shown(written).map(|address| format!(" ({address})")).unwrap_or_default();
            into.push(Inline::Text(format!("[{}]{address}", text_of(&words))));
        }
    }
}
