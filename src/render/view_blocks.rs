//! The blocks of a release for templates, in the order in which they are shown: the third part of [`super::view`].
//!
//! The body is cut where the author placed a block (`[[programme]]`). Each block is an object with one value that
//! tells which it is (`programme`, `body_html`, `rsvp_block`) and, if it has one, its `heading`.

use serde_json::Value;

use crate::model::contact::{ContactRole, ReleaseContact};
use crate::model::release::attachment::Travel;
use crate::model::release::block::{Block, Place};
use crate::model::release::{Attachment, Image, Person, Release};

use super::labels::Labels;
use super::markdown;
use super::places::{picture_places, place_of};
use super::view::{Fields, ViewWriter, put, put_link, put_list, quote_block};
use super::view_material::{contact, file, image, link_group, size_in_words, video};

/// A part of the body.
enum Segment {
    Text(Vec<markdown::Block>),
    Place(Place),
}

/// What is shown of a block at one place.
struct Shown<'a> {
    release: &'a Release,
    travel: &'a [Travel],
    /// The positions of its parts, from 0.
    parts: Vec<usize>,
    heading: Heading<'a>,
}

/// The heading of a block.
#[derive(Clone, Copy)]
enum Heading<'a> {
    /// The one of the labels.
    Own,
    /// The author's.
    Given(&'a str),
    /// None.
    Absent,
}

