//! The output of commands: tables for people, JSON for programs, and error messages.

use std::io::{ErrorKind, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::CliError;
use super::times::Times;

/// Prints to standard output.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    /// Formats instants for people; JSON has them in UTC.
    pub times: Times,
}

impl Output {
    /// Creates an output for programs (`json`), or for people with these times.
    pub(crate) fn new(json: bool, times: Times) -> Self {
        Self { json, times }
    }

    /// Whether the output is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one JSON value on one line. Call it once, or once per item where the command's help says so.
    ///
    /// # Errors
    /// [`CliError::Closed`] when the output is closed; pass it on.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let mut line = serde_json::to_vec(value).map_err(|e| CliError::Internal(e.to_string()))?;
        line.push(b'\n');
        self.bytes(&line)
    }

    /// Prints one or more lines for people.
    ///
    /// # Errors
    /// [`CliError::Closed`] when the output is closed.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        self.bytes(format!("{}\n", visible(text)).as_bytes())
    }

    /// Prints a table, as wide as the terminal; without a terminal, lines are never broken.
    ///
    /// # Errors
    /// [`CliError::Closed`] when the output is closed.
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

    /// Prints names and values, one pair per line.
    ///
    /// # Errors
    /// [`CliError::Closed`] when the output is closed.
    pub(crate) fn fields(&self, fields: &[(&str, String)]) -> Result<(), CliError> {
        let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let lines: String = fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect();
        self.bytes(lines.as_bytes())
    }

    /// Prints bytes unchanged, e.g. an export.
    ///
    /// # Errors
    /// [`CliError::Closed`] when the output is closed.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CliError::Closed),
            Err(error) => Err(CliError::File { action: "written", path: "standard output".into(), error }),
        }
    }
}

/// Prints an error and how to fix it to standard error.
pub(crate) fn complain(message: &str, hint: Option<&str>) {
    let mut text = format!("depesch: {}\n", visible(message));
    if let Some(hint) = hint {
        text.push_str(&format!("  {}\n", visible(hint)));
    }
    note_bytes(&text);
}

/// Prints to standard error what is not a result: a warning, a step.
pub(crate) fn note(text: &str) {
    note_bytes(&format!("{}\n", visible(text)));
}

fn note_bytes(text: &str) {
    // When standard error is closed, there is no place for a message.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Makes foreign text safe for a terminal: no control characters except the line end, so that no subscriber's name
/// and no server's reply moves the cursor (invariant 7).
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            // Characters that change the writing direction hide text.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
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
