//! The parts of a reply: which contain its text, and which could not be read. Unread text is not taken for silence.

use super::lines::{Raw, Written, bound, html_lines, plain_lines};
use super::unread::Unread;
use super::{Reply, ReplyReader};
use crate::mail::html_text::structure::structure;
use crate::mail::incoming::{Incoming, Part};

/// Maximum bytes of HTML that are read.
const MOST_HTML: usize = 1024 * 1024;

impl ReplyReader {
    /// The text in each form of the mail, and what could not be read.
    pub(super) fn forms(&self, message: &Incoming) -> (Vec<Written>, Vec<Unread>) {
        let (mut unread, mut pictures) = (Vec::new(), Vec::new());
        let texts: Vec<&Part> = message.parts().iter().filter(|part| part.is_text_body && is_text(part)).collect();
        let shown: Vec<&Part> = message.parts().iter().filter(|part| part.is_html_body && is_text(part)).collect();
        let same =
            texts.len() == shown.len() && texts.iter().zip(&shown).all(|(one, other)| std::ptr::eq(*one, *other));
        let mut forms = Vec::new();
        for parts in
            [Some(&texts), Some(&shown).filter(|_| !same)].into_iter().flatten().filter(|parts| !parts.is_empty())
        {
            let mut lines = Vec::new();
            for part in parts {
                self.lines(part, &mut lines, &mut unread, &mut pictures);
                bound(&mut lines, &mut unread);
            }
            forms.push(self.written(lines, &mut unread));
        }
        if message.parts().is_empty() && !message.text().is_empty() {
            // Without a header everything is plain text.
            let lines = plain_lines(message.text(), &mut unread);
            forms.push(self.written(lines, &mut unread));
        }
        if forms.is_empty() {
            // If no part contains text, any other part may stand for it.
            let alone = message.parts().first().map(|part| part.content_type.clone());
            unread.extend(alone.map(|content_type| Unread::Part { content_type, is_beside_words: false }));
            forms.push(Written::NOTHING);
        }
        let others = message.parts().iter().filter(|part| !(is_text(part) && (part.is_text_body || part.is_html_body)));
        unread.extend(others.filter_map(|part| self.unread(part, &pictures)));
        if !message.is_whole() {
            unread.push(Unread::TooLong);
        }
        (forms, unread)
    }

    fn lines(&self, part: &Part, lines: &mut Vec<Raw>, unread: &mut Vec<Unread>, pictures: &mut Vec<String>) {
        if part.is_undecoded {
            unread.push(Unread::Undecoded);
        }
        let text = part.text.as_deref().unwrap_or_default();
        if part.content_type != "text/html" {
            lines.append(&mut plain_lines(text, unread));
            return;
        }
        let whole = &text[..text.floor_char_boundary(MOST_HTML)];
        if whole.len() < text.len() {
            unread.push(Unread::TooLong);
        }
        let found = structure(whole, &self.html);
        lines.append(&mut html_lines(found.lines));
        pictures.extend(found.pictures);
    }

    /// What a part without shown text may contain.
    fn unread(&self, part: &Part, pictures: &[String]) -> Option<Unread> {
        let kind = part.content_type.as_str();
        let is = |list: &[String]| {
            list.iter().any(|one| kind == one || one.ends_with('/') && kind.starts_with(one.as_str()))
        };
        let file = part.file_name.as_deref().unwrap_or_default().to_lowercase();
        let is_companion = is(&self.companions) || self.companion_files.iter().any(|end| file.ends_with(end.as_str()));
        let is_shown = part.content_id.as_ref().is_some_and(|id| pictures.iter().any(|picture| picture == id));
        let is_blank =
            is_text(part) && !part.is_undecoded && part.text.as_deref().is_some_and(|text| text.trim().is_empty());
        if is_companion || is_blank || is_shown && kind.starts_with("image/") {
            return None;
        }
        Some(Unread::Part { content_type: kind.to_owned(), is_beside_words: is(&self.beside_words) })
    }
}

fn is_text(part: &Part) -> bool {
    matches!(part.content_type.as_str(), "text/plain" | "text/html")
}

impl Reply {}
