//! From the parser's events to blocks. Each method stops after the end tag of what it reads.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{Alignment, Event, HeadingLevel, Parser, Tag, TagEnd};

use super::inlines::{finish, raised, text_of};
use super::{Block, Inline, Reading, Table, speech};
use crate::mail::html_text::html_to_text;

/// Maximum depth of blocks and inlines; deeper ones are left out: people do not write them, and each level uses
/// stack.
const DEEPEST: usize = 24;

/// Names of HTML's elements.
const HTML: &str = "a abbr address article aside audio b big blockquote body br button caption center cite code col colgroup \
    dd del details div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header \
    hr html i iframe img input ins kbd label legend li link main map mark meta nav noscript object ol option p param pre q s \
    samp script section select small source span strike strong style sub summary sup svg table tbody td template textarea \
    tfoot th thead title tr tt u ul var video";

/// Reads all blocks of a text; its footnotes come last.
pub(super) fn read(source: &str, parser: Parser<'_>, reading: &Reading) -> Vec<Block> {
    let events: Vec<(Event<'_>, Range<usize>)> = parser.into_offset_iter().collect();
    let shift = events.iter().any(|(e, _)| matches!(e, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })));
    let mut numbers = BTreeMap::new();
    for (event, _) in &events {
        if let Event::FootnoteReference(label) | Event::Start(Tag::FootnoteDefinition(label)) = event {
            let next = numbers.len() + 1;
            numbers.entry(label.to_string()).or_insert(next);
        }
    }
    let mut reader = Reader {
        events: events.into_iter(),
        source,
        reading,
        shift: u8::from(shift),
        depth: 0,
        numbers,
        footnotes: BTreeMap::new(),
    };
    let mut blocks = Vec::new();
    loop {
        blocks.append(&mut reader.blocks());
        if reader.events.len() == 0 {
            break;
        }
    }
    blocks.extend(reader.footnotes.into_values().flatten());
    blocks
}

mod inline;

