//! From bytes to records: encoding, byte order marks, `sep=` line, delimiter, cells.
//!
//! Bytes are pushed in as they arrive, in pieces of any size. Apart from the beginning, which is needed to detect the
//! format, no piece of the file is kept longer than its record.

use super::cells::CellReader;
use super::encoding::{Decoder, Encoding, Known};
use super::headings::HeadingFinder;
use super::sniff;

pub use super::record::{FormatError, Found, Record};

/// Bytes of UTF-8 read before the delimiter is decided.
const HEAD: usize = 64 * 1024;
/// A byte order mark in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The format of a file, so that a file of rejects can be written in the same format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Its encoding.
    pub encoding: Encoding,
    /// How the encoding was determined.
    pub known: Known,
    /// Whether it starts with a byte order mark.
    pub mark: bool,
    /// The separator between cells, ASCII.
    pub delimiter: u8,
}

/// Reads records from bytes that are pushed in.
pub struct RecordReader {
    decoder: Decoder,
    finder: HeadingFinder,
    /// Decoded text that is not parsed yet.
    text: Vec<u8>,
    reader: Option<CellReader>,
    format: Option<Format>,
    heading_line: Option<u64>,
}

impl RecordReader {
    /// A reader at the beginning of a file. `finder` recognises headings, which help to detect the delimiter; `said` is
    /// the encoding that a user stated.
    pub fn new(finder: HeadingFinder, said: Option<Encoding>) -> Self {
        Self { decoder: Decoder::new(said), finder, text: Vec::new(), reader: None, format: None, heading_line: None }
    }

    /// The file's format, once it is decided. Its encoding may be determined later: the first `å` may follow a thousand
    /// ASCII names.
    pub(crate) fn format(&self) -> Option<Format> {
        let (encoding, known) = self.decoder.encoding();
        self.format.clone().map(|format| Format { encoding, known, ..format })
    }

    /// The line of the record that names the columns, once records are found; `None` if no record does.
    pub(crate) fn heading_line(&self) -> Option<u64> {
        self.heading_line
    }

    /// Parses the next bytes of the file and appends the records that they complete to `found`.
    ///
    /// # Errors
    /// [`FormatError`] if the file cannot be read at all.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Found>) -> Result<(), FormatError> {
        self.decoder.decode(bytes, false, &mut self.text)?;
        if self.reader.is_none() && self.text.len() < HEAD {
            return Ok(());
        }
        self.read(false, found);
        Ok(())
    }

    /// Ends the input: appends the last record to `found`.
    ///
    /// # Errors
    /// [`FormatError`] if the file cannot be read at all.
    pub fn finish(&mut self, found: &mut Vec<Found>) -> Result<(), FormatError> {
        self.decoder.decode(&[], true, &mut self.text)?;
        if self.reader.is_none() && self.text.iter().all(u8::is_ascii_whitespace) {
            return Err(FormatError::Empty);
        }
        self.read(true, found);
        if let Some(reader) = &mut self.reader {
            reader.finish(found);
        }
        Ok(())
    }

    fn read(&mut self, whole: bool, found: &mut Vec<Found>) {
        let text = std::mem::take(&mut self.text);
        let reader = match &mut self.reader {
            Some(reader) => {
                reader.push(&text, found);
                // Reuses its buffer.
                self.text = text;
                self.text.clear();
                return;
            }
            None => &mut self.reader,
        };
        let mut rest = without_marks(&text);
        let mark = rest.len() < text.len();
        let (delimiter, skip) = separator_line(rest).map_or((None, 0), |(delimiter, skip)| (Some(delimiter), skip));
        let sniffed = sniff::sniff(rest, skip, delimiter, whole, &self.finder);
        let dialect = sniffed.dialect;
        self.heading_line = sniffed.heading_line;
        let reader = reader.insert(CellReader::new(dialect));
        reader.pass_over(&rest[..skip]);
        rest = without_marks(&rest[skip..]);
        reader.push(rest, found);
        let (encoding, known) = self.decoder.encoding();
        self.format = Some(Format { encoding, known, mark, delimiter: dialect.delimiter });
    }
}

/// Removes all leading byte order marks: programs that join files may write more than one.
fn without_marks(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(MARK) {
        text = rest;
    }
    text
}

/// Excel's own first line `sep=;`: the delimiter, and the offset of the rest.
fn separator_line(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().position(|o| *o == b'\n').map_or(text.len(), |at| at + 1);
    let line = text.get(..end)?.trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let name = line.get(..4)?;
    match (name.eq_ignore_ascii_case(b"sep="), line.get(4..)?) {
        (true, [delimiter]) if delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric() && *delimiter != b'"' => {
            Some((*delimiter, end))
        }
        // The tab of `sep=<tab>` was removed by trimming.
        (true, []) => Some((b'\t', end)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expected: &[(u64, &[&str])]) {
        for piece in [1, 3, usize::MAX] {
            let (mut reader, mut found) = (RecordReader::new(HeadingFinder::shipped().unwrap(), None), Vec::new());
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
        for delimiter in [";", ",", "\t", "|"] {
            let file = format!("email{delimiter}\"b,;\t|\"{delimiter}c\r\n1{delimiter}2{delimiter}3\r\n");
            check(file.as_bytes(), &[(1, &["email", "b,;\t|", "c"]), (2, &["1", "2", "3"])]);
        }
        check(b"email\nkarin@example.org\n", &[(1, &["email"]), (2, &["karin@example.org"])]);
    }

    #[test]
    fn a_named_separator_and_byte_order_marks_are_no_data() {
        check(b"\xef\xbb\xbfsep=;\r\na;b,c\r\n1;2\r\n", &[(2, &["a", "b,c"]), (3, &["1", "2"])]);
        check("\u{feff}\u{feff}email;ö\n".as_bytes(), &[(1, &["email", "ö"])]);
        check("sep=,\n\u{feff}\"email\",ö\n".as_bytes(), &[(2, &["email", "ö"])]);
    }

    #[test]
    fn lines_are_counted_through_quoted_and_blank_ones() {
        check(b"email,b\r\n\r\n\"x\r\ny\",2\r\n3,4", &[(1, &["email", "b"]), (3, &["x\r\ny", "2"]), (5, &["3", "4"])]);
        check(b"email,b\r1,2\r3,4\r", &[(1, &["email", "b"]), (2, &["1", "2"]), (3, &["3", "4"])]);
    }

    #[test]
    fn an_open_quotation_mark_swallows_nothing_unseen() {
        let reason = "a quotation mark that is opened here is never closed; nothing after it was read";
        check(b"email,b\n\"x,2\n3,4\n", &[(1, &["email", "b"]), (2, &[reason])]);
    }
}
