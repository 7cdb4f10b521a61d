//! Limits how much of a message is parsed. The parser's memory and time grow with what a stranger declares: fields,
//! addresses, parts, missing boundaries. So all of that is counted before the parser sees any of it, in one pass
//! whose own work is bounded. What is beyond a limit, and everything after it, is not parsed, and the message is
//! marked accordingly.
//!
//! The count may be higher than what the parser finds in a message, and is never lower: whatever could be a
//! delimiter, a header or an embedded message counts as one, wherever it is.

use std::fmt;

use super::incoming_encoded::{from_base64, from_quoted_printable};
use super::incoming_fields::{Block, Declared};

/// Maximum number of header fields of one message or part.
const MAX_FIELDS: usize = 1000;
/// Maximum number of header fields of a message and everything in it.
const MAX_FIELDS_IN_ALL: usize = 10_000;
/// Maximum bytes of one header field, including folded lines.
const MAX_FIELD: usize = 64 * 1024;
/// Maximum bytes of all header fields.
const MAX_HEADER: usize = 1024 * 1024;
/// Maximum number of characters in one field that separate addresses, ids or parameters.
pub(super) const MAX_SEPARATORS: usize = 4000;
/// Maximum number of encoded words (RFC 2047) in one field.
const MAX_WORDS: usize = 1000;
/// Maximum number of delimiters, and thus of parts.
const MAX_PARTS: usize = 1000;
/// Maximum number of different boundaries.
const MAX_BOUNDARIES: usize = 200;
/// Maximum length of a boundary, in bytes: RFC 2046 §5.1.1 allows 70.
const MAX_BOUNDARY: usize = 200;
/// Maximum number of embedded messages: what the parser builds is dropped recursively.
const MAX_MESSAGES: usize = 100;
/// Maximum depth of encoded messages; the parser does not decode deeper ones.
const MAX_ENCODED: usize = 4;
/// Maximum number of steps outside the main pass: for each byte, and in addition to that.
const STEPS_PER_BYTE: usize = 4;
const STEPS_MORE: usize = 4 * 1024 * 1024;

/// The limit that a message exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Excess {
    /// Header fields, or their bytes.
    Header,
    /// The length of a field, or its number of addresses, ids, parameters or encoded words.
    Field,
    /// Parts, or boundaries.
    Parts,
    /// Embedded messages.
    Messages,
    /// Failed searches: boundaries that do not occur, or declarations that contradict each other.
    Searches,
    /// The parser panicked: nothing was read.
    Unreadable,
}

impl fmt::Display for Excess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "it has more header fields than are read",
            Self::Field => "it has a header field longer than is read",
            Self::Parts => "it has more parts than are read",
            Self::Messages => "it has more messages inside it than are read",
            Self::Searches => "it declares more parts than it has",
            Self::Unreadable => "the parser failed on it",
        })
    }
}

/// The part of a message that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readable {
    /// Its length from the beginning.
    pub length: usize,
    /// Why it is not the whole message.
    pub excess: Option<Excess>,
}

impl Readable {
    fn from(result: Result<(), Stop>, length: usize) -> Self {
        match result {
            Ok(()) => Self { length, excess: None },
            Err(Stop { at, excess }) => Self { length: at, excess: Some(excess) },
        }
    }
}

/// The part of a message that may be read.
pub(super) fn readable(bytes: &[u8]) -> Readable {
    let mut counts = Counts::new(bytes.len());
    Readable::from(Survey::new(bytes, &mut counts, 0).message(false), bytes.len())
}

/// The part of header fields without a message that may be read: at most up to the empty line that ends them.
pub(super) fn readable_header(bytes: &[u8]) -> Readable {
    let mut counts = Counts::new(bytes.len());
    let mut survey = Survey::new(bytes, &mut counts, 0);
    let result = survey.block().map(drop);
    let end = survey.at;
    Readable::from(result, end)
}

/// Where reading stops, and why.
#[derive(Clone, Copy, Debug)]
struct Stop {
    at: usize,
    excess: Excess,
}

/// The counts over a message and everything in it.
#[derive(Debug)]
struct Counts {
    fields: usize,
    header: usize,
    parts: usize,
    messages: usize,
    steps_left: usize,
}

