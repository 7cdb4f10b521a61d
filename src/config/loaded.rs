//! A configuration file, read: all errors at once; and what a running daemon takes over from a changed one.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::reader::{Entry, Problem, Reader};
use super::{Config, LogConfig};

/// The configuration file used when none is named.
const DEFAULT_FILE: &str = "/etc/depesch/depesch.toml";

/// A configuration with all keys and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key with its value, in order.
    pub entries: Vec<Entry>,
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
}

/// The keys that a running daemon applies at SIGHUP ([`Config::reloaded`]); all others need a restart.
pub const RELOADABLE: &[&str] = &[
    "templates_directory",
    "base_url",
    "content.attachments_in_mail",
    "content.country_code",
    "content.require_alt_text",
    "log.level",
];

impl Loaded {
    /// The configuration in force after a reload of `new`: with its values for the keys that are [`RELOADABLE`].
    pub(crate) fn taken_over(&self, new: &Loaded) -> Loaded {
        let entry = |(old, new): (&Entry, &Entry)| match RELOADABLE.contains(&old.key.as_str()) {
            true => new.clone(),
            false => old.clone(),
        };
        let entries = self.entries.iter().zip(&new.entries).map(entry).collect();
        Loaded { config: self.config.reloaded(&new.config), entries, file: self.file.clone() }
    }

    /// The keys with another value in `new` that need a restart.
    pub fn waiting_for_restart(&self, new: &Loaded) -> Vec<String> {
        let changed = self.entries.iter().zip(&new.entries).filter(|(old, new)| old.value != new.value);
        changed.map(|(old, _)| old.key.clone()).filter(|key| !RELOADABLE.contains(&key.as_str())).collect()
    }
}

/// A configuration file that cannot be used: all errors at once.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: the configuration cannot be read: {error}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// It has errors.
    #[error("{}", listed(.path, .problems))]
    Wrong {
        /// Its path.
        path: PathBuf,
        /// All errors, in order of line.
        problems: Vec<Problem>,
    },
}

fn listed(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let place = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        format!("{}{place}: {key}{}", path.display(), problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Config {
    /// Reads the named file; without a name, [`DEFAULT_FILE`] if it exists, otherwise the defaults.
    ///
    /// # Errors
    /// [`ConfigError`], with all errors.
    pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                let loaded = Self::parse(Path::new(""), "")?;
                Ok(Loaded { file: None, ..loaded })
            }
            Err(error) => Err(ConfigError::Unreadable { path: path.to_owned(), error }),
        }
    }

    /// The control socket in the file, even if the rest of the file cannot be used; otherwise the default. For
    /// commands that only need to reach the running daemon.
    pub(crate) fn control_socket(file: Option<&Path>) -> PathBuf {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (table, _) = DeTable::parse_recoverable(&text);
        let directory = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut reader = Reader::new(&text, table.get_ref(), directory.as_deref().unwrap_or(Path::new("/")));
        let mut config = Self::default();
        config.read_control(&mut reader);
        config.control.path
    }

    /// Parses the text of a file. Relative paths in it are relative to `path`'s directory.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`].
    pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
        let wrong = |problems| ConfigError::Wrong { path: path.to_owned(), problems };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(wrong(errors.iter().map(|error| syntax_problem(text, error)).collect()));
        }
        let directory = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut reader = Reader::new(text, table.get_ref(), directory.as_deref().unwrap_or(Path::new("/")));
        let mut config = Self::default();
        config.read(&mut reader);
        let (entries, problems) = reader.finish();
        if !problems.is_empty() {
            return Err(wrong(problems));
        }
        Ok(Loaded { config, entries, file: Some(path.to_owned()) })
    }

    /// This configuration with the values of `new` for the keys that are [`RELOADABLE`].
    pub fn reloaded(&self, new: &Config) -> Config {
        Config {
            templates_directory: new.templates_directory.clone(),
            base_url: new.base_url.clone(),
            content: new.content.clone(),
            log: LogConfig { format: self.log.format, level: new.log.level.clone() },
            ..self.clone()
        }
    }
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
    Problem { line, key: String::new(), message: error.message().replace('\n', "; ") }
}
