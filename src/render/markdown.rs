//! Markdown to blocks: the one form from which both the text part and the HTML part are written.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::model::release::quote::{Speaker, split_attribution};

/// A block of running text.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// A heading below the headline: 2 to 6.
    Heading(u8, Vec<Inline>),
    /// A list.
    List {
        /// The first number of an ordered one.
        first: Option<u64>,
        /// Its items.
        items: Vec<Vec<Block>>,
    },
    /// A block quote; with a speaker when its last line names one.
    Quote {
        /// What is quoted.
        blocks: Vec<Block>,
        /// Who said it.
        speaker: Option<Speaker>,
    },
    /// Speech whose speaker is named in it: each paragraph that is not a name (one strong text) is marked as speech.
    Speech(Vec<Block>),
    /// Preformatted text.
    Code(String),
    /// A rule between two parts.
    Rule,
}

impl Block {
    /// Whether it only names a speaker: one strong text, within [`Block::Speech`].
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Paragraph(inlines) if matches!(inlines.as_slice(), [Inline::Strong(_)]))
    }
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    /// Text as it is.
    Text(String),
    /// Raw HTML from the author; it goes through the sanitiser, and never into plain text.
    Html(String),
    /// Code.
    Code(String),
    /// Strong.
    Strong(Vec<Inline>),
    /// Emphasis.
    Emphasis(Vec<Inline>),
    /// A link.
    Link(String, Vec<Inline>),
    /// An image: its link and its alternative text.
    Image(String, Vec<Inline>),
    /// A line's end in the source.
    SoftBreak,
    /// A line's end that the author wants kept.
    HardBreak,
}

/// Reads Markdown (CommonMark). A heading of the first level becomes one of the second, and so on: the headline is the
/// only first one.
pub fn parse(markdown: &str) -> Vec<Block> {
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::empty()).collect();
    let shift = events.iter().any(|e| matches!(e, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })));
    let mut reader = Reader { events: events.into_iter(), shift: u8::from(shift), depth: 0 };
    reader.blocks()
}

/// The inlines of a text that is meant as one paragraph, e.g. the lead.
pub fn parse_inline(markdown: &str) -> Vec<Inline> {
    let mut inlines = Vec::new();
    for block in parse(markdown) {
        if let Block::Paragraph(more) | Block::Heading(_, more) = block {
            if !inlines.is_empty() {
                inlines.push(Inline::HardBreak);
            }
            inlines.extend(more);
        }
    }
    inlines
}

/// The bare text of inlines.
pub fn text_of(inlines: &[Inline]) -> String {
    let mut text = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(t) | Inline::Code(t) => text.push_str(t),
            Inline::Html(_) => {}
            Inline::Strong(more) | Inline::Emphasis(more) | Inline::Link(_, more) | Inline::Image(_, more) => {
                text.push_str(&text_of(more));
            }
            Inline::SoftBreak | Inline::HardBreak => text.push(' '),
        }
    }
    text
}

/// Goes through the events; each method ends behind the end tag of what it reads.
struct Reader<'a> {
    events: std::vec::IntoIter<Event<'a>>,
    shift: u8,
    depth: usize,
}

/// Blocks and inlines nested deeper are left out: no person writes them, and each level costs stack.
const DEEPEST: usize = 24;