impl Counts {
    fn new(length: usize) -> Self {
        let steps_left = length.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_MORE);
        Self { fields: 0, header: 0, parts: 0, messages: 0, steps_left }
    }
}

struct Boundary {
    bytes: Vec<u8>,
    /// Declared, and not found since. Its first occurrence begins a part, even if it looks like the last delimiter.
    awaited: bool,
}

struct Survey<'a> {
    bytes: &'a [u8],
    at: usize,
    boundaries: Vec<Boundary>,
    /// First bytes of boundaries.
    first: [bool; 256],
    /// Whether a digest was declared: its parts are messages (RFC 2046 §5.1.5).
    digest: bool,
    depth: usize,
    counts: &'a mut Counts,
}

impl<'a> Survey<'a> {
    fn new(bytes: &'a [u8], counts: &'a mut Counts, depth: usize) -> Self {
        Self { bytes, at: 0, boundaries: Vec::new(), first: [false; 256], digest: false, depth, counts }
    }

    /// Counts a header, and the parts after it; with `enclosed` the header is that around a message, whose own
    /// follows.
    fn message(&mut self, enclosed: bool) -> Result<(), Stop> {
        self.headers(enclosed)?;
        while let Some(end) = self.delimiter(self.bytes.len(), true)? {
            self.part(end)?;
            self.at = end + rest_of_line(&self.bytes[end..]);
            self.headers(self.digest)?;
        }
        Ok(())
    }

    /// Counts a header, and those of the messages that begin directly after it.
    fn headers(&mut self, mut enclosed: bool) -> Result<(), Stop> {
        loop {
            let begin = self.at;
            let block = self.block()?;
            let end = self.at;
            // Delimiters inside a header: for the parser, it begins again after each.
            self.at = begin;
            let mut delimiters = 0;
            while let Some(after) = self.delimiter(end, false)? {
                self.part(after)?;
                delimiters += 1;
                self.at = after;
            }
            self.at = end;
            let declared = self.declared(begin, end)?;
            if declared.encoded && declared.messages > 0 {
                if delimiters > 0 || block.has_blank_fold {
                    return self.stop(begin, Excess::Searches);
                }
                self.encoded(&declared, begin)?;
                if declared.only_encoded {
                    return Ok(());
                }
            }
            if declared.messages == 0 && !enclosed && !(self.digest && delimiters > 0) {
                return Ok(());
            }
            enclosed = false;
            if self.at >= self.bytes.len() {
                return Ok(());
            }
        }
    }

    fn stop<T>(&self, at: usize, excess: Excess) -> Result<T, Stop> {
        Err(Stop { at, excess })
    }

    fn step(&mut self, steps: usize, at: usize) -> Result<(), Stop> {
        match self.counts.steps_left.checked_sub(steps) {
            Some(left) => {
                self.counts.steps_left = left;
                Ok(())
            }
            None => self.stop(at, Excess::Searches),
        }
    }

    fn part(&mut self, at: usize) -> Result<(), Stop> {
        self.counts.parts += 1;
        if self.counts.parts > MAX_PARTS { self.stop(at, Excess::Parts) } else { Ok(()) }
    }

    /// Scans one header, up to after the empty line that ends it.
    fn block(&mut self) -> Result<Block, Stop> {
        let begin = self.at;
        let mut block = Block::default();
        while self.at < self.bytes.len() {
            let line = self.at;
            let is_end = block.line(self.bytes, line);
            self.at = block.end;
            if is_end {
                break;
            }
            let excess = match &block {
                block if block.field_length > MAX_FIELD => Some(Excess::Field),
                block if block.separators > MAX_SEPARATORS || block.words > MAX_WORDS => Some(Excess::Field),
                block if block.fields > MAX_FIELDS => Some(Excess::Header),
                block if self.counts.fields + block.fields > MAX_FIELDS_IN_ALL => Some(Excess::Header),
                _ if self.counts.header + (self.at - begin) > MAX_HEADER => Some(Excess::Header),
                _ => None,
            };
            if let Some(excess) = excess {
                return self.stop(block.field_begin.max(begin), excess);
            }
        }
        self.counts.fields += block.fields;
        self.counts.header += self.at - begin;
        Ok(block)
    }

