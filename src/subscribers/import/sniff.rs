//! Detects a file's delimiter, whether it uses `\"`, and which of its first rows names the columns: each possibility is
//! tried on the first rows, and the most plausible one is used.

use super::cells::{CellReader, Dialect};
use super::headings::{Certainty, HeadingFinder};
use super::mailbox;
use super::record::{Found, Record};

/// Maximum rows examined.
const ROWS: usize = 60;
/// Maximum rows above the headings: a title, a date, a blank row.
pub(crate) const ROWS_ABOVE: usize = 10;

/// What the beginning of a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sniffed {
    /// How it separates and quotes its cells.
    pub dialect: Dialect,
    /// The line of the row that names the columns, if any.
    pub heading_line: Option<u64>,
}

/// How plausible one way of reading a file is; the greatest value is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sense {
    /// How certainly a row names a column of addresses.
    headings: Certainty,
    /// The percentage of rows with an address in that column.
    addresses: usize,
    /// The number of misplaced quotation marks.
    odd: std::cmp::Reverse<u64>,
    /// The percentage of rows with no more cells than the headings.
    fitting: usize,
    /// The number of columns.
    width: usize,
}

/// Examines a file that starts with `head`, whose first `skip` bytes are no data. `delimiter` is set if the file states
/// it; `whole` means that `head` is the complete file.
pub(crate) fn sniff(head: &[u8], skip: usize, delimiter: Option<u8>, whole: bool, finder: &HeadingFinder) -> Sniffed {
    // The first of several equal ones is used: for a file of one column, a delimiter that occurs in no cell.
    let possible = [b'\t', b';', b',', b'|'].into_iter().filter(|one| *one == b'\t' || head.contains(one));
    let delimiters: Vec<u8> = delimiter.map_or_else(|| possible.collect(), |one| vec![one]);
    let backslashes: &[bool] = match memchr::memmem::find(head, b"\\\"") {
        Some(_) => &[false, true],
        None => &[false],
    };
    let mut best: Option<(Sense, Sniffed)> = None;
    for delimiter in delimiters {
        for backslash in backslashes {
            let dialect = Dialect { delimiter, backslash: *backslash };
            let (sense, heading_line) = sense(head, skip, dialect, whole, finder);
            if best.is_none_or(|(most, _)| sense > most) {
                best = Some((sense, Sniffed { dialect, heading_line }));
            }
        }
    }
    let none = Sniffed { dialect: Dialect { delimiter: b',', backslash: false }, heading_line: None };
    best.map_or(none, |(_, sniffed)| sniffed)
}

fn first_rows(head: &[u8], skip: usize, dialect: Dialect, whole: bool) -> (Vec<Record>, u64) {
    let (mut reader, mut found) = (CellReader::new(dialect), Vec::new());
    reader.pass_over(&head[..skip]);
    // In steps, so that not all of the head is parsed for its first rows.
    for step in head[skip..].chunks(4096) {
        reader.push(step, &mut found);
        if found.len() >= ROWS {
            break;
        }
    }
    if whole && found.len() < ROWS {
        reader.finish(&mut found);
    }
    let records = found.into_iter().filter_map(|found| match found {
        Found::Record(record) => Some(record),
        Found::Broken { .. } => None,
    });
    (records.take(ROWS).collect(), reader.odd())
}

fn sense(head: &[u8], skip: usize, dialect: Dialect, whole: bool, finder: &HeadingFinder) -> (Sense, Option<u64>) {
    let (records, odd) = first_rows(head, skip, dialect, whole);
    let odd = std::cmp::Reverse(odd);
    // The most certain row; the first of several equal ones.
    let rows = (0..records.len().min(ROWS_ABOVE + 1)).filter_map(|row| {
        let (certainty, column) = finder.address_column(&records[row])?;
        let addresses = addresses(&records[row + 1..], column);
        // A word such as "mail" in a title, or a street address: the rows below decide.
        (certainty == Certainty::Named || addresses >= 50).then_some((
            certainty,
            addresses >= 50,
            std::cmp::Reverse(row),
            addresses,
        ))
    });
    let Some((headings, _, std::cmp::Reverse(row), addresses)) = rows.max() else {
        let addresses = (0..16).map(|column| addresses(&records, column)).max().unwrap_or(0);
        let width = records.iter().map(width).max().unwrap_or(0);
        return (Sense { headings: Certainty::None, addresses, odd, fitting: 0, width }, None);
    };
    let (heading, rows) = (&records[row], &records[row + 1..]);
    let width = width(heading);
    let fitting = share(rows.iter().filter(|row| self::width(row) <= width).count(), rows.len());
    (Sense { headings, addresses, odd, fitting, width }, Some(heading.line))
}

fn share(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}

/// The percentage of non-empty cells in the column that contain an address.
fn addresses(rows: &[Record], column: usize) -> usize {
    let cells = rows.iter().map(|row| row.cell(column)).filter(|cell| !cell.trim().is_empty());
    let (mut all, mut good) = (0, 0);
    for cell in cells {
        all += 1;
        // Several addresses in a cell are rejected later; the column is right all the same.
        good += usize::from(cell.contains('@') && mailbox::is_like_addresses(cell));
    }
    share(good, all)
}

/// The number of cells in a row up to the last non-empty one.
fn width(record: &Record) -> usize {
    record.cells().enumerate().filter(|(_, cell)| !cell.trim().is_empty()).last().map_or(0, |(index, _)| index + 1)
}
