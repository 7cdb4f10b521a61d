//! Tables for spreadsheets: CSV (RFC 4180) that Excel and LibreOffice open safely and that our own import reads back.
//!
//! Every cell is defused (see [`super::spreadsheet_cell`]). A cell that is defused, or contains any separator used by
//! spreadsheets, is quoted, whatever this file's separator is.

use super::spreadsheet_cell;

/// Writes rows of cells, as bytes in UTF-8.
#[derive(Debug)]
pub(crate) struct Sheet {
    bytes: Vec<u8>,
    delimiter: u8,
}

impl Sheet {
    /// Creates a table with `delimiter`, an ASCII character, between cells.
    pub(crate) fn new(delimiter: u8) -> Self {
        Self { bytes: Vec::new(), delimiter }
    }

    /// With `excel`, for countries with a decimal comma: a byte order mark first and `;` between cells; otherwise
    /// `,`.
    pub(crate) fn for_program(excel: bool) -> Self {
        let mut sheet = Self::new(if excel { b';' } else { b',' });
        if excel {
            sheet.bytes.extend_from_slice("\u{feff}".as_bytes());
        }
        sheet
    }

    /// Without a byte order mark, for a further piece of the same table.
    pub(crate) fn continued(excel: bool) -> Self {
        Self::new(if excel { b';' } else { b',' })
    }

    /// Writes one row.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let begin = self.bytes.len();
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.bytes.push(self.delimiter);
            }
            self.cell(cell.as_ref());
        }
        if self.bytes.len() == begin {
            // A row of one empty cell would be a blank line, which readers skip.
            self.bytes.extend_from_slice(b"\"\"");
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn cell(&mut self, cell: &str) {
        let defused = spreadsheet_cell::defuse(cell);
        let divides = |b: u8| matches!(b, b'"' | b';' | b',' | b'|' | b'\t' | b'\r' | b'\n') || b == self.delimiter;
        let quoted = defused.len() != cell.len() || defused.bytes().any(divides);
        match quoted {
            true => {
                self.bytes.push(b'"');
                self.bytes.extend_from_slice(defused.replace('"', "\"\"").as_bytes());
                self.bytes.push(b'"');
            }
            false => self.bytes.extend_from_slice(defused.as_bytes()),
        }
    }

    /// Number of bytes written and not yet taken.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes what is written so far; the next row continues after it.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(delimiter: u8, cells: &[&str], expected: &str) {
        let mut sheet = Sheet::new(delimiter);
        sheet.row(cells);
        assert_eq!(String::from_utf8(sheet.take()).unwrap(), expected);
    }

    #[test]
    fn what_some_spreadsheet_would_cut_or_run_is_quoted() {
        check(b',', &["Karin Ek", "", "a=b"], "Karin Ek,,a=b\r\n");
        check(b',', &["Eve;=HYPERLINK(A1)", "x"], "\"Eve;'=HYPERLINK(A1)\",x\r\n");
        check(b';', &["=1", "Ek, Eva", "say \"no\""], "\"'=1\";\"Ek, Eva\";\"say \"\"no\"\"\"\r\n");
        check(b',', &["two\nlines", "a\tb", "a|b"], "\"two\nlines\",\"a\tb\",\"a|b\"\r\n");
        check(b',', &[""], "\"\"\r\n");
    }
}