impl Reader<'_> {
    /// Blocks until the end tag of what holds them, or the end.
    fn blocks(&mut self) -> Vec<Block> {
        let (mut blocks, mut loose) = (Vec::new(), Vec::new());
        while let Some(event) = self.events.next() {
            match event {
                Event::End(_) => break,
                Event::Start(tag) if is_block(&tag) => {
                    end_loose(&mut blocks, &mut loose);
                    self.block(tag, &mut blocks);
                }
                Event::Rule => {
                    end_loose(&mut blocks, &mut loose);
                    blocks.push(Block::Rule);
                }
                // A tight list item holds its text without a paragraph.
                other => self.inline(other, &mut loose),
            }
        }
        end_loose(&mut blocks, &mut loose);
        blocks
    }

    fn block(&mut self, tag: Tag<'_>, blocks: &mut Vec<Block>) {
        if self.depth >= DEEPEST {
            return self.skip();
        }
        self.depth += 1;
        self.push_block(tag, blocks);
        self.depth -= 1;
    }

    /// Goes behind the end tag of what has begun.
    fn skip(&mut self) {
        let mut open = 1;
        while open > 0 {
            match self.events.next() {
                Some(Event::Start(_)) => open += 1,
                Some(Event::End(_)) => open -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn push_block(&mut self, tag: Tag<'_>, blocks: &mut Vec<Block>) {
        match tag {
            Tag::Paragraph => blocks.push(Block::Paragraph(self.inlines())),
            Tag::Heading { level, .. } => {
                let level = (level as u8 + self.shift).clamp(2, 6);
                blocks.push(Block::Heading(level, self.inlines()));
            }
            Tag::BlockQuote(_) => {
                let mut inner = self.blocks();
                let speaker = take_speaker(&mut inner);
                blocks.push(Block::Quote { blocks: inner, speaker });
            }
            Tag::List(first) => blocks.push(Block::List { first, items: self.items() }),
            Tag::CodeBlock(_) => blocks.push(Block::Code(text_of(&self.inlines()))),
            // HTML blocks and whatever has no form here: what is inside goes on as a paragraph.
            _ => {
                let inner = self.inlines();
                if !inner.is_empty() {
                    blocks.push(Block::Paragraph(inner));
                }
            }
        }
    }

    fn items(&mut self) -> Vec<Vec<Block>> {
        let mut items = Vec::new();
        while let Some(event) = self.events.next() {
            match event {
                Event::Start(Tag::Item) => items.push(self.blocks()),
                Event::End(TagEnd::List(_)) => break,
                _ => {}
            }
        }
        items
    }

    fn inlines(&mut self) -> Vec<Inline> {
        let mut inlines = Vec::new();
        while let Some(event) = self.events.next() {
            if let Event::End(_) = event {
                break;
            }
            self.inline(event, &mut inlines);
        }
        inlines
    }

    fn inline(&mut self, event: Event<'_>, into: &mut Vec<Inline>) {
        if matches!(event, Event::Start(_)) && self.depth >= DEEPEST {
            return self.skip();
        }
        self.depth += 1;
        self.push_inline(event, into);
        self.depth -= 1;
    }

    fn push_inline(&mut self, event: Event<'_>, into: &mut Vec<Inline>) {
        let inline = match event {
            Event::Text(text) => Inline::Text(text.into_string()),
            Event::Code(text) => Inline::Code(text.into_string()),
            Event::Html(html) | Event::InlineHtml(html) => Inline::Html(html.into_string()),
            Event::SoftBreak => Inline::SoftBreak,
            Event::HardBreak => Inline::HardBreak,
            Event::Start(Tag::Strong) => Inline::Strong(self.inlines()),
            Event::Start(Tag::Emphasis) => Inline::Emphasis(self.inlines()),
            Event::Start(Tag::Link { dest_url, .. }) => Inline::Link(dest_url.into_string(), self.inlines()),
            Event::Start(Tag::Image { dest_url, .. }) => Inline::Image(dest_url.into_string(), self.inlines()),
            Event::Start(_) => return into.extend(self.inlines()),
            _ => return,
        };
        into.push(inline);
    }
}

fn is_block(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Paragraph
            | Tag::Heading { .. }
            | Tag::BlockQuote(_)
            | Tag::List(_)
            | Tag::CodeBlock(_)
            | Tag::HtmlBlock
            | Tag::Item
    )
}

fn end_loose(blocks: &mut Vec<Block>, loose: &mut Vec<Inline>) {
    if !loose.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(loose)));
    }
}

/// Takes the line that names the speaker off the end of a block quote.
fn take_speaker(blocks: &mut Vec<Block>) -> Option<Speaker> {
    let Some(Block::Paragraph(inlines)) = blocks.last_mut() else { return None };
    let line = inlines.iter().rposition(|i| matches!(i, Inline::SoftBreak | Inline::HardBreak));
    let speaker = split_attribution(&text_of(&inlines[line.map_or(0, |at| at + 1)..]))?;
    match line {
        Some(at) => inlines.truncate(at),
        // A quote of nothing but its speaker is no quote with a speaker.
        None if blocks.len() == 1 => return None,
        None => {
            blocks.pop();
        }
    }
    // A hyphen before a line of speech makes a list of it for Markdown: it was meant as the dash of a quote.
    let spoken = std::mem::take(blocks).into_iter().flat_map(|block| match block {
        Block::List { first: None, items } => items.into_iter().flatten().collect(),
        other => vec![other],
    });
    blocks.extend(spoken);
    Some(speaker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(text: &str) -> Block {
        Block::Paragraph(vec![Inline::Text(text.to_owned())])
    }

    fn speaker(name: &str, title: &str) -> Option<Speaker> {
        Some(Speaker { name: name.to_owned(), titles: vec![title.to_owned()] })
    }

    #[test]
    fn a_quote_knows_its_speaker_on_the_last_line_or_paragraph() {
        let expected = vec![Block::Quote {
            blocks: vec![paragraph("Nu räcker det.")],
            speaker: speaker("Karin Ek", "ordförande"),
        }];
        assert_eq!(parse("> Nu räcker det.\n> — Karin Ek, ordförande"), expected);
        assert_eq!(parse("> Nu räcker det.\n>\n> – Karin Ek, ordförande"), expected);
        assert_eq!(parse("> - Nu räcker det.\n>\n> — Karin Ek, ordförande"), expected);
    }

    #[test]
    fn a_dash_that_begins_a_paragraph_stays() {
        assert_eq!(parse("– Nu räcker det, säger hon."), vec![paragraph("– Nu räcker det, säger hon.")]);
        assert_eq!(parse("> — Karin Ek"), vec![Block::Quote { blocks: vec![paragraph("— Karin Ek")], speaker: None }]);
    }

    #[test]
    fn headings_begin_below_the_headline() {
        let levels = |text: &str| -> Vec<u8> {
            parse(text)
                .iter()
                .filter_map(|b| if let Block::Heading(level, _) = b { Some(*level) } else { None })
                .collect()
        };
        assert_eq!(levels("# a\n\n## b"), [2, 3]);
        assert_eq!(levels("## a\n\n### b"), [2, 3]);
    }

    #[test]
    fn hostile_nesting_is_read() {
        for hostile in ["> ", "- ", "[", "*a ", "**a* ", "1. "] {
            let blocks = parse(&format!("{}x\n\nslut", hostile.repeat(3000)));
            assert!(blocks.contains(&paragraph("slut")), "{hostile}");
        }
    }
}
