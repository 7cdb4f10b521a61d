//! What the service's systemd unit says about matters of the configuration: how long a stop may take, and from which
//! files the service gets its secrets. Read from the unit's files, for commands outside the service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Directories of units, in order of priority (systemd.unit(5)).
const PLACES: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const NAME: &str = "depesch.service";

/// The unit's settings that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// `TimeoutStopSec=`: after this systemd kills the service. `None`: not set here, or infinity.
    pub stop_timeout: Option<Duration>,
    /// `LoadCredential=`: the file of each credential.
    pub loaded: BTreeMap<String, PathBuf>,
    /// Credentials that the unit gets in other ways, which only the service can read.
    pub other: BTreeSet<String>,
}

impl Unit {
    /// Reads the installed unit with its drop-ins; `None` where no unit is installed.
    pub(crate) fn installed() -> Option<Self> {
        let mut files = Vec::new();
        files.push(PLACES.iter().map(|place| Path::new(place).join(NAME)).find(|file| file.exists())?);
        let mut more: Vec<PathBuf> = PLACES
            .iter()
            .filter_map(|place| std::fs::read_dir(Path::new(place).join(format!("{NAME}.d"))).ok())
            .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
            .filter(|path| path.extension().is_some_and(|kind| kind == "conf"))
            .collect();
        more.sort_by_key(|path| path.file_name().map(std::ffi::OsStr::to_owned));
        files.extend(more);
        let texts: Vec<String> = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        Some(Self::parse(&texts))
    }

    /// Parses the texts of a unit and its drop-ins, in their order.
    pub(crate) fn parse<T: AsRef<str>>(texts: &[T]) -> Self {
        let mut unit = Self::default();
        for line in texts.iter().flat_map(|text| text.as_ref().lines()) {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            let (name, rest) = value.split_once(':').unwrap_or((value, ""));
            match key {
                "TimeoutStopSec" | "TimeoutSec" => unit.stop_timeout = time_span(value),
                "LoadCredential" if rest.starts_with('/') => {
                    unit.loaded.insert(name.to_owned(), PathBuf::from(rest));
                }
                "LoadCredential"
                | "LoadCredentialEncrypted"
                | "SetCredential"
                | "SetCredentialEncrypted"
                | "ImportCredential" => {
                    unit.other.insert(name.to_owned());
                }
                _ => {}
            }
        }
        unit
    }
}

/// Parses a time span such as `90s`, `1min 30s` or `90` (systemd.time(7)); `None` for infinity and unreadable text.
fn time_span(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "" | "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 3600,
            _ => return None,
        };
        sum += Duration::from_secs(number.checked_mul(seconds)?);
        rest = rest[letters..].trim_start();
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_unit_is_read() {
        let unit = Unit::parse(&[include_str!("../../systemd/depesch.service")]);
        assert_eq!(unit.stop_timeout, Some(Duration::from_secs(90)));
        assert_eq!(unit.loaded["relay-password"], Path::new("/etc/depesch/relay-password"));
        assert!(unit.other.contains("relay-password"), "{unit:?}");
    }

    #[test]
    fn a_drop_in_goes_before_the_unit_and_spans_are_read_as_systemd_does() {
        let unit = Unit::parse(&[
            "TimeoutStopSec=90s\nLoadCredential=key:/a",
            "TimeoutStopSec=1min 30s\nLoadCredential=key:/b",
        ]);
        assert_eq!((unit.stop_timeout, &*unit.loaded["key"]), (Some(Duration::from_secs(90)), Path::new("/b")));
        assert_eq!(time_span("2min"), Some(Duration::from_secs(120)));
        assert_eq!(time_span("45"), Some(Duration::from_secs(45)));
        assert_eq!(time_span("infinity"), None);
    }
}
