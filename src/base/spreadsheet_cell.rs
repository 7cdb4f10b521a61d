//! Defuses cells that a spreadsheet would run as a formula on export, and restores them on import.
//!
//! A cell that begins with `=`, `+`, `-`, `@` (also in full width), a tab, a carriage return or a line feed is run as
//! a formula by Excel and LibreOffice when the file is opened; a stranger's name could then read the rest of the
//! sheet. An apostrophe before it makes it text. Cells depend on the separator that the spreadsheet expects, not on
//! ours: Excel in Sweden splits `Eve;=1+1` in two even if the file has commas and the cell is quoted. So each place
//! where a cell could begin is treated alike: the beginning, and after `;`, `,`, `|`, a tab or a line end. Space,
//! quotation marks and apostrophes before the sign do not hide it.
//!
//! So that nothing is lost, a place that already has apostrophes and such a sign gets one more apostrophe, and import
//! removes exactly one at each such place.

use std::borrow::Cow;

use crate::base::unicode::is_unseen;

/// Separators of cells and rows in spreadsheets.
const SEPARATORS: [char; 6] = [';', ',', '|', '\t', '\r', '\n'];

/// Whether `c` begins a formula: the signs, and their full-width and small forms.
fn is_sign(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '﹦' | '﹢' | '﹣' | '﹫')
}

/// Whether a spreadsheet that begins a cell here would see a formula.
fn is_formula(rest: &str) -> bool {
    let begins = |c: char| !(matches!(c, '\'' | '"') || (is_unseen(c) && !SEPARATORS.contains(&c)));
    rest.chars().find(|c| begins(*c)).is_some_and(is_sign)
}

/// Whether the whole cell begins with a formula, or with a character that spreadsheets drop before one.
fn begins_formula(cell: &str) -> bool {
    is_formula(cell) || cell.trim_start_matches('\'').starts_with(['\t', '\r', '\n'])
}

/// The byte positions in a cell at which a spreadsheet may begin a new cell; the first is 0.
fn places(cell: &str) -> impl Iterator<Item = usize> {
    // Separators are ASCII, so the byte after one begins a character.
    let behind = memchr::memchr3_iter(b';', b',', b'|', cell.as_bytes());
    let controls = memchr::memchr3_iter(b'\t', b'\r', b'\n', cell.as_bytes());
    let mut places: Vec<usize> = behind.chain(controls).map(|at| at + 1).collect();
    places.sort_unstable();
    std::iter::once(0).chain(places)
}

fn is_formula_at(cell: &str, place: usize, rest: &str) -> bool {
    if place == 0 { begins_formula(rest) } else { place < cell.len() && is_formula(rest) }
}

/// The cell in a form that is safe in a spreadsheet.
pub(crate) fn defuse(cell: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for place in places(cell).filter(|place| is_formula_at(cell, *place, &cell[*place..])) {
        out.push_str(&cell[copied..place]);
        out.push('\'');
        copied = place;
    }
    if out.is_empty() {
        return Cow::Borrowed(cell);
    }
    out.push_str(&cell[copied..]);
    Cow::Owned(out)
}

/// The cell as it was before [`defuse`].
pub(crate) fn restore(cell: &str) -> Cow<'_, str> {
    if !cell.contains('\'') {
        return Cow::Borrowed(cell);
    }
    let mut out = String::new();
    let mut copied = 0;
    for place in places(cell) {
        if let Some(rest) = cell[place..].strip_prefix('\'')
            && is_formula_at(cell, place, rest)
        {
            out.push_str(&cell[copied..place]);
            copied = place + 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(cell);
    }
    out.push_str(&cell[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(cell: &str, defused: &str) {
        assert_eq!(defuse(cell), defused);
        assert_eq!(restore(defused), cell);
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_comes_back() {
        for cell in
            ["=1+1", "+46 8 465 004 00", "-a@example.org", "@SUM(A1)", "\tx", "\r=x", "'=x", "''+x", "＝1", " =1"]
        {
            let defused = defuse(cell);
            assert!(defused.starts_with('\''), "{cell:?}");
            assert_eq!(restore(&defused), cell);
        }
    }

    #[test]
    fn a_formula_behind_any_separator_is_text_and_comes_back() {
        check("Eve;=HYPERLINK(A1)", "Eve;'=HYPERLINK(A1)");
        check("Eve,@SUM(A1)|+1\t-2", "Eve,'@SUM(A1)|'+1\t'-2");
        check("Eve; ＝1", "Eve;' ＝1");
        check("Eve;\u{200b}=1", "Eve;'\u{200b}=1");
        check("Eve;\"=1\"", "Eve;'\"=1\"");
        check("two\nlines\n- three", "two\nlines\n'- three");
        check("Eve;'=1", "Eve;''=1");
        check("=1;=2", "'=1;'=2");
    }

    #[test]
    fn what_is_harmless_stays() {
        for cell in [
            "",
            "Karin Ek",
            "d'Artagnan",
            "'s-Hertogenbosch",
            "'",
            "a=b",
            "kultur, skola",
            "a;b;",
            "x; 'y'",
            "two\n\nlines",
        ] {
            check(cell, cell);
        }
    }

    proptest! {
        /// Any content comes back, and however it is split, no cell begins with a sign.
        #[test]
        fn any_cell_comes_back(cell in "['=+@\\-;,|\"\n\r\ta ＝\u{200b}]{0,14}") {
            let defused = defuse(&cell).into_owned();
            prop_assert_eq!(restore(&defused), cell.as_str());
            for piece in defused.split(SEPARATORS) {
                prop_assert!(!piece.trim_start_matches(|c: char| c == '"' || is_unseen(c)).starts_with(is_sign), "{:?}", defused);
            }
        }
    }
}
