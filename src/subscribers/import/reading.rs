//! The reading side of an import: from bytes to checked rows, in pieces.

use std::collections::hash_map::{Entry, HashMap};

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::base::address::Address;
use crate::base::id::ListName;

use super::columns::{Columns, ColumnsError, shown};
use super::encoding::Encoding;
use super::headings::HeadingFinder;
use super::records::{Format, FormatError, Found, Record, RecordReader};
use super::row::{self, Refusal, Row};
use super::sniff::ROWS_ABOVE;
use super::{ImportError, Reject, mailbox};

/// Rows in one commit.
const BATCH_ROWS: usize = 500;
/// Approximate maximum bytes of rows in one commit.
const BATCH_BYTES: usize = 512 * 1024;

/// Checked rows and rejects, in line order.
pub(super) struct Piece {
    /// The file's format, if it is newly known.
    pub format: Option<Format>,
    /// The headings, with the first piece.
    pub headings: Option<Vec<String>>,
    /// Notes about how the file was read.
    pub notes: Vec<String>,
    /// The checked rows.
    pub rows: Vec<Row>,
    /// The rejected rows.
    pub rejects: Vec<Reject>,
    /// The number of rejects that are invalid.
    pub invalid: u64,
    /// The number of rejects whose address occurs earlier in the file.
    pub duplicates: u64,
    /// The number of rejects that state that the person may not get mail.
    pub left_out: u64,
    /// Bytes of the file up to the end of the piece.
    pub bytes: u64,
    /// Bytes in its rows.
    held: usize,
}

impl Piece {
    fn new() -> Self {
        Self {
            format: None,
            headings: None,
            notes: Vec::new(),
            rows: Vec::with_capacity(BATCH_ROWS),
            rejects: Vec::new(),
            invalid: 0,
            duplicates: 0,
            left_out: 0,
            bytes: 0,
            held: 0,
        }
    }
}

/// Reads a file to its end.
pub(super) struct Reading {
    lists: Vec<ListName>,
    has_consent: bool,
    finder: HeadingFinder,
    reader: RecordReader,
    columns: Option<Columns>,
    /// Rows above the headings.
    above: Vec<Record>,
    format: Option<Format>,
    /// Hashes of the addresses read so far, with their lines.
    seen: HashMap<u64, u32>,
    piece: Piece,
    bytes: u64,
}

impl Reading {
    /// A reader; `lists` are all existing lists.
    pub(crate) fn new(
        lists: Vec<ListName>,
        has_consent: bool,
        finder: HeadingFinder,
        encoding: Option<Encoding>,
    ) -> Self {
        Self {
            lists,
            has_consent,
            reader: RecordReader::new(finder.clone(), encoding),
            finder,
            columns: None,
            above: Vec::new(),
            format: None,
            seen: HashMap::new(),
            piece: Piece::new(),
            bytes: 0,
        }
    }

    /// Reads the source and sends pieces to `pieces`.
    pub(crate) async fn run<S, B>(mut self, mut source: S, pieces: mpsc::Sender<Piece>) -> Result<(), ImportError>
    where
        S: Stream<Item = Result<B, std::io::Error>> + Send + Unpin,
        B: AsRef<[u8]> + Send + Sync,
    {
        let mut found = Vec::new();
        while let Some(bytes) = source.next().await {
            // A file that broke off is not finished: its last line may be incomplete.
            let bytes = bytes.map_err(|e| ImportError::Source(e.to_string()))?;
            // Small steps, so that a large piece of input does not become many records at once.
            for step in bytes.as_ref().chunks(64 * 1024) {
                self.bytes += step.len() as u64;
                self.reader.push(step, &mut found)?;
                self.take(&mut found, &pieces).await?;
            }
        }
        self.reader.finish(&mut found)?;
        self.take(&mut found, &pieces).await?;
        if self.columns.is_none() {
            return Err(self.no_headings());
        }
        self.send(&pieces).await
    }

