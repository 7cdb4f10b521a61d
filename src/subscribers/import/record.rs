//! One record of an import file, and what else may be found in its place.

/// One record of the file, its cells unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line on which it begins, from 1.
    pub line: u64,
    text: String,
    ends: Vec<u32>,
}

impl Record {
    /// A record of cells that stand one after the other in `text`, each to its end.
    pub(super) fn new(line: u64, text: String, ends: Vec<u32>) -> Self {
        Self { line, text, ends }
    }

    /// The cell at `index`; empty beyond the last.
    pub fn cell(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.ends.get(before).map(|end| *end as usize),
        };
        let end = self.ends.get(index).map(|end| *end as usize);
        start.zip(end).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// How many bytes its cells have together.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &str> + Clone {
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
    /// A workbook or something else that is no text.
    #[error("the file is not text: is it a workbook? Save it as \u{201c}CSV UTF-8\u{201d}")]
    NotText,
}
