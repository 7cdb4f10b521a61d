//! Splits UTF-8 into records: cells, quotation marks and line numbers, from a stream and with bounded memory.
//!
//! RFC 4180, and common deviations: a quotation mark after a space or a byte order mark also opens a cell, a quotation
//! mark inside an unquoted cell is literal, `\"` is an escaped one in files that use it so, text after a closing
//! quotation mark belongs to the cell, and CR, LF and CR LF all end a line.

use crate::base::unicode::is_unseen;

use super::record::{Found, Record};

/// The longest record, in bytes. A longer one is usually caused by a quotation mark that is never closed.
const LONGEST_RECORD: usize = 64 * 1024;
/// Maximum cells in a record.
const MOST_CELLS: usize = 512;

/// How a file separates and quotes its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The separator between cells; ASCII.
    pub delimiter: u8,
    /// Whether `\"` in a quoted cell is an escaped quotation mark.
    pub backslash: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Only blanks in the cell so far.
    Begin,
    /// In an unquoted cell.
    Plain,
    /// Inside a quoted cell.
    Quoted,
    /// After a backslash inside a quoted cell.
    Escaped,
    /// After a quotation mark that may close the cell.
    Closed,
}

/// Reads records from UTF-8 bytes that are pushed in.
#[derive(Debug)]
pub(crate) struct CellReader {
    dialect: Dialect,
    state: State,
    text: Vec<u8>,
    ends: Vec<u32>,
    /// The line of the next byte, starting at 1.
    line: u64,
    after_return: bool,
    /// The line on which the record began; `None` between records.
    began: Option<u64>,
    too_much: Option<&'static str>,
    odd: u64,
}

