//! From octets to records: encoding, delimiter, quotation marks and line numbers, with bounded memory.
//!
//! Octets are pushed in as they come, in pieces of any size; no piece of the file is kept longer than its record.

use csv_core::ReadRecordResult;

/// How much is looked at before the delimiter and the encoding are decided, in octets.
const HEAD: usize = 64 * 1024;
/// The longest record, in octets. A longer one is mostly a quotation mark that nobody closed.
const LONGEST_RECORD: usize = 64 * 1024;
/// The most cells of a record.
const MOST_CELLS: usize = 512;

/// One record of the file, its cells unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line on which it begins, from 1.
    pub line: u64,
    text: String,
    ends: Vec<u32>,
}

impl Record {
    /// The cell at `index`; empty beyond the last.
    pub fn cell(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.ends.get(before).map(|end| *end as usize),
        };
        let end = self.ends.get(index).map(|end| *end as usize);
        start.zip(end).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// How many octets its cells have together.
    pub fn octets(&self) -> usize {
        self.text.len()
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|index| self.cell(index))
    }
}

/// What was found in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record.
    Record(Record),
    /// A record that cannot be read; those after it can.
    Broken {
        /// The line on which it begins.
        line: u64,
        /// Why.
        reason: String,
    },
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is nothing in it.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// Excel's “Unicode text”.
    #[error("the file is UTF-16, which Excel calls \u{201c}Unicode text\u{201d}; save it as \u{201c}CSV UTF-8\u{201d}")]
    Utf16,
    /// Excel's plain “CSV”, most of the time.
    #[error(
        "line {line} is not UTF-8; the file is probably Latin-1 or Windows-1252, which Excel calls just \
         \u{201c}CSV\u{201d}: save it as \u{201c}CSV UTF-8\u{201d}"
    )]
    NotUtf8 {
        /// The first line that is not.
        line: u64,
    },
    /// A workbook or something else that is no text.
    #[error("the file is not text: is it a workbook? Save it as \u{201c}CSV UTF-8\u{201d}")]
    NotText,
}

/// Reads records from octets that are pushed in.
pub struct RecordReader {
    head: Vec<u8>,
    parser: Option<Parser>,
}

impl Default for RecordReader {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordReader {
    /// A reader at the beginning of a file.
    pub fn new() -> Self {
        Self { head: Vec::new(), parser: None }
    }

    /// Takes the next octets of the file and puts the records that they complete into `found`.
    ///
    /// # Errors
    /// [`FormatError`] when the file cannot be read at all.
    pub fn push(&mut self, octets: &[u8], found: &mut Vec<Found>) -> Result<(), FormatError> {
        if let Some(parser) = &mut self.parser {
            parser.feed(octets, found);
            return Ok(());
        }
        self.head.extend_from_slice(octets);
        match self.head.len() >= HEAD {
            true => self.begin(false, found),
            false => Ok(()),
        }
    }

    /// The file has ended: gives its last record.
    ///
    /// # Errors
    /// [`FormatError`] when the file cannot be read at all.
    pub fn finish(&mut self, found: &mut Vec<Found>) -> Result<(), FormatError> {
        if self.parser.is_none() {
            self.begin(true, found)?;
        }
        if let Some(parser) = &mut self.parser {
            parser.finish(found);
        }
        Ok(())
    }

    fn begin(&mut self, whole: bool, found: &mut Vec<Found>) -> Result<(), FormatError> {
        let head = std::mem::take(&mut self.head);
        check_encoding(&head, whole)?;
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
        let (delimiter, skip) = match separator_line(text) {
            Some(named) => named,
            None => (sniff(text), 0),
        };
        let mut parser = Parser::new(delimiter);
        parser.count(&text[..skip]);
        parser.feed(&text[skip..], found);
        self.parser = Some(parser);
        Ok(())
    }
}

fn check_encoding(head: &[u8], whole: bool) -> Result<(), FormatError> {
    if head.iter().all(u8::is_ascii_whitespace) && whole {
        return Err(FormatError::Empty);
    }
    let zeros = head.iter().filter(|o| **o == 0).count();
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || zeros > head.len() / 4 {
        return Err(FormatError::Utf16);
    }
    // A ZIP archive (xlsx, ods) or an OLE file (xls).
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(FormatError::NotText);
    }
    match std::str::from_utf8(head) {
        // The last character may be cut where the head ends.
        Err(e) if whole || e.error_len().is_some() => {
            let before = head.get(..e.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|o| **o == b'\n').count() as u64 + 1;
            Err(FormatError::NotUtf8 { line })
        }
        _ => Ok(()),
    }
}

