//! Rules about Markdown: nothing the author meant is lost or shown as raw marks without a finding.

use std::collections::BTreeSet;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Parser, Tag, TagEnd};

use super::files::no_alt_text;
use super::leftovers::{self, Leftover};
use super::{Finding, Subject};
use crate::model::release::quote::{after_dash, split_attribution};
use crate::render::links::{self, LinkFault};
use crate::render::markdown::{is_html, list_is_speech, names_speaker, release_options};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (key, text) in texts(subject) {
        let source = links::with_spaces(text);
        let line = if key == "body" { Some(subject.positions.body) } else { subject.positions.line(&key) };
        let mut rules = Rules::new(subject, &source, key, line);
        rules.read();
        findings.append(&mut rules.findings);
    }
}

/// All texts in Markdown, with their fields.
fn texts<'a>(subject: &Subject<'a>) -> Vec<(String, &'a str)> {
    let release = subject.release;
    let mut texts = vec![("body".to_owned(), release.body.as_str())];
    for (key, text) in [("lead", &release.lead), ("editor_note", &release.editor_note)] {
        texts.extend(text.as_deref().map(|text| (key.to_owned(), text)));
    }
    for (index, boilerplate) in release.boilerplates.iter().enumerate() {
        texts.push((format!("boilerplate[{index}]"), boilerplate.text.as_str()));
    }
    for (index, slot) in release.programme.iter().enumerate() {
        texts.extend(slot.text.as_deref().map(|text| (format!("programme[{index}].text"), text)));
    }
    for (index, presentation) in release.presentations.iter().enumerate() {
        texts.extend(presentation.text.as_deref().map(|text| (format!("presentations[{index}].text"), text)));
    }
    texts
}

/// Number of earlier findings searched for the same one.
const SAME_BLOCK: usize = 8;

/// A list being parsed.
struct List {
    at: usize,
    /// For an ordered list: the number that the first item is written with, and the next number that will be shown.
    numbers: Option<(u64, u64)>,
    hyphens: bool,
    items: Vec<String>,
}

/// Checks one text.
struct Rules<'a> {
    subject: &'a Subject<'a>,
    source: &'a str,
    key: String,
    line: Option<u32>,
    findings: Vec<Finding>,
    /// Contiguous text, with line breaks.
    run: String,
    run_at: usize,
    lists: Vec<List>,
    /// For each open quote, where it begins and its lines.
    quotes: Vec<(usize, String)>,
    image: Option<(usize, bool)>,
    columns: usize,
    in_code: bool,
    used: BTreeSet<String>,
}

impl<'a> Rules<'a> {
    fn new(subject: &'a Subject<'a>, source: &'a str, key: String, line: Option<u32>) -> Self {
        Self {
            subject,
            source,
            key,
            line,
            findings: Vec::new(),
            run: String::new(),
            run_at: 0,
            lists: Vec::new(),
            quotes: Vec::new(),
            image: None,
            columns: 0,
            in_code: false,
            used: BTreeSet::new(),
        }
    }

