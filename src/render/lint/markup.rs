//! Rules about Markdown: nothing the author meant is lost or shown as raw marks without a finding.

use std::collections::BTreeSet;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Parser, Tag, TagEnd};

use super::files::no_alt_text;
use super::leftovers::{self, Leftover};
use super::{Finding, Severity, Subject};
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

    fn warn(&mut self, at: usize, text: (&'static str, &str), values: &[(&str, &str)]) {
        self.say(at, Finding::said(Severity::Warning, text, self.subject.language(), values));
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
                self.warn(at, ("link", "unused"), &[("label", &label)]);
            }
        }
    }

    fn html(&mut self, at: usize) {
        self.end_run();
        self.warn(at, ("html", "in-text"), &[]);
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
                    Err(_) => self.warn(at, ("link", "image"), &[("value", &shown(dest_url))]),
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
                    self.warn(at, ("code", "indented"), &[]);
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
            self.warn(range.start, ("heading", "hyphens"), &[]);
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
                    self.say(at, no_alt_text(self.subject, "in-text"));
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
            let (text, value) = fault.text();
            let mut finding =
                Finding::said(Severity::Warning, ("link", text), self.subject.language(), &[("value", value)]);
            if !written.trim().is_empty() {
                finding.message = format!("{}: {}", finding.message, shown(written));
            }
            self.say(at, finding);
        }
        if !title.is_empty() {
            self.warn(at, ("link-title", "title"), &[("title", title)]);
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
            let values = [("written", written.to_string()), ("shown", next.to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            self.warn(at, ("numbering", "item"), &values);
        }
    }

    /// Cells beyond the last column are left out.
    fn row(&mut self, range: Range<usize>) {
        let row = self.source[range.clone()].lines().next().unwrap_or_default().trim().replace("\\|", "");
        let cells = row.trim_start_matches('|').trim_end_matches('|').split('|').count();
        if cells > self.columns {
            let values = [("cells", cells.to_string()), ("columns", self.columns.to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            self.warn(range.start, ("table", "cells"), &values);
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
            self.warn(list.at, ("speech", "list"), &[("dash", &reading.dash)]);
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
            self.warn(at, ("speaker", "last-line"), &[("line", last)]);
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        for Leftover { at, rule, text, line: shown } in leftovers::find(&run) {
            let before = run[..at].matches('\n').count();
            let line =
                self.source[self.run_at..].match_indices('\n').nth(before.wrapping_sub(1)).map_or(0, |(at, _)| at + 1);
            let offset = if before == 0 { self.run_at } else { self.run_at + line };
            self.warn(offset, (rule, text), &[("line", &shown)]);
        }
    }
}

/// A part of the author's text in a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
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
