//! The log on standard error: one line per event, mail addresses masked, foreign control characters made harmless.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

use crate::base::clock::Clock;
use crate::config::{LogConfig, LogFormat, environment};

/// Changes the level of a log that is set up.
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl LogHandle {
    /// Writes as much as `config` says from now on.
    pub fn set_level(&self, config: &LogConfig) {
        if let Err(error) = self.filter.reload(filter(config)) {
            tracing::error!(%error, "the log's level could not be changed");
        }
    }
}

fn filter(config: &LogConfig) -> EnvFilter {
    // The configuration was checked; what cannot be read here is left out.
    EnvFilter::builder().parse_lossy(&config.level)
}

/// Sets up the log of this process.
///
/// # Errors
/// When there is one already.
pub fn install(config: &LogConfig, clock: Arc<dyn Clock>) -> Result<LogHandle, TryInitError> {
    let (filter, handle) = reload::Layer::new(filter(config));
    let lines = match config.format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_timer(LogTime(clock)).with_writer(MaskingWriter).boxed()
        }
        LogFormat::Human => {
            let layer = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_target(false);
            match environment::is_under_journald() {
                true => layer.without_time().with_writer(MaskingWriter).boxed(),
                false => layer.with_timer(LogTime(clock)).with_writer(MaskingWriter).boxed(),
            }
        }
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogHandle { filter: handle })
}

/// The daemon's own clock.
struct LogTime(Arc<dyn Clock>);

impl FormatTime for LogTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", self.0.now().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

struct MaskingWriter;

impl MakeWriter<'_> for MaskingWriter {
    type Writer = MaskingWriter;

    fn make_writer(&self) -> MaskingWriter {
        MaskingWriter
    }
}

impl Write for MaskingWriter {
    /// Called once per event, with its whole line.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let line_text = masked(&String::from_utf8_lossy(line));
        std::io::stderr().lock().write_all(line_text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One event as one line, without whole mail addresses: `anna@example.org` becomes `a…@example.org`. Whatever wrote
/// the event, e.g. a server's reply that repeats the address, this holds.
fn masked(event: &str) -> String {
    let body = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(event.len());
    let mut word = String::new();
    for character in body.chars() {
        if is_local_part(character) {
            word.push(character);
            continue;
        }
        if character == '@' && !word.is_empty() {
            line.extend(word.chars().next());
            line.push('…');
        } else {
            line.push_str(&word);
        }
        word.clear();
        match character {
            '\n' => line.push_str("\\n"),
            // The escape that begins a colour on a terminal; the formatter escapes those in foreign text.
            c if c.is_control() && c != '\u{1b}' => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line.push_str(&word);
    line.push('\n');
    line
}

/// Whether a character may stand in a local part without quotes (RFC 5322 §3.2.3, RFC 6531 §3.3). Those that more often
/// stand around an address than in it are left out.
fn is_local_part(character: char) -> bool {
    character.is_alphanumeric() || ".+-_!#%&*/?^~|$".contains(character)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn addresses_are_masked_whoever_wrote_them() {
        assert_eq!(masked("550 <anna.berg+x@example.org>: no\n"), "550 <a…@example.org>: no\n");
        assert_eq!(masked("to=åsa@example.org,bo@example.com"), "to=å…@example.org,b…@example.com\n");
        assert_eq!(masked("no address @ all"), "no address @ all\n");
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(masked("one\ntwo\r\u{7}three\n"), "one\\ntwo\u{fffd}\u{fffd}three\n");
    }
}