struct Reader<'a> {
    events: std::vec::IntoIter<(Event<'a>, Range<usize>)>,
    source: &'a str,
    reading: &'a Reading,
    shift: u8,
    depth: usize,
    /// The number of each footnote, by its label, in order of mention.
    numbers: BTreeMap<String, usize>,
    footnotes: BTreeMap<usize, Vec<Block>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Event<'a>> {
        self.events.next().map(|(event, _)| event)
    }

    /// Reads blocks until the end tag of what contains them, or the end.
    fn blocks(&mut self) -> Vec<Block> {
        let (mut blocks, mut loose) = (Vec::new(), Vec::new());
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::End(_) => break,
                Event::Start(tag) if is_block(&tag) => {
                    self.end_loose(&mut blocks, &mut loose);
                    self.block(tag, range, &mut blocks);
                }
                Event::Rule => {
                    self.end_loose(&mut blocks, &mut loose);
                    blocks.push(Block::Rule);
                }
                // A tight list item contains its text without a paragraph.
                other => self.inline(other, &mut loose),
            }
        }
        self.end_loose(&mut blocks, &mut loose);
        blocks
    }

    fn end_loose(&self, blocks: &mut Vec<Block>, loose: &mut Vec<Inline>) {
        if !loose.is_empty() {
            blocks.push(Block::Paragraph(finish(std::mem::take(loose), self.reading)));
        }
    }

    fn block(&mut self, tag: Tag<'a>, range: Range<usize>, blocks: &mut Vec<Block>) {
        if self.depth >= DEEPEST {
            return self.skip();
        }
        self.depth += 1;
        self.push_block(tag, range, blocks);
        self.depth -= 1;
    }

    /// Skips to after the end tag of the open element.
    fn skip(&mut self) {
        let mut open = 1;
        while open > 0 {
            match self.next() {
                Some(Event::Start(_)) => open += 1,
                Some(Event::End(_)) => open -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn push_block(&mut self, tag: Tag<'a>, range: Range<usize>, blocks: &mut Vec<Block>) {
        match tag {
            Tag::Paragraph => {
                let inlines = self.line();
                self.push_paragraph(inlines, blocks);
            }
            Tag::Heading { level, .. } => {
                let level = (level as u8 + self.shift).clamp(2, 6);
                blocks.push(Block::Heading(level, self.line()));
            }
            Tag::BlockQuote(_) => {
                let inner = self.blocks();
                blocks.push(speech::quote(inner, self.reading));
            }
            Tag::List(first) => self.push_list(first, range, blocks),
            Tag::CodeBlock(_) => blocks.push(Block::Code(text_of(&self.inlines()))),
            Tag::Table(alignments) => {
                let right = alignments.iter().map(|alignment| *alignment == Alignment::Right).collect();
                blocks.push(Block::Table(self.table(right)));
            }
            Tag::FootnoteDefinition(label) => self.footnote(&label),
            Tag::DefinitionList => self.definitions(blocks),
            Tag::HtmlBlock => self.push_html(blocks),
            // What has no block of its own becomes a paragraph.
            _ => {
                let inner = self.line();
                if !inner.is_empty() {
                    blocks.push(Block::Paragraph(inner));
                }
            }
        }
    }

    /// Adds a paragraph; if all its lines begin with a bullet, as a list.
    fn push_paragraph(&self, inlines: Vec<Inline>, blocks: &mut Vec<Block>) {
        let mut block = Block::Paragraph(inlines);
        if self.reading.of_releases {
            if let Some(items) = bulleted(&block) {
                return blocks.push(Block::List { first: None, items });
            }
            if !self.reading.dash.is_empty() {
                speech::begin_with_dash(&mut block, self.reading, false);
            }
        }
        blocks.push(block);
    }

    fn push_list(&mut self, first: Option<u64>, range: Range<usize>, blocks: &mut Vec<Block>) {
        let hyphens = self.source[range.start..].trim_start().starts_with('-');
        let items = self.items();
        match speech::as_speech(first.is_none() && hyphens, items, self.reading) {
            Ok(mut spoken) => blocks.append(&mut spoken),
            Err(items) => blocks.push(Block::List { first, items }),
        }
    }

    fn items(&mut self) -> Vec<Vec<Block>> {
        let mut items = Vec::new();
        while let Some(event) = self.next() {
            match event {
                Event::Start(Tag::Item) => items.push(self.blocks()),
                Event::End(TagEnd::List(_)) => break,
                _ => {}
            }
        }
        items
    }

    fn table(&mut self, right: Vec<bool>) -> Table {
        let mut table = Table { right, ..Table::default() };
        let mut row = Vec::new();
        while let Some(event) = self.next() {
            match event {
                Event::Start(Tag::TableCell) => row.push(self.line()),
                Event::End(TagEnd::TableHead) => table.head = std::mem::take(&mut row),
                Event::End(TagEnd::TableRow) => table.rows.push(std::mem::take(&mut row)),
                Event::End(TagEnd::Table) => break,
                _ => {}
            }
        }
        table
    }

    /// Stores a footnote for the end, with its number before it.
    fn footnote(&mut self, label: &str) {
        let mut blocks = self.blocks();
        let number = self.numbers.get(label).copied().unwrap_or_default();
        let mark = Inline::Text(format!("{} ", raised(&number.to_string())));
        match blocks.first_mut() {
            Some(Block::Paragraph(inlines)) => {
                inlines.insert(0, mark);
                *inlines = finish(std::mem::take(inlines), self.reading);
            }
            _ => blocks.insert(0, Block::Paragraph(vec![mark])),
        }
        self.footnotes.entry(number).or_default().extend(blocks);
    }

    /// Reads definitions: terms in strong type, each with its definition below it.
    fn definitions(&mut self, blocks: &mut Vec<Block>) {
        while let Some(event) = self.next() {
            match event {
                Event::Start(Tag::DefinitionListTitle) => {
                    let term = self.line();
                    blocks.push(Block::Paragraph(vec![Inline::Strong(term)]));
                }
                Event::Start(Tag::DefinitionListDefinition) => {
                    let mut meaning = self.blocks();
                    if let (Some(Block::Paragraph(term)), Some(Block::Paragraph(text))) =
                        (blocks.last_mut(), meaning.first_mut())
                    {
                        term.push(Inline::HardBreak);
                        term.append(text);
                        meaning.remove(0);
                    }
                    blocks.append(&mut meaning);
                }
                Event::End(TagEnd::DefinitionList) => break,
                _ => {}
            }
        }
    }

    /// Adds the words of an HTML block, in lines, without the tags.
    fn push_html(&mut self, blocks: &mut Vec<Block>) {
        let mut html = String::new();
        while let Some(event) = self.next() {
            match event {
                Event::End(_) => break,
                Event::Html(more) | Event::InlineHtml(more) | Event::Text(more) => html.push_str(&more),
                _ => {}
            }
        }
        if !is_html(&html) {
            return blocks.push(Block::Paragraph(finish(vec![Inline::Text(html.trim().to_owned())], self.reading)));
        }
        // The element marks it as HTML, whatever it contains.
        let text = html_to_text(&format!("<p>{html}"));
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines {
            blocks.push(Block::Paragraph(finish(vec![Inline::Text(line.to_owned())], self.reading)));
        }
    }
}

/// Whether angle brackets begin HTML, and not words such as `<Karin Ek>`, which are shown literally.
pub(crate) fn is_html(text: &str) -> bool {
    let inside = text.trim_start().trim_start_matches(['<', '/']);
    let name: String = inside.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    inside.starts_with(['!', '?']) || text.contains('=') || HTML.split_whitespace().any(|known| known == name)
}

/// The items of a paragraph whose lines all begin with a bullet, as in text from word processors.
fn bulleted(block: &Block) -> Option<Vec<Vec<Block>>> {
    let Block::Paragraph(inlines) = block else { return None };
    let lines = inlines.split(|inline| matches!(inline, Inline::SoftBreak | Inline::HardBreak));
    let item = |line: &[Inline]| {
        let (Inline::Text(first), rest) = line.split_first()? else { return None };
        let text = first.strip_prefix(['•', '▪', '·', '●'])?.trim_start_matches([' ', '\t', '\u{a0}']);
        let inlines = std::iter::once(Inline::Text(text.to_owned())).chain(rest.iter().cloned()).collect();
        Some(vec![Block::Paragraph(inlines)])
    };
    lines.map(item).collect()
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
            | Tag::Table(_)
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
    )
}