    fn say(&mut self, at: usize, finding: Finding) {
        let mut line = self.line;
        if self.key == "body" {
            let before = self.source.as_bytes()[..at.min(self.source.len())].iter().filter(|b| **b == b'\n').count();
            line = line.map(|line| line.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)));
        }
        let finding = finding.of(self.key.clone()).at(line);
        // Several lines of one block, or several marks on a line, make one finding.
        if !self.findings.iter().rev().take(SAME_BLOCK).any(|found| *found == finding) {
            self.findings.push(finding);
        }
    }

    fn warn(&mut self, at: usize, rule: &'static str, said: impl Into<String>, fix: impl Into<String>) {
        self.say(at, Finding::warning(rule, said, fix));
    }

    fn read(&mut self) {
        let parser = Parser::new_ext(self.source, release_options());
        let definitions: Vec<(String, usize)> = parser
            .reference_definitions()
            .iter()
            .map(|(label, definition)| (label.to_owned(), definition.span.start))
            .collect();
        for (event, range) in parser.into_offset_iter() {
            match &event {
                Event::Text(text) => self.text(text, range.start),
                Event::SoftBreak | Event::HardBreak => self.text("\n", range.start),
                Event::Start(tag) => self.start(tag, range),
                Event::End(tag) => self.end(*tag),
                Event::InlineHtml(html) if is_html(html) && !html.starts_with("<br") => self.html(range.start),
                // Code separates text: a new run begins after it.
                _ => self.end_run(),
            }
        }
        self.end_run();
        for (label, at) in definitions {
            if !self.used.contains(&label.to_lowercase()) {
                let said = format!("the address named [{label}] is not used, so readers do not see it");
                self.warn(at, "link", said, format!("write [words][{label}] where it belongs"));
            }
        }
    }

    fn html(&mut self, at: usize) {
        self.end_run();
        self.warn(at, "html", "HTML in the text is not sent as HTML: only its words remain", "write it in Markdown");
    }

    fn text(&mut self, text: &str, at: usize) {
        if let Some((_, described)) = &mut self.image {
            *described |= !text.trim().is_empty();
        }
        if self.in_code {
            return;
        }
        if self.run.is_empty() {
            self.run_at = at;
        }
        self.run.push_str(text);
        if let Some((_, lines)) = self.quotes.last_mut() {
            lines.push_str(text);
        }
        if let Some(item) = self.lists.last_mut().and_then(|list| list.items.last_mut()) {
            item.push_str(text);
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        if is_block(tag) {
            self.end_run();
        }
        let at = range.start;
        match tag {
            Tag::Link { link_type, dest_url, title, id } => {
                if matches!(link_type, LinkType::Reference | LinkType::Collapsed | LinkType::Shortcut) {
                    self.used.insert(id.to_lowercase());
                }
                self.link(at, dest_url, title);
            }
            Tag::Image { dest_url, title, id, .. } => {
                self.used.insert(id.to_lowercase());
                match links::target(dest_url) {
                    // A picture of the release, with rules of its own.
                    Err(LinkFault::Relative(_)) if self.key == "body" => self.image = None,
                    Err(_) => {
                        let said = format!("the image {dest_url} is not shown here");
                        self.warn(at, "link", said, "show it in the text below the fields, or under [[images]]");
                    }
                    Ok(_) => {
                        self.image = Some((at, false));
                        self.link(at, dest_url, title);
                    }
                }
            }
            Tag::HtmlBlock if is_html(&self.source[range.clone()]) => self.html(at),
            Tag::Heading { .. } => self.heading(range),
            Tag::CodeBlock(kind) => {
                self.in_code = true;
                if matches!(kind, CodeBlockKind::Indented) {
                    let said = "lines that begin with four spaces are shown as code";
                    self.warn(at, "code", said, "remove the spaces, or write ``` above and below");
                }
            }
            Tag::List(first) => {
                let hyphens = first.is_none() && self.source[at..].trim_start().starts_with('-');
                self.lists.push(List { at, numbers: first.map(|n| (n, n)), hyphens, items: Vec::new() });
            }
            Tag::Item => self.item(at),
            Tag::BlockQuote(_) => self.quotes.push((at, String::new())),
            Tag::Paragraph => self.next_line_of_quote(),
            Tag::Table(alignments) => self.columns = alignments.len(),
            Tag::TableRow => self.row(range),
            _ => {}
        }
    }

    /// A line of hyphens directly below a paragraph makes it a heading.
    fn heading(&mut self, range: Range<usize>) {
        let text = self.source[range.clone()].trim_end().trim_end_matches(['-', '=']).trim();
        if !text.starts_with('#') && (text.contains('\n') || text.ends_with(['.', '!', '?'])) {
            let said = "a paragraph right above a line of hyphens is shown as a heading";
            self.warn(range.start, "heading", said, "leave an empty line between them");
        }
    }

    fn next_line_of_quote(&mut self) {
        if let Some((_, lines)) = self.quotes.last_mut() {
            lines.push('\n');
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Link | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => return,
            TagEnd::Image => {
                if let Some((at, false)) = self.image.take() {
                    self.say(at, no_alt_text(self.subject, "![what it shows](link)"));
                }
                return;
            }
            TagEnd::CodeBlock => self.in_code = false,
            TagEnd::List(_) => self.end_list(),
            TagEnd::BlockQuote(_) => self.end_quote(),
            _ => {}
        }
        self.end_run();
    }

    fn link(&mut self, at: usize, written: &str, title: &str) {
        if let Err(fault) = links::target(written) {
            let shown: String = written.chars().filter(|c| !c.is_control()).take(80).collect();
            let said = if shown.is_empty() { fault.to_string() } else { format!("{fault}: {shown}") };
            self.warn(at, "link", said, fault.fix());
        }
        if !title.is_empty() {
            let said = format!("the title \u{201c}{title}\u{201d} of a link is not shown");
            self.warn(at, "link-title", said, "write it in the text");
        }
    }

    fn item(&mut self, at: usize) {
        let digits: String = self.source[at..].trim_start().chars().take_while(char::is_ascii_digit).collect();
        let Some(list) = self.lists.last_mut() else { return };
        list.items.push(String::new());
        let Some((first, next)) = list.numbers else { return };
        list.numbers = Some((first, next.saturating_add(1)));
        let written: u64 = digits.parse().unwrap_or(next);
        // "1. 1. 1." leaves counting to the program.
        if written != next && written != first {
            let said = format!("the item numbered {written}. is shown as {next}.");
            self.warn(at, "numbering", said, format!("write {written}\\. to keep the number"));
        }
    }

    /// Cells beyond the last column are left out.
    fn row(&mut self, range: Range<usize>) {
        let row = self.source[range.clone()].lines().next().unwrap_or_default().trim().replace("\\|", "");
        let cells = row.trim_start_matches('|').trim_end_matches('|').split('|').count();
        if cells > self.columns {
            let said =
                format!("this row has {cells} cells and the table {} columns: the rest is left out", self.columns);
            self.warn(range.start, "table", said, "give the first row as many cells");
        }
    }

    fn end_list(&mut self) {
        let Some(list) = self.lists.pop() else { return };
        let reading = self.subject.context.reading;
        let speaks = |text: &String| names_speaker(text, &reading.verbs);
        if reading.dash.is_empty() || !list.hyphens || list_is_speech(true, &list.items, &reading.verbs) {
            return;
        }
        let alone = list.items.len() == 1 && list.items[0].trim_end().ends_with(['.', '!', '?']);
        if alone || list.items.iter().any(speaks) {
            let said = "this is shown as a list; direct speech must begin with a dash";
            let fix = format!("write {}instead of the hyphen", reading.dash);
            self.warn(list.at, "speech", said, fix);
        }
    }

    /// Checks for a last line that seems to name the speaker, but does not.
    fn end_quote(&mut self) {
        let Some((at, lines)) = self.quotes.pop() else { return };
        let verbs = &self.subject.context.reading.verbs;
        let lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let [before @ .., last] = lines.as_slice() else { return };
        if before.is_empty() || split_attribution(last, verbs).is_some() || names_speaker(last, verbs) {
            return;
        }
        let open_end = !last.ends_with(['.', '!', '?', '…', '”', '"']);
        let bare = last.contains(' ') && split_attribution(&format!("\u{2014} {last}"), verbs).is_some();
        let own = after_dash(before[0]).is_some();
        if open_end && ((after_dash(last).is_some() && !own) || (bare && after_dash(last).is_none())) {
            let said = format!("the last line of the quote, \u{201c}{last}\u{201d}, is shown as speech");
            self.warn(at, "speaker", said, "if it names the speaker, write > \u{2014} Name, title");
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        for Leftover { at, rule, said, fix } in leftovers::find(&run) {
            let before = run[..at].matches('\n').count();
            let line =
                self.source[self.run_at..].match_indices('\n').nth(before.wrapping_sub(1)).map_or(0, |(at, _)| at + 1);
            let offset = if before == 0 { self.run_at } else { self.run_at + line };
            self.warn(offset, rule, said, fix);
        }
    }
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(
        tag,
        Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Link { .. }
            | Tag::Image { .. }
    )
}
