//! Renders a table as text: columns under an underlined row of headings, 72 wide; long cells are wrapped, and a table
//! that is too wide becomes a list with one entry for each row.

use super::flow::COLUMNS;
use super::typography::HARD_SPACE;

/// Spaces between two columns.
const GAP: usize = 2;

/// A table's cells as text.
pub(super) struct TextTable {
    /// Whether the cells of each column are right-aligned.
    pub right: Vec<bool>,
    /// The headings.
    pub head: Vec<String>,
    /// Rows, all of the same length.
    pub rows: Vec<Vec<String>>,
}

fn width(text: &str) -> usize {
    text.chars().count()
}

impl TextTable {
    /// Renders the whole table, without a line break at the end.
    pub(super) fn write(&self) -> String {
        match self.widths() {
            Some(widths) => self.columns(&widths),
            None => self.entries(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    /// The maximum of `measure` in each column.
    fn most(&self, measure: impl Fn(&str) -> usize) -> Vec<usize> {
        let column = |at: usize| self.all().filter_map(|row| row.get(at)).map(|cell| measure(cell)).max().unwrap_or(0);
        (0..self.head.len()).map(column).collect()
    }

    /// The width of each column; `None` when the table cannot fit.
    fn widths(&self) -> Option<Vec<usize>> {
        let room = COLUMNS.checked_sub(GAP * self.head.len().saturating_sub(1))?;
        let least = self.most(|cell| cell.split(' ').map(width).max().unwrap_or(0));
        if least.iter().sum::<usize>() > room {
            return None;
        }
        let mut widths = self.most(width);
        // Shrinks the widest column that can be shrunk, one step at a time.
        while widths.iter().sum::<usize>() > room {
            let widest = (0..widths.len()).filter(|at| widths[*at] > least[*at]).max_by_key(|at| widths[*at])?;
            widths[widest] -= 1;
        }
        Some(widths)
    }

    fn columns(&self, widths: &[usize]) -> String {
        let broken = |row: &Vec<String>| -> Vec<Vec<String>> {
            row.iter().zip(widths).map(|(cell, width)| broken_at(cell, *width)).collect()
        };
        let rows: Vec<Vec<Vec<String>>> = self.all().map(broken).collect();
        // Rows with several lines are separated by an empty line.
        let several = rows[1..].iter().flatten().any(|cell| cell.len() > 1);
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(1))).collect();
        let mut lines = self.lines(&rows[0], widths);
        lines.push(rule.join(&" ".repeat(GAP)));
        for (place, row) in rows[1..].iter().enumerate() {
            if several && place > 0 {
                lines.push(String::new());
            }
            lines.extend(self.lines(row, widths));
        }
        lines.join("\n")
    }

    fn lines(&self, row: &[Vec<String>], widths: &[usize]) -> Vec<String> {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        (0..height).map(|line| self.line(row, line, widths)).collect()
    }

    fn line(&self, row: &[Vec<String>], line: usize, widths: &[usize]) -> String {
        let mut out = String::new();
        for (at, width_of) in widths.iter().enumerate() {
            let text = row.get(at).and_then(|cell| cell.get(line)).map_or("", String::as_str);
            let space = " ".repeat(width_of.saturating_sub(width(text)));
            if at > 0 {
                out.push_str(&" ".repeat(GAP));
            }
            match self.right.get(at) {
                Some(true) => out.extend([space.as_str(), text]),
                _ => out.extend([text, space.as_str()]),
            }
        }
        let out = out.trim_end_matches(' ');
        // A line that begins with a space would be shifted (RFC 3676 §4.4).
        match out.strip_prefix(' ') {
            Some(rest) => format!("{HARD_SPACE}{rest}"),
            None => out.to_owned(),
        }
    }

    /// Renders one entry for each row, with headings before the cells.
    fn entries(&self) -> String {
        let entry = |row: &Vec<String>| {
            let cells = self.head.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
            let lines = cells.map(|(head, cell)| match head.as_str() {
                "" => cell.clone(),
                head => format!("{head}: {cell}"),
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        self.rows.iter().map(entry).collect::<Vec<_>>().join("\n\n")
    }
}

/// A cell in lines of at most `room` characters, broken at spaces.
fn broken_at(cell: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in cell.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(right: &[bool], rows: &[&[&str]]) -> String {
        let texts = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        TextTable { right: right.to_vec(), head: texts(rows[0]), rows: rows[1..].iter().map(|r| texts(r)).collect() }
            .write()
    }

    #[test]
    fn columns_are_aligned() {
        let text = table(&[false, true], &[&["Parti", "2026"], &["A", "13,1"], &["Bå", "8"]]);
        assert_eq!(text, "Parti  2026\n-----  ----\nA      13,1\nBå        8");
        assert_eq!(table(&[], &[&["", "x"], &["y", ""]]), "\u{a0}  x\n-  -\ny");
    }

    #[test]
    fn long_cells_go_over_several_lines_and_wide_tables_become_entries() {
        let long = "ord ".repeat(40);
        let text = table(&[], &[&["Namn", "Svar"], &["A", &long], &["B", "kort"]]);
        assert!(text.lines().all(|line| width(line) <= COLUMNS), "{text}");
        assert!(text.contains("\n\u{a0}     ord ord") && text.contains("\n\nB     kort"), "{text}");
        let word = "o".repeat(40);
        assert_eq!(table(&[], &[&["N", "S"], &[&word, &word]]), format!("N: {word}\nS: {word}"));
    }
}
