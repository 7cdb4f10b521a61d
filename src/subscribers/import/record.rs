//! One record of an import file, and the errors that may take its place.

/// One record of the file, its cells unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line on which it begins, starting at 1.
    pub line: u64,
    text: String,
    ends: Vec<u32>,
}

impl Record {
    /// A record of cells stored consecutively in `text`; `ends` are their end offsets.
    pub(super) fn new(line: u64, text: String, ends: Vec<u32>) -> Self {
        Self { line, text, ends }
    }

    /// The cell at `index`; empty after the last one.
    pub(crate) fn cell(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.ends.get(before).map(|end| *end as usize),
        };
        let end = self.ends.get(index).map(|end| *end as usize);
        start.zip(end).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// The total length of its cells, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// All cells, from the left.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &str> + Clone {
        (0..self.ends.len()).map(|index| self.cell(index))
    }
}

/// An item found in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A complete record.
    Record(Record),
    /// A record that cannot be read; later ones can.
    Broken {
        /// The line on which it begins.
        line: u64,
        /// The reason.
        reason: String,
    },
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file is empty.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// A workbook, or another file that is not text.
    #[error("the file is not text: is it a workbook? Save it as \u{201c}CSV UTF-8\u{201d}")]
    NotText,
}