    async fn take(&mut self, found: &mut Vec<Found>, pieces: &mpsc::Sender<Piece>) -> Result<(), ImportError> {
        let format = self.reader.format();
        if format != self.format {
            self.format.clone_from(&format);
            self.piece.format = format;
        }
        for found in found.drain(..) {
            match found {
                Found::Record(record) => self.record(record)?,
                Found::Broken { line, reason } => self.reject(line, reason, Vec::new()),
            }
            if self.piece.rows.len() + self.piece.rejects.len() >= BATCH_ROWS || self.piece.held >= BATCH_BYTES {
                self.send(pieces).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, pieces: &mpsc::Sender<Piece>) -> Result<(), ImportError> {
        let mut piece = std::mem::replace(&mut self.piece, Piece::new());
        piece.bytes = self.bytes;
        pieces.send(piece).await.map_err(|_| ImportError::Abandoned)
    }

    fn record(&mut self, record: Record) -> Result<(), ImportError> {
        self.piece.held += record.bytes();
        let Some(columns) = &self.columns else { return self.above_rows(record) };
        if row::is_blank(&record) {
            return Ok(());
        }
        let row = match row::read(columns, record) {
            Ok(row) => row,
            Err((record, Refusal::LeftOut(address, reason))) => {
                // The same address must not be imported from a later row either.
                self.seen.entry(mark(&address)).or_insert(line_number(&record));
                self.piece.left_out += 1;
                self.piece.rejects.push(Reject { line: record.line, reason, cells: cells(&record) });
                return Ok(());
            }
            Err((record, Refusal::Wrong(mut reason))) => {
                if columns.is_repeated_in(&record) {
                    reason = "the headings are repeated".to_owned();
                }
                self.reject(record.line, reason, cells(&record));
                return Ok(());
            }
        };
        if let Some(missing) = row.fields.lists.iter().find(|name| !self.lists.contains(name)) {
            let reason = format!("there is no list \u{201c}{missing}\u{201d}");
            self.reject(row.record.line, reason, cells(&row.record));
            return Ok(());
        }
        match self.seen.entry(mark(&row.address)) {
            Entry::Vacant(place) => {
                place.insert(line_number(&row.record));
                self.piece.rows.push(row);
            }
            Entry::Occupied(first) => {
                let reason = format!("the same address is on line {}", first.get());
                self.reject(row.record.line, reason, cells(&row.record));
                self.piece.invalid -= 1;
                self.piece.duplicates += 1;
            }
        }
        Ok(())
    }

    /// Handles a row before the columns are known: the headings, or a row above them.
    fn above_rows(&mut self, record: Record) -> Result<(), ImportError> {
        if self.reader.heading_line() == Some(record.line) {
            let columns = Columns::read(&record, &self.finder)?;
            for above in std::mem::take(&mut self.above).iter().filter(|above| !row::is_blank(above)) {
                let text: Vec<&str> = above.cells().map(str::trim).filter(|cell| !cell.is_empty()).collect();
                let text: String = text.join(" ").chars().take(200).collect();
                let note = format!("line {} is above the headings and was skipped: {text}", above.line);
                self.piece.notes.push(note);
            }
            return self.begin(columns);
        }
        let is_address = |cell: &str| mailbox::read(cell).is_ok();
        let is_first = self.above.iter().all(row::is_blank);
        if self.reader.heading_line().is_none() && is_first && record.cells().any(is_address) {
            let is_alone = record.cells().skip(1).all(|cell| cell.trim().is_empty());
            if !is_alone || !is_address(record.cell(0)) {
                return Err(ColumnsError::NoHeadings { line: record.line }.into());
            }
            self.begin(Columns::of_addresses(&self.finder))?;
            return self.record(record);
        }
        self.above.push(record);
        match self.above.len() > ROWS_ABOVE {
            true => Err(self.no_headings()),
            false => Ok(()),
        }
    }

    fn begin(&mut self, columns: Columns) -> Result<(), ImportError> {
        if columns.name_lists() && !self.has_consent {
            return Err(ImportError::NoConsent);
        }
        self.piece.headings = Some(columns.headings.clone());
        self.piece.notes.extend(columns.notes.iter().cloned());
        self.columns = Some(columns);
        Ok(())
    }

    /// The error for a file without a row that names a column of addresses.
    fn no_headings(&self) -> ImportError {
        let filled = |record: &Record| record.cells().filter(|cell| !cell.trim().is_empty()).count();
        // The first of several equal rows: a title has fewer cells than the headings.
        let rows = self.above.iter().filter(|record| !row::is_blank(record)).rev();
        let Some(headings) = rows.max_by_key(|record| filled(record)) else { return FormatError::Empty.into() };
        if let Some(heading) = self.finder.named_address() {
            let (field, heading) = ("address".to_owned(), heading.to_owned());
            return ColumnsError::NotThere { field, heading, seen: shown(&cells(headings)) }.into();
        }
        let below = self.above.iter().filter(|record| record.line > headings.line);
        let column = below.flat_map(|record| record.cells().position(mailbox::is_like_addresses)).next();
        let likely = column.map(|column| headings.cell(column).trim().to_owned()).filter(|heading| !heading.is_empty());
        ColumnsError::NoAddress { seen: shown(&cells(headings)), likely }.into()
    }

    fn reject(&mut self, line: u64, reason: String, cells: Vec<String>) {
        self.piece.invalid += 1;
        self.piece.rejects.push(Reject { line, reason, cells });
    }
}

/// The hash that identifies an address within the file.
fn mark(address: &Address) -> u64 {
    xxhash_rust::xxh3::xxh3_64(address.key().as_bytes())
}

fn line_number(record: &Record) -> u32 {
    u32::try_from(record.line).unwrap_or(u32::MAX)
}

/// The cells of a record, for a person to correct.
pub(super) fn cells(record: &Record) -> Vec<String> {
    record.cells().map(str::to_owned).collect()
}
