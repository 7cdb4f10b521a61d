//! The log on standard error: one line per event, mail addresses masked, foreign control characters made harmless. Each
//! line tells journald its priority.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use tracing::{Level, Metadata};
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

/// Changes the level of a log that is already installed.
pub(crate) struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl LogHandle {
    /// Sets the log level to that of `config`.
    pub(crate) fn set_level(&self, config: &LogConfig) {
        if let Err(error) = self.filter.reload(filter(config)) {
            tracing::error!(%error, "the log's level could not be changed");
        }
    }
}

fn filter(config: &LogConfig) -> EnvFilter {
    // The configuration was validated; an unreadable directive is ignored here.
    EnvFilter::builder().parse_lossy(&config.level)
}

/// Installs the log of this process.
///
/// # Errors
/// When one is installed already.
pub(crate) fn install(config: &LogConfig, clock: Arc<dyn Clock>) -> Result<LogHandle, TryInitError> {
    let (filter, handle) = reload::Layer::new(filter(config));
    let journald = environment::is_under_journald();
    let lines = match config.format {
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_timer(LogTime(clock));
            layer.with_writer(MaskingWriter { journald }).boxed()
        }
        LogFormat::Human => {
            let layer = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_target(false);
            match journald {
                true => layer.without_time().with_writer(MaskingWriter { journald }).boxed(),
                false => layer.with_timer(LogTime(clock)).with_writer(MaskingWriter { journald }).boxed(),
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

struct MaskingWriter {
    journald: bool,
}

impl MakeWriter<'_> for MaskingWriter {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { priority: "" }
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Line {
        Line { priority: if self.journald { priority(*event.level()) } else { "" } }
    }
}

/// The prefix by which journald learns the priority of a line (sd-daemon(3)).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Writes one event as a line.
struct Line {
    priority: &'static str,
}

impl Line {
    /// The line written for an event.
    fn of(&self, event: &[u8]) -> String {
        format!("{}{}", self.priority, masked(&String::from_utf8_lossy(event)))
    }
}

impl Write for Line {
    /// Called once per event, with the whole event.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().lock().write_all(self.of(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Formats one event as one line, with mail addresses masked: `anna@example.org` becomes
/// `a…@example.org`. This holds for every source of the event, e.g. a server's reply that repeats
/// the address.
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
            // The escape that begins a colour on a terminal; in foreign text the formatter escapes
            // it.
            c if c.is_control() && c != '\u{1b}' => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line.push_str(&word);
    line.push('\n');
    line
}

/// Whether a character may occur in an unquoted local part (RFC 5322 §3.2.3, RFC 6531 §3.3).
/// Characters that occur more often around an address than in it are excluded.
fn is_local_part(character: char) -> bool {
    character.is_alphanumeric() || ".+-_!#%&*/?^~|$".contains(character)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{MakeWriter, MaskingWriter, Metadata, Write, masked};

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

    /// Captures what would go to standard error.
    struct Kept {
        lines: Arc<Mutex<String>>,
        writer: MaskingWriter,
    }

    struct KeptLine {
        lines: Arc<Mutex<String>>,
        line: super::Line,
    }

    impl MakeWriter<'_> for Kept {
        type Writer = KeptLine;

        fn make_writer(&self) -> KeptLine {
            KeptLine { lines: self.lines.clone(), line: self.writer.make_writer() }
        }

        fn make_writer_for(&self, event: &Metadata<'_>) -> KeptLine {
            KeptLine { lines: self.lines.clone(), line: self.writer.make_writer_for(event) }
        }
    }

    impl Write for KeptLine {
        fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
            self.lines.lock().map_err(|_| std::io::Error::other("poisoned"))?.push_str(&self.line.of(event));
            Ok(event.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(journald: bool, json: bool) -> Vec<String> {
        let lines = Arc::new(Mutex::new(String::new()));
        let kept = Kept { lines: lines.clone(), writer: MaskingWriter { journald } };
        let events = || {
            tracing::error!("broken");
            tracing::warn!(mailing = "m7", "refused: <anna@example.org>\n<3>forged");
            tracing::info!("began");
            tracing::debug!("looked");
        };
        let registry = tracing_subscriber::registry();
        if json {
            let layer = fmt::layer().json().flatten_event(true).without_time().with_target(false).with_writer(kept);
            tracing::subscriber::with_default(registry.with(layer), events);
        } else {
            let layer = fmt::layer().with_ansi(false).without_time().with_target(false).with_writer(kept);
            tracing::subscriber::with_default(registry.with(layer), events);
        }
        let lines = lines.lock().map(|lines| lines.clone()).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }

    #[test]
    fn journald_is_told_how_grave_each_line_is() {
        assert_eq!(
            logged(true, false),
            [
                "<3>ERROR broken",
                "<4> WARN refused: <a…@example.org>\\n<3>forged mailing=\"m7\"",
                "<6> INFO began",
                "<7>DEBUG looked",
            ]
        );
        let warning = r#"<4>{"level":"WARN","message":"refused: <a…@example.org>\n<3>forged","mailing":"m7"}"#;
        assert_eq!(logged(true, true)[1], warning);
    }

    #[test]
    fn nobody_else_is() {
        assert_eq!(logged(false, false)[0], "ERROR broken");
        assert!(logged(false, true)[3].starts_with('{'));
    }
}