    /// What a header declares about the content after it.
    fn declared(&mut self, begin: usize, end: usize) -> Result<Declared, Stop> {
        let mut declared = Declared::default();
        for (is_type, value_end, value) in Declared::fields(&self.bytes[begin..end]) {
            self.step(value.len(), begin)?;
            declared.read(is_type, value_end, value);
        }
        self.digest |= declared.digest;
        self.counts.messages += declared.messages + usize::from(declared.digest);
        if self.counts.messages > MAX_MESSAGES {
            return self.stop(begin, Excess::Messages);
        }
        for (at, boundary) in std::mem::take(&mut declared.boundaries) {
            self.boundary(begin + at, boundary, begin)?;
        }
        Ok(declared)
    }

    /// Records a boundary, and the cost of searching for it from `from` on: all the rest, if it does not occur.
    fn boundary(&mut self, from: usize, bytes: Vec<u8>, begin: usize) -> Result<(), Stop> {
        let Some(&first) = bytes.first() else { return Ok(()) };
        if bytes.len() > MAX_BOUNDARY {
            return self.stop(begin, Excess::Parts);
        }
        let rest = &self.bytes[from.min(self.bytes.len())..];
        let found = memchr::memmem::find(rest, &[b"--", bytes.as_slice()].concat());
        self.step(found.map_or(rest.len(), |far| far / STEPS_PER_BYTE), begin)?;
        self.first[usize::from(first)] = true;
        if let Some(known) = self.boundaries.iter_mut().find(|one| one.bytes == bytes) {
            known.awaited = true;
            return Ok(());
        }
        if self.boundaries.len() == MAX_BOUNDARIES {
            return self.stop(begin, Excess::Parts);
        }
        self.boundaries.push(Boundary { bytes, awaited: true });
        Ok(())
    }

    /// The end of the next delimiter that begins a part, before `end`; the parser finds them anywhere in a line.
    fn delimiter(&mut self, end: usize, comes: bool) -> Result<Option<usize>, Stop> {
        let mut from = self.at;
        while let Some(at) = self.bytes.get(from..end).and_then(|rest| memchr::memchr(b'-', rest)).map(|at| from + at) {
            from = at + 1;
            let Some((b'-', name)) = self.bytes.get(at + 1..end).and_then(<[u8]>::split_first) else { continue };
            if !name.first().is_some_and(|first| self.first[usize::from(*first)]) {
                continue;
            }
            self.step(self.boundaries.len(), at)?;
            for boundary in &mut self.boundaries {
                let Some(after) = name.strip_prefix(boundary.bytes.as_slice()) else { continue };
                if boundary.awaited || !after.starts_with(b"--") {
                    boundary.awaited &= !comes;
                    return Ok(Some(at + 2 + boundary.bytes.len()));
                }
            }
        }
        Ok(None)
    }

    /// Counts a message whose content is encoded, which RFC 2046 §5.2.1 forbids and the parser decodes.
    fn encoded(&mut self, declared: &Declared, begin: usize) -> Result<(), Stop> {
        if self.depth >= MAX_ENCODED {
            return self.stop(begin, Excess::Messages);
        }
        let rest = &self.bytes[self.at..];
        let decoded = [
            declared.base64.then(|| from_base64(rest)),
            declared.quoted_printable.then(|| from_quoted_printable(rest)),
        ];
        for decoded in decoded.into_iter().flatten() {
            self.step(decoded.len(), begin)?;
            let mut inside = Survey::new(&decoded, self.counts, self.depth + 1);
            if let Err(Stop { excess, .. }) = inside.message(false) {
                return self.stop(begin, excess);
            }
        }
        Ok(())
    }
}

/// Length of the rest of a delimiter's line, if it is only white space.
fn rest_of_line(bytes: &[u8]) -> usize {
    match bytes.iter().position(|byte| *byte == b'\n' || !byte.is_ascii_whitespace()) {
        Some(end) if bytes[end] == b'\n' => end + 1,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "incoming_limits_tests.rs"]
mod tests;