impl ViewWriter<'_> {
    /// All blocks that have something to show.
    pub(super) fn blocks(&mut self, release: &Release, travel: &[Travel], order: &[Block]) -> Vec<Fields> {
        let segments = segments(markdown::parse(&release.body, &self.labels.reading), &release.images);
        let placed: Vec<&Place> = segments
            .iter()
            .filter_map(|segment| if let Segment::Place(place) = segment { Some(place) } else { None })
            .collect();
        let mut blocks = Vec::new();
        let rest = Block::ALL.into_iter().filter(|block| !order.contains(block));
        for block in order.iter().copied().chain(rest) {
            if block == Block::Body {
                self.body(&mut blocks, release, travel, &segments, &placed);
            } else if !placed.iter().any(|place| place.block == block && place.part.is_none()) {
                let parts = unplaced(release, block, &placed);
                let heading = given(release.headings.get(&block).map(String::as_str));
                blocks.extend(self.block(block, &Shown { release, travel, parts, heading }));
            }
        }
        blocks
    }

    fn body(
        &mut self,
        blocks: &mut Vec<Fields>,
        release: &Release,
        travel: &[Travel],
        segments: &[Segment],
        placed: &[&Place],
    ) {
        let mut below_heading = false;
        for segment in segments {
            match segment {
                Segment::Text(text) => {
                    let mut fields = Fields::new();
                    self.put_blocks(&mut fields, "body", text);
                    blocks.push(fields);
                    below_heading = matches!(text.last(), Some(markdown::Block::Heading(..)));
                }
                Segment::Place(place) => {
                    let parts = match place.part {
                        Some(part) => part.checked_sub(1).into_iter().collect(),
                        None => unplaced(release, place.block, placed),
                    };
                    // A heading in the text, just above, is the block's.
                    let of_release = release.headings.get(&place.block).map(String::as_str);
                    let heading = match given(place.heading.as_deref().or(of_release)) {
                        Heading::Own if below_heading => Heading::Absent,
                        // A picture within the text belongs to it.
                        Heading::Own if place.block == Block::Images => Heading::Absent,
                        heading => heading,
                    };
                    blocks.extend(self.block(place.block, &Shown { release, travel, parts, heading }));
                    below_heading = false;
                }
            }
        }
    }

    /// One block; `None` if the release has nothing for it.
    fn block(&mut self, block: Block, shown: &Shown<'_>) -> Option<Fields> {
        let release = shown.release;
        let mut fields = Fields::new();
        let mut flag = |present: bool, name: &str| {
            if present {
                fields.insert(name.to_owned(), Value::Bool(true));
            }
        };
        match block {
            Block::Body => {}
            Block::Facts => flag(release.event.is_some() || !release.facts.is_empty(), "facts_block"),
            Block::Rsvp => flag(release.event.as_ref().is_some_and(|event| event.rsvp.is_some()), "rsvp_block"),
            Block::MediaWelcome => flag(release.media_welcome.is_some(), "media_welcome_block"),
            Block::UsageTerms => flag(release.usage_terms.is_some(), "usage_terms_block"),
            Block::PullQuote => {
                let quotes = release.pull_quote.iter().map(|quote| quote_block(quote, &self.labels.reading));
                let quotes: Vec<_> = quotes.collect();
                self.put_blocks(&mut fields, "pull_quote", &quotes);
            }
            Block::Quotes => {
                let quotes = shown.of(&release.quotes).map(|(_, quote)| quote_block(quote, &self.labels.reading));
                let quotes: Vec<_> = quotes.collect();
                self.put_blocks(&mut fields, "quotes", &quotes);
            }
            Block::Bylines => {
                let bylines: Vec<String> = release.bylines.iter().map(Person::line).collect();
                put(&mut fields, "byline", Some(self.labels.list(&bylines)));
            }
            Block::EditorNote => {
                if let Some(note) = &release.editor_note {
                    self.put_inline(&mut fields, "editor_note", note);
                }
            }
            Block::Programme => self.programme(&mut fields, release),
            Block::Presentations => {
                let mut all = Vec::new();
                for (at, one) in shown.of(&release.presentations) {
                    let file = shown.file(one.attachment.as_deref(), &one.title, self.labels);
                    all.push(self.presentation(one, at + 1, file));
                }
                put_list(&mut fields, "presentations", all);
            }
            Block::Series => {
                let rows = shown.of(&release.series).map(|(_, row)| {
                    self.series_row(row, shown.file(row.attachment.as_deref(), &row.place, self.labels))
                });
                put_list(&mut fields, "series", rows);
            }
            Block::Attachments => self.attachments(&mut fields, shown),
            Block::Images => put_list(&mut fields, "images", shown.of(&release.images).map(|(_, one)| image(one))),
            Block::Videos => put_list(&mut fields, "videos", shown.of(&release.videos).map(|(_, one)| video(one))),
            Block::Links => {
                let own = matches!(shown.heading, Heading::Own).then(|| self.labels.word("links"));
                let groups = shown.of(&release.links).map(|(_, group)| link_group(group, own));
                put_list(&mut fields, "link_groups", groups);
            }
            Block::Contacts => self.contacts(&mut fields, shown),
            Block::Boilerplate => self.boilerplates(&mut fields, shown),
        }
        if fields.values().all(|value| value.as_array().is_some_and(Vec::is_empty)) {
            return None;
        }
        let own = match block {
            Block::Attachments if fields.get("attachments").and_then(Value::as_array).is_none_or(Vec::is_empty) => "",
            Block::Programme | Block::Presentations | Block::Series | Block::Attachments | Block::Images => {
                block.word()
            }
            Block::Videos => "film",
            _ => "",
        };
        match shown.heading {
            Heading::Given(heading) => put(&mut fields, "heading", Some(heading)),
            Heading::Own if !own.is_empty() => put(&mut fields, "heading", Some(self.labels.word(own))),
            Heading::Own | Heading::Absent => {}
        }
        Some(fields)
    }

    fn programme(&mut self, fields: &mut Fields, release: &Release) {
        let mut day = release.event.as_ref().map(|event| event.start.date);
        let mut slots = Vec::new();
        for slot in &release.programme {
            let shown = slot.date.filter(|date| day != Some(*date));
            day = slot.date.or(day);
            slots.push(self.slot(slot, shown));
        }
        put_list(fields, "programme", slots);
    }

    /// The files, without those that a presentation or a stop of a series shows.
    fn attachments(&self, fields: &mut Fields, shown: &Shown<'_>) {
        let release = shown.release;
        let (mut enclosed, mut linked) = (Vec::new(), Vec::new());
        for (at, attachment) in shown.of(&release.attachments) {
            let travel = shown.travel.get(at).copied().unwrap_or(Travel::InMail);
            if release.is_shown_elsewhere(attachment, travel) {
                continue;
            }
            match travel {
                Travel::InMail => enclosed.push(file(attachment, self.labels)),
                Travel::Link => linked.push(file(attachment, self.labels)),
                Travel::Nowhere => {}
            }
        }
        if matches!(shown.heading, Heading::Own) && !linked.is_empty() {
            put(fields, "downloads_heading", Some(self.labels.word("downloads")));
        }
        put_list(fields, "attachments", enclosed);
        put_list(fields, "linked_files", linked);
    }

    fn contacts(&self, fields: &mut Fields, shown: &Shown<'_>) {
        let of = |role: ContactRole| {
            let all: Vec<&ReleaseContact> = shown.of(&shown.release.contacts).map(|(_, one)| one).collect();
            all.into_iter().filter(move |one| one.role == role).map(contact)
        };
        let own = matches!(shown.heading, Heading::Own);
        for (name, heading, role) in [
            ("press_contacts", "contact_press", ContactRole::Press),
            ("subject_contacts", "contact_subject", ContactRole::Subject),
        ] {
            let all: Vec<Fields> = of(role).collect();
            if own && !all.is_empty() {
                put(fields, &format!("{heading}_heading"), Some(self.labels.word(heading)));
            }
            put_list(fields, name, all);
        }
    }

    fn boilerplates(&mut self, fields: &mut Fields, shown: &Shown<'_>) {
        let mut all = Vec::new();
        for (_, boilerplate) in shown.of(&shown.release.boilerplates) {
            let mut one = Fields::new();
            put(&mut one, "name", Some(boilerplate.name.as_str()));
            if matches!(shown.heading, Heading::Own) {
                let heading = format!("{} {}", self.labels.word("about"), boilerplate.name);
                put(&mut one, "own_heading", Some(heading));
            }
            self.put_markdown(&mut one, "about", &boilerplate.text);
            all.push(one);
        }
        put_list(fields, "boilerplates", all);
    }
}

