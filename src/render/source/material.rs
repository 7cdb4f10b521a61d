//! Parses attachments, images, videos, links, and relations to other releases.

use chrono_tz::Tz;

use super::section::Section;
use crate::base::language::Language;
use crate::model::release::block::{Block, Headings};
use crate::model::release::{
    Archive, Attachment, Corrected, Embargo, Image, Link, LinkGroup, Relation, RelationKind, Translation, Video,
};

const LANGUAGE: &str = "write a language tag such as sv or en-GB";

impl<'i, 'l> Section<'i, 'l> {
    pub(super) fn attachments(&mut self, key: &'static str) -> Vec<Attachment> {
        let mut read = |mut section: Section<'_, '_>| {
            let attachment = Attachment {
                file: section.need("file", "\"program.pdf\""),
                title: section.line_text("title"),
                media_type: section.line_text("type"),
                language: section.parsed("language", LANGUAGE),
                people: section.people("people"),
                url: section.link("url"),
                blob: None,
            };
            section.finish();
            attachment
        };
        self.sections(key).into_iter().map(&mut read).collect()
    }

    pub(super) fn images(&mut self, key: &'static str) -> Vec<Image> {
        let read = |mut section: Section<'_, '_>| {
            let image = Image {
                file: section.line_text("file"),
                url: section.link("url"),
                alt: section.line_text("alt"),
                caption: section.line_text("caption"),
                photographer: section.line_text("photographer"),
                rights: section.line_text("rights"),
                blob: None,
            };
            if image.file.is_none() && image.url.is_none() {
                section.miss("file", "\"bild.jpg\", or url = \"https://…\"");
            }
            section.finish();
            image
        };
        self.sections(key).into_iter().map(read).collect()
    }

    pub(super) fn corrected(&mut self, key: &'static str) -> Vec<Corrected> {
        let read = |mut section: Section<'_, '_>| {
            let corrected = Corrected { old: section.need("old", "\"40 000\""), new: section.need("new", "\"4 000\"") };
            section.finish();
            corrected
        };
        self.sections(key).into_iter().map(read).collect()
    }

    pub(super) fn videos(&mut self, key: &'static str) -> Vec<Video> {
        let read = |mut section: Section<'_, '_>| {
            let title = section.need("title", "\"Intervju\"");
            let (people, text) = (section.people("people"), section.text("text"));
            let url = section.need_link("url");
            section.finish();
            Video { title, people, text, url }
        };
        self.sections(key).into_iter().map(read).collect()
    }

    /// Links: `{ title, url }`, or groups `{ title, links = [...] }`. Adjacent links without a group form one group.
    pub(super) fn link_groups(&mut self, key: &'static str) -> Vec<LinkGroup> {
        let mut groups: Vec<LinkGroup> = Vec::new();
        for mut section in self.sections(key) {
            let inner = section.sections("links");
            if inner.is_empty() {
                let link = link(section);
                match groups.last_mut() {
                    Some(group) if group.title.is_none() => group.links.push(link),
                    _ => groups.push(LinkGroup { title: None, links: vec![link] }),
                }
            } else {
                let title = section.line_text("title");
                groups.push(LinkGroup { title, links: inner.into_iter().map(link).collect() });
                section.finish();
            }
        }
        groups
    }

    /// Headings by block; an empty text leaves the heading out.
    pub(super) fn headings(&mut self, key: &'static str) -> Headings {
        let Some(mut section) = self.section(key) else { return Headings::new() };
        let with_heading = Block::ALL.into_iter().filter(|block| block.has_heading());
        let headings = with_heading.filter_map(|block| Some((block, section.heading(block.word())?))).collect();
        section.finish();
        headings
    }

    fn need_link(&mut self, key: &'static str) -> String {
        let link = self.link(key);
        if !self.was_given(key) {
            self.miss(key, "\"https://example.org/…\"");
        }
        link.unwrap_or_default()
    }

    pub(super) fn translations(&mut self, key: &'static str) -> Vec<Translation> {
        let read = |mut section: Section<'_, '_>| {
            let language: Option<Language> = section.parsed("language", LANGUAGE);
            if language.is_none() && !section.was_given("language") {
                section.miss("language", "\"en\"");
            }
            let title = section.line_text("title");
            let reference = section.need("to", "\"https://example.org/en/\"");
            section.finish();
            Some(Translation { language: language?, title, reference })
        };
        self.sections(key).into_iter().filter_map(read).collect()
    }

    pub(super) fn relations(&mut self, key: &'static str, zone: Tz) -> Vec<Relation> {
        let read = |mut section: Section<'_, '_>| {
            let kind = section.word("kind", &RelationKind::ALL, RelationKind::word);
            if kind.is_none() && !section.was_given("kind") {
                section.miss("kind", "\"follow-up-of\"");
            }
            let to = section.need("to", "\"r17\"");
            let (title, date) = (section.line_text("title"), section.moment("date", zone));
            section.finish();
            Some(Relation { kind: kind?, to, title, date })
        };
        self.sections(key).into_iter().filter_map(read).collect()
    }

    pub(super) fn embargo(&mut self, key: &'static str, zone: Tz) -> Option<Embargo> {
        let mut section = self.section(key)?;
        let zone = section.zone("zone").unwrap_or(zone);
        let until = section.moment("until", zone);
        if !section.was_given("until") {
            section.miss("until", "2026-11-26T09:30:00");
        }
        let reason = section.line_text("reason");
        section.finish();
        Some(Embargo { until: until?, zone, reason })
    }

    pub(super) fn archive(&mut self, key: &'static str, zone: Tz) -> Option<Archive> {
        let mut section = self.section(key)?;
        let (from, until) = (section.moment("from", zone), section.moment("until", zone));
        let notes = section.texts("notes");
        section.finish();
        Some(Archive { from, until, notes })
    }
}

fn link(mut section: Section<'_, '_>) -> Link {
    let title = section.need("title", "\"Om kampanjen\"");
    let url = section.need_link("url");
    section.finish();
    Link { title, url }
}