/// Excel's own first line `sep=;`: the delimiter, and where the rest begins.
fn separator_line(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().position(|o| *o == b'\n').map_or(text.len(), |at| at + 1);
    let line = text.get(..end)?.trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let name = line.get(..4)?;
    match (name.eq_ignore_ascii_case(b"sep="), line.get(4..)?) {
        (true, [delimiter]) if delimiter.is_ascii() && *delimiter != b'"' => Some((*delimiter, end)),
        // The tab of `sep=<tab>` was trimmed.
        (true, []) => Some((b'\t', end)),
        _ => None,
    }
}

/// The delimiter that stands most often in the first line with something in it, outside quotation marks.
fn sniff(text: &[u8]) -> u8 {
    let text = text.trim_ascii_start();
    let (mut quoted, mut counts) = (false, [(b';', 0u32), (b',', 0), (b'\t', 0)]);
    for octet in text {
        match octet {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            octet if !quoted => counts.iter_mut().filter(|(d, _)| d == octet).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    // Of equals the last wins, so none at all gives a tab: a file of one column, in which nothing else can divide.
    counts.iter().max_by_key(|(_, n)| *n).map_or(b',', |(delimiter, _)| *delimiter)
}

struct Parser {
    csv: csv_core::Reader,
    text: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    /// The line of the next octet, from 1.
    line: u64,
    after_return: bool,
    /// The line on which the record began; `None` between records.
    began: Option<u64>,
    quotation_marks: u64,
    too_much: Option<&'static str>,
}

impl Parser {
    fn new(delimiter: u8) -> Self {
        Self {
            csv: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4096],
            filled: 0,
            ends: vec![0; 64],
            ended: 0,
            line: 1,
            after_return: false,
            began: None,
            quotation_marks: 0,
            too_much: None,
        }
    }

    /// Counts lines: CR LF, LF, and CR alone each end one.
    fn count(&mut self, octets: &[u8]) {
        for octet in octets {
            match octet {
                b'\n' if self.after_return => {}
                b'\r' | b'\n' => self.line += 1,
                b'"' => self.quotation_marks += 1,
                _ => {}
            }
            self.after_return = *octet == b'\r';
        }
    }

    fn feed(&mut self, mut octets: &[u8], found: &mut Vec<Found>) {
        loop {
            if self.began.is_none() {
                let blank = octets.iter().take_while(|o| matches!(o, b'\r' | b'\n')).count();
                self.count(&octets[..blank]);
                octets = &octets[blank..];
            }
            if octets.is_empty() {
                return;
            }
            self.began.get_or_insert(self.line);
            let (result, read) = self.step(octets);
            self.count(&octets[..read]);
            octets = &octets[read..];
            if result == ReadRecordResult::Record {
                self.emit(false, found);
            }
        }
    }

    fn finish(&mut self, found: &mut Vec<Found>) {
        while self.began.is_some() {
            match self.step(&[]).0 {
                ReadRecordResult::Record | ReadRecordResult::End => self.emit(true, found),
                _ => {}
            }
        }
    }

    /// Lets the parser read some octets; gives its buffers room where it wants it, up to the limits.
    fn step(&mut self, octets: &[u8]) -> (ReadRecordResult, usize) {
        let (result, read, written, ended) =
            self.csv.read_record(octets, &mut self.text[self.filled..], &mut self.ends[self.ended..]);
        self.filled += written;
        self.ended += ended;
        match result {
            ReadRecordResult::OutputFull if self.text.len() >= LONGEST_RECORD => {
                self.too_much = Some("it is longer than 64 KiB: a quotation mark that is opened here is never closed?");
                self.filled = 0;
            }
            ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
            ReadRecordResult::OutputEndsFull if self.ends.len() >= MOST_CELLS => {
                self.too_much = Some("it has more than 512 columns");
                self.ended = 0;
            }
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            _ => {}
        }
        (result, read)
    }

    fn emit(&mut self, last: bool, found: &mut Vec<Found>) {
        let line = self.began.take().unwrap_or(self.line);
        let text = self.text.get(..self.filled).unwrap_or_default();
        let ends = self.ends.get(..self.ended).unwrap_or_default();
        let unclosed = last && self.quotation_marks % 2 == 1 && text.contains(&b'\n');
        let reason = match (self.too_much, std::str::from_utf8(text)) {
            (Some(reason), _) => reason,
            _ if unclosed => "a quotation mark that is opened here is never closed; nothing after it was read",
            (None, Err(_)) => "it is not UTF-8",
            (None, Ok(text)) => {
                if !text.is_empty() {
                    let ends = ends.iter().map(|end| *end as u32).collect();
                    found.push(Found::Record(Record { line, text: text.to_owned(), ends }));
                }
                ""
            }
        };
        if !reason.is_empty() {
            found.push(Found::Broken { line, reason: reason.to_owned() });
        }
        (self.filled, self.ended, self.quotation_marks, self.too_much) = (0, 0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expected: &[(u64, &[&str])]) {
        for piece in [1, 3, usize::MAX] {
            let (mut reader, mut found) = (RecordReader::new(), Vec::new());
            for piece in file.chunks(piece.min(file.len())) {
                reader.push(piece, &mut found).unwrap();
            }
            reader.finish(&mut found).unwrap();
            let found: Vec<(u64, Vec<&str>)> = found
                .iter()
                .map(|f| match f {
                    Found::Record(record) => (record.line, record.cells().collect()),
                    Found::Broken { line, reason } => (*line, vec![reason.as_str()]),
                })
                .collect();
            let expected: Vec<(u64, Vec<&str>)> = expected.iter().map(|(l, c)| (*l, c.to_vec())).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn each_delimiter_is_found() {
        for delimiter in [";", ",", "\t"] {
            let file = format!("a{delimiter}\"b,;\t\"{delimiter}c\r\n1{delimiter}2{delimiter}3\r\n");
            check(file.as_bytes(), &[(1, &["a", "b,;\t", "c"]), (2, &["1", "2", "3"])]);
        }
        check(b"email\nkarin@example.org\n", &[(1, &["email"]), (2, &["karin@example.org"])]);
    }

    #[test]
    fn a_named_separator_and_a_byte_order_mark_are_no_data() {
        check(b"\xef\xbb\xbfsep=;\r\na;b,c\r\n1;2\r\n", &[(2, &["a", "b,c"]), (3, &["1", "2"])]);
        check("\u{feff}å;ö\n".as_bytes(), &[(1, &["å", "ö"])]);
    }

    #[test]
    fn lines_are_counted_through_quoted_and_blank_ones() {
        check(b"a,b\r\n\r\n\"x\r\ny\",2\r\n3,4", &[(1, &["a", "b"]), (3, &["x\r\ny", "2"]), (5, &["3", "4"])]);
        check(b"a,b\r1,2\r3,4\r", &[(1, &["a", "b"]), (2, &["1", "2"]), (3, &["3", "4"])]);
    }

    #[test]
    fn an_open_quotation_mark_swallows_nothing_unseen() {
        let reason = "a quotation mark that is opened here is never closed; nothing after it was read";
        check(b"a,b\n\"x,2\n3,4\n", &[(1, &["a", "b"]), (2, &[reason])]);
    }
}
