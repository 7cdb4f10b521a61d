//! Cells that a spreadsheet would take for a formula: defused on export, restored on import.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab, a carriage return or a line feed is run as a formula by Excel
//! and LibreOffice when the file is opened; a stranger's name could then read the rest of the sheet. An apostrophe
//! before it makes it text. So that nothing is lost, a cell that already begins with apostrophes and such a
//! character gets one apostrophe more, and import takes exactly one away.

use std::borrow::Cow;

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// The cell as it may be written to a file that a spreadsheet opens.
pub fn defuse(cell: &str) -> Cow<'_, str> {
    match is_formula(cell) {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// The cell as it was before [`defuse`].
pub fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_comes_back() {
        for cell in ["=1+1", "+46 8 465 004 00", "-a@example.org", "@SUM(A1)", "\tx", "\r=x", "'=x", "''+x"] {
            let defused = defuse(cell);
            assert!(defused.starts_with('\''), "{cell:?}");
            assert_eq!(restore(&defused), cell);
        }
    }

    #[test]
    fn what_is_harmless_stays() {
        for cell in ["", "Karin Ek", "d'Artagnan", "'s-Hertogenbosch", "'", "a=b"] {
            assert_eq!(defuse(cell), cell);
            assert_eq!(restore(cell), cell);
        }
    }
}
