//! Versioned records: one byte of version, then postcard. Old versions are read for ever.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::clock::Timestamp;

use super::engine::Value;

/// A record that cannot be read. Never to be taken for "there is none".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer Depesch.
    #[error("a {family} record has version {version}, newer than this program knows; run the newer program again")]
    Newer {
        /// The record family.
        family: &'static str,
        /// The version found.
        version: u8,
    },
    /// The bytes do not hold what they should.
    #[error("a {family} record is damaged: {reason}; run \u{201c}depesch store check\u{201d}")]
    Damaged {
        /// The record family.
        family: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The bytes of a record in the newest form.
pub fn encode<T: Serialize>(version: u8, form: &T) -> Value {
    // Writing to a vector fails only for forms postcard cannot hold (a sequence of unknown length); ours have none.
    let bytes = postcard::to_extend(form, vec![version]).unwrap_or_default();
    debug_assert!(!bytes.is_empty(), "a form that postcard cannot hold");
    bytes.into()
}

/// The version of a record and its bytes.
///
/// # Errors
/// [`RecordError::Damaged`] when there is not even a version.
pub fn split<'a>(family: &'static str, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), RecordError> {
    match bytes.split_first() {
        Some((version, rest)) => Ok((*version, rest)),
        None => Err(RecordError::Damaged { family, reason: "it is empty".to_owned() }),
    }
}

/// Reads one version's form.
///
/// # Errors
/// [`RecordError::Damaged`] when the bytes do not hold it.
pub fn decode<T: DeserializeOwned>(family: &'static str, bytes: &[u8]) -> Result<T, RecordError> {
    postcard::from_bytes(bytes).map_err(|e| RecordError::Damaged { family, reason: e.to_string() })
}

/// Reads a counter: eight bytes, big-endian.
///
/// # Errors
/// [`RecordError::Damaged`] when there are not eight.
pub fn decode_counter(bytes: &[u8]) -> Result<u64, RecordError> {
    let damaged = |_| RecordError::Damaged { family: "counter", reason: format!("{} bytes, not 8", bytes.len()) };
    bytes.try_into().map(u64::from_be_bytes).map_err(damaged)
}

/// Reads an instant: milliseconds since 1970.
///
/// # Errors
/// [`RecordError::Damaged`] for a number that is no instant.
pub fn instant(family: &'static str, millis: i64) -> Result<Timestamp, RecordError> {
    let damaged = || RecordError::Damaged { family, reason: format!("{millis} is no time") };
    Timestamp::from_timestamp_millis(millis).ok_or_else(damaged)
}