impl CellReader {
    /// A reader at the beginning of a file.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            state: State::Begin,
            text: Vec::with_capacity(1024),
            ends: Vec::with_capacity(16),
            line: 1,
            after_return: false,
            began: None,
            too_much: None,
            odd: 0,
        }
    }

    /// How often a closing quotation mark was followed by text or missing: many show that the dialect is wrong.
    pub(crate) fn odd(&self) -> u64 {
        self.odd
    }

    /// Skips bytes that belong to no record, and counts their lines.
    pub(crate) fn pass_over(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.count(*byte));
    }

    /// Parses the next bytes and appends the records that they complete to `found`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], found: &mut Vec<Found>) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.began.is_none() && matches!(first, b'\r' | b'\n') {
                self.count(*first);
                bytes = rest;
                continue;
            }
            self.began.get_or_insert(self.line);
            let run = self.run(bytes);
            if run > 0 {
                self.store(&bytes[..run]);
                bytes = &bytes[run..];
                self.after_return = false;
                continue;
            }
            self.count(*first);
            self.byte(*first, found);
            bytes = rest;
        }
    }

    /// Ends the input: appends the last record to `found`.
    pub(crate) fn finish(&mut self, found: &mut Vec<Found>) {
        if self.began.is_none() {
            return;
        }
        if self.state == State::Escaped {
            self.store(b"\\");
        }
        let unclosed = matches!(self.state, State::Quoted | State::Escaped);
        self.odd += u64::from(unclosed);
        if unclosed && self.text.contains(&b'\n') {
            self.too_much
                .get_or_insert("a quotation mark that is opened here is never closed; nothing after it was read");
        }
        self.end_record(found);
    }

    /// The number of leading bytes that are plain text of the cell and end no line.
    fn run(&self, bytes: &[u8]) -> usize {
        let found = match self.state {
            State::Plain => memchr::memchr3(self.dialect.delimiter, b'\r', b'\n', bytes),
            State::Quoted => bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\r' | b'\n')),
            _ => Some(0),
        };
        found.unwrap_or(bytes.len())
    }

    /// Counts lines: CR LF, LF and a single CR each end one.
    fn count(&mut self, byte: u8) {
        match byte {
            b'\n' if self.after_return => {}
            b'\r' | b'\n' => self.line += 1,
            _ => {}
        }
        self.after_return = byte == b'\r';
    }

    fn byte(&mut self, byte: u8, found: &mut Vec<Found>) {
        match (self.state, byte) {
            (State::Begin | State::Plain | State::Closed, b'\r' | b'\n') => self.end_record(found),
            (State::Begin | State::Plain | State::Closed, byte) if byte == self.dialect.delimiter => self.end_cell(),
            (State::Begin, b'"') if self.is_blank() => {
                self.text.truncate(self.cell_begins());
                self.state = State::Quoted;
            }
            (State::Begin, byte) => {
                self.store(&[byte]);
                // Blanks that are not ASCII are checked as a whole when a quotation mark follows.
                if byte.is_ascii_graphic() {
                    self.state = State::Plain;
                }
            }
            (State::Plain, byte) => self.store(&[byte]),
            (State::Quoted, b'"') => self.state = State::Closed,
            (State::Quoted, b'\\') if self.dialect.backslash => self.state = State::Escaped,
            (State::Quoted, byte) => self.store(&[byte]),
            (State::Escaped, byte) => {
                if !matches!(byte, b'"' | b'\\') {
                    self.store(b"\\");
                }
                self.store(&[byte]);
                self.state = State::Quoted;
            }
            (State::Closed, b'"') => {
                self.store(b"\"");
                self.state = State::Quoted;
            }
            // A space after the quotation mark; cells are trimmed later.
            (State::Closed, b' ') => self.store(b" "),
            (State::Closed, byte) => {
                self.odd += 1;
                self.store(&[byte]);
                self.state = State::Plain;
            }
        }
    }

    fn cell_begins(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    fn is_blank(&self) -> bool {
        let cell = self.text.get(self.cell_begins()..).unwrap_or_default();
        cell.is_empty() || std::str::from_utf8(cell).is_ok_and(|cell| cell.chars().all(is_unseen))
    }

    fn store(&mut self, bytes: &[u8]) {
        if self.too_much.is_none() && self.text.len() + bytes.len() > LONGEST_RECORD {
            self.too_much = Some("it is longer than 64 KiB: a quotation mark that is opened here is never closed?");
        }
        match self.too_much {
            Some(_) => self.text.clear(),
            None => self.text.extend_from_slice(bytes),
        }
    }

    fn end_cell(&mut self) {
        self.state = State::Begin;
        match self.ends.len() < MOST_CELLS && self.too_much.is_none() {
            true => self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX)),
            false => {
                self.too_much.get_or_insert("it has more than 512 columns");
                self.ends.clear();
                self.text.clear();
            }
        }
    }

    fn end_record(&mut self, found: &mut Vec<Found>) {
        self.end_cell();
        let line = self.began.take().unwrap_or(self.line);
        match (self.too_much.take(), std::str::from_utf8(&self.text)) {
            (Some(reason), _) => found.push(Found::Broken { line, reason: reason.to_owned() }),
            (None, Err(_)) => found.push(Found::Broken { line, reason: "it is not UTF-8, unlike the rest".to_owned() }),
            (None, Ok("")) => {}
            (None, Ok(text)) => found.push(Found::Record(Record::new(line, text.to_owned(), self.ends.clone()))),
        }
        self.text.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(backslash: bool, file: &str, expected: &[&[&str]]) {
        for piece in [1, 3, usize::MAX] {
            let mut reader = CellReader::new(Dialect { delimiter: b',', backslash });
            let mut found = Vec::new();
            file.as_bytes().chunks(piece.min(file.len())).for_each(|piece| reader.push(piece, &mut found));
            reader.finish(&mut found);
            let found: Vec<Vec<&str>> = found
                .iter()
                .map(|found| match found {
                    Found::Record(record) => record.cells().collect(),
                    Found::Broken { reason, .. } => vec![reason.as_str()],
                })
                .collect();
            assert_eq!(found, expected, "{file:?}");
        }
    }

    #[test]
    fn quotation_marks_behind_a_blank_open_a_cell() {
        check(false, "a, \"Ek, Eva\" , b\n", &[&["a", "Ek, Eva ", " b"]]);
        check(false, "\u{feff}\"a\",\u{a0}\"b,c\"\n", &[&["a", "b,c"]]);
        check(false, "Å \"b\",Åke\n", &[&["Å \"b\"", "Åke"]]);
    }

    #[test]
    fn quotation_marks_inside_a_cell_are_text() {
        check(false, "5\" tum,a \"b\" c\n", &[&["5\" tum", "a \"b\" c"]]);
        check(false, "\"Bo\" Berg,x\n", &[&["Bo Berg", "x"]]);
        check(false, "\"say \"\"no\"\"\",\"\"\n", &[&["say \"no\"", ""]]);
    }

    #[test]
    fn a_backslash_means_a_quotation_mark_only_where_the_file_says_so() {
        check(true, "\"{\\\"a\\\": \\\"b,c\\\"}\",\"C:\\\\x\\y\"\n", &[&["{\"a\": \"b,c\"}", "C:\\x\\y"]]);
        check(false, "\"C:\\\",x\n", &[&["C:\\", "x"]]);
    }

    #[test]
    fn blank_lines_and_rows_are_nothing() {
        check(false, "a,b\r\n\r\n,\r\n\rc,d", &[&["a", "b"], &["c", "d"]]);
    }
}
