//! What commands print: tables for people, JSON for programs; and how an ending is told.

use std::io::{ErrorKind, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::base::clock::Timestamp;

use super::CliError;

/// Prints to standard output.
#[derive(Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// For programs (`json`) or for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read this.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one JSON value on one line. Call it once, or once per item where the command's help says so.
    ///
    /// # Errors
    /// [`CliError::Closed`] when nobody reads any more; pass it on.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let mut line = serde_json::to_vec(value).map_err(|e| CliError::Internal(e.to_string()))?;
        line.push(b'\n');
        self.bytes(&line)
    }

    /// Prints a line, or several, for people.
    ///
    /// # Errors
    /// [`CliError::Closed`] when nobody reads any more.
    pub fn line(&self, text: &str) -> Result<(), CliError> {
        self.bytes(format!("{}\n", visible(text)).as_bytes())
    }

    /// Prints a table. On a terminal it is as wide as that; elsewhere lines are never broken.
    ///
    /// # Errors
    /// [`CliError::Closed`] when nobody reads any more.
    pub fn table<R, C>(&self, header: &[&str], rows: R) -> Result<(), CliError>
    where
        R: IntoIterator<Item = C>,
        C: IntoIterator<Item = String>,
    {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(header.iter().map(|name| name.to_uppercase()));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| visible(&cell).replace('\n', " ")));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.bytes(format!("{}\n", trimmed(&table.to_string())).as_bytes())
    }

    /// Prints names and values, one pair a line.
    ///
    /// # Errors
    /// [`CliError::Closed`] when nobody reads any more.
    pub fn fields(&self, fields: &[(&str, String)]) -> Result<(), CliError> {
        let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let lines: String = fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect();
        self.bytes(lines.as_bytes())
    }

    /// Prints bytes as they are, e.g. an export.
    ///
    /// # Errors
    /// [`CliError::Closed`] when nobody reads any more.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CliError::Closed),
            Err(error) => Err(CliError::File { action: "written", path: "standard output".into(), error }),
        }
    }
}

/// Says on standard error that a command failed, and how to mend it.
pub fn complain(message: &str, hint: Option<&str>) {
    let mut text = format!("depesch: {}\n", visible(message));
    if let Some(hint) = hint {
        text.push_str(&format!("  {}\n", visible(hint)));
    }
    note_bytes(&text);
}

/// Says something on standard error that is no result: a warning, a step.
pub fn note(text: &str) {
    note_bytes(&format!("{}\n", visible(text)));
}

fn note_bytes(text: &str) {
    // When standard error is closed there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Foreign text as it may reach a terminal: no control characters but the line end, so that no subscriber's name and
/// no server's reply moves the cursor (invariant 7).
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            // Characters that turn the direction of writing around hide what stands there.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// An instant for people: UTC, to the second.
pub fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn trimmed(table: &str) -> String {
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(super::visible("a\u{1b}[2Jb\rc\u{202e}d\ne"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\ne");
    }
}
