//! The text of a message as lines: what its sender's program wrote, up to where the returned message begins.

use crate::mail::incoming::Incoming;

use super::wording::Wording;

/// Maximum bytes of text that are read; anything after that is a returned message.
const MAX_TEXT: usize = 64 * 1024;
/// Maximum number of lines that are read.
const MAX_LINES: usize = 1500;
/// Maximum bytes of one line that are read.
const MAX_LINE: usize = 2000;

/// Maximum number of lines with a refusal that are combined.
const MAX_REFUSALS: usize = 20;

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The text without surrounding spaces and quotation marks.
    pub text: String,
    /// The text in lower case.
    pub lower: String,
    /// Whether it was indented.
    pub is_indented: bool,
}

/// The text of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    lines: Vec<Line>,
    returned: Option<String>,
}

impl Text {
    pub(super) fn new(mail: &Incoming, wording: &Wording) -> Self {
        let whole = body(mail);
        let whole = &whole[..whole.floor_char_boundary(MAX_TEXT)];
        let mut text = Self::default();
        let mut from = 0;
        for raw in whole.split_inclusive('\n').take(MAX_LINES) {
            let line = Line::new(raw);
            let begins = (!line.is_indented && is_field_of_mail(&line.lower) && is_header_block(&whole[from..]))
                || wording.begins_returned(&line.lower);
            if begins {
                text.returned = Some(header_of(&whole[from..]).to_owned());
                break;
            }
            text.lines.push(line);
            from += raw.len();
        }
        text
    }

    /// The lines before the returned message.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The returned message in the text, from its header on.
    pub(super) fn returned(&self) -> Option<&str> {
        self.returned.as_deref()
    }

    /// All lines as one text.
    pub(super) fn joined(&self) -> String {
        let lines = self.lines.iter().filter(|line| !line.text.is_empty());
        lines.fold(String::new(), |all, line| all + &line.text + "\n")
    }

    /// The lines with refusals as one text.
    pub(super) fn refusals(&self) -> String {
        let lines = self.lines.iter().filter(|line| super::diagnosis::reply_code(&line.text).is_some());
        lines.take(MAX_REFUSALS).fold(String::new(), |all, line| all + &line.text + "\n")
    }

    /// All lines as one text in lower case, with one space between words, so that phrases are found across line ends.
    pub(super) fn flowing(&self) -> String {
        let mut all = String::new();
        for word in self.lines.iter().flat_map(|line| line.lower.split_whitespace()) {
            all.push_str(word);
            all.push(' ');
        }
        all
    }
}

/// The text shown to a reader; if absent, the first part with any.
fn body(mail: &Incoming) -> std::borrow::Cow<'_, str> {
    if !mail.text().trim().is_empty() {
        return mail.text().into();
    }
    let texts = mail.parts().iter().filter_map(|part| part.text.as_deref());
    texts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default().into()
}

impl Line {
    fn new(raw: &str) -> Self {
        let raw = &raw[..raw.floor_char_boundary(MAX_LINE)];
        let is_indented = raw.starts_with([' ', '\t']);
        let text = without_shifts(raw);
        let mut text = text.trim();
        while let Some(rest) = text.strip_prefix('>') {
            text = rest.trim_start();
        }
        Self { lower: text.to_lowercase(), text: text.to_owned(), is_indented }
    }
}

/// The line without the Japanese of ISO-2022-JP (RFC 1468), whose bytes are ASCII letters and brackets. A mark
/// replaces it, so that an address after a sentence does not begin its line.
fn without_shifts(line: &str) -> std::borrow::Cow<'_, str> {
    let shift = ["\u{1b}$", "$B"];
    // The escape byte itself is lost in some cases.
    let is_shifted = line.contains('\u{1b}') || line.starts_with("$B") && line.contains("(B");
    if !is_shifted {
        return line.into();
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = shift.iter().filter_map(|mark| rest.find(mark)).min() {
        out.push_str(&rest[..start]);
        out.push('\u{3000}');
        out.push('*');
        let Some(end) = ["(B", "(J"].iter().filter_map(|mark| rest[start..].find(mark)).min() else {
            return out.into();
        };
        rest = &rest[start + end + 2..];
    }
    out.push_str(rest);
    out.into()
}

/// Whether a line in lower case is a header field that only occurs in a real message.
fn is_field_of_mail(line: &str) -> bool {
    let fields = [
        "received:",
        "return-path:",
        "message-id:",
        "mime-version:",
        "dkim-signature:",
        "x-received:",
        "delivered-to:",
        "arc-seal:",
        "authentication-results:",
        "x-google-dkim-signature:",
        "domainkey-signature:",
    ];
    fields.iter().any(|field| line.starts_with(field))
}

/// Whether there are consecutive header fields here.
fn is_header_block(text: &str) -> bool {
    let mut fields = 0;
    for line in text.lines().take(40) {
        let is_folded = line.starts_with([' ', '\t']);
        let is_field = line.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.len() < 60 && name.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'-')
        });
        match (is_folded, is_field) {
            (true, _) => {}
            (false, true) => fields += 1,
            (false, false) => break,
        }
    }
    fields >= 3
}

/// The text from its first header field on.
fn header_of(text: &str) -> &str {
    let mut from = 0;
    for line in text.split_inclusive('\n').take(40) {
        if is_header_block(&text[from..]) {
            return &text[from..];
        }
        from += line.len();
    }
    text
}