impl<'a> Shown<'a> {
    /// The parts shown here, each with its position.
    fn of<T>(&self, all: &'a [T]) -> impl Iterator<Item = (usize, &'a T)> {
        self.parts.iter().filter_map(|at| Some((*at, all.get(*at)?)))
    }

    /// The attachment of a presentation or a stop: `file`, its name with its size, and its link if it does not travel
    /// in the mail. A name that is the `title` already is not repeated.
    fn file(&self, name: Option<&str>, title: &str, labels: &Labels) -> Option<Fields> {
        let name = name?;
        let mut fields = Fields::new();
        let found = self.release.attachments.iter().position(|attachment| attachment.file == name);
        let attachment = found.map(|at| &self.release.attachments[at]);
        let size = attachment.and_then(|one| one.blob).map(|blob| size_in_words(blob.size, labels));
        let shown = attachment.map_or(name, Attachment::file_name);
        let name = (shown != title).then(|| shown.to_owned());
        let parts: Vec<String> = name.into_iter().chain(size).collect();
        put(&mut fields, "file", Some(parts.join(", ")));
        if found.and_then(|at| self.travel.get(at)) == Some(&Travel::Link) {
            put_link(&mut fields, "url", attachment.and_then(|one| one.url.as_deref()));
        }
        Some(fields)
    }
}

fn given(heading: Option<&str>) -> Heading<'_> {
    match heading {
        None => Heading::Own,
        Some("") => Heading::Absent,
        Some(heading) => Heading::Given(heading),
    }
}

/// Cuts the body where blocks are placed, and at paragraphs of pictures.
fn segments(blocks: Vec<markdown::Block>, images: &[Image]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for block in blocks {
        let pictures = picture_places(&block, images);
        if !pictures.is_empty() {
            segments.extend(pictures.into_iter().map(Segment::Place));
            continue;
        }
        match (place_of(&block), segments.last_mut()) {
            (Some(place), _) => segments.push(Segment::Place(place)),
            (None, Some(Segment::Text(text))) => text.push(block),
            (None, _) => segments.push(Segment::Text(vec![block])),
        }
    }
    segments
}

/// The positions of a block's parts that the author places nowhere by number.
fn unplaced(release: &Release, block: Block, placed: &[&Place]) -> Vec<usize> {
    let is_placed = |at: &usize| placed.iter().any(|place| place.block == block && place.part == Some(at + 1));
    (0..release.parts(block)).filter(|at| !is_placed(at)).collect()
}
