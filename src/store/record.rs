//! Versioned records: one version byte, then postcard. Old versions stay readable for ever.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::clock::Timestamp;

use super::engine::Value;

/// A record that cannot be read. Never treat it as "not found".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer Depesch.
    #[error("a {family} record has version {version}, newer than this program knows; run the newer program")]
    Newer {
        /// The record family.
        family: &'static str,
        /// The version found.
        version: u8,
    },
    /// The bytes are not a valid record.
    #[error("a {family} record is damaged: {reason}; run \u{201c}depesch store check\u{201d}")]
    Damaged {
        /// The record family.
        family: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Encodes a record in the newest form.
pub(crate) fn encode<T: Serialize>(version: u8, form: &T) -> Value {
    // Writing to a vector fails only for forms that postcard cannot encode (a sequence of unknown length); none of ours
    // is one.
    let bytes = postcard::to_extend(form, vec![version]).unwrap_or_default();
    debug_assert!(!bytes.is_empty(), "a form that postcard cannot hold");
    bytes.into()
}

/// Splits a record into its version and the bytes after it.
///
/// # Errors
/// [`RecordError::Damaged`] if even the version is missing.
pub(crate) fn split<'a>(family: &'static str, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), RecordError> {
    match bytes.split_first() {
        Some((version, rest)) => Ok((*version, rest)),
        None => Err(RecordError::Damaged { family, reason: "it is empty".to_owned() }),
    }
}

/// Decodes one version's form.
///
/// # Errors
/// [`RecordError::Damaged`] if the bytes do not match the form.
pub(crate) fn decode<T: DeserializeOwned>(family: &'static str, bytes: &[u8]) -> Result<T, RecordError> {
    postcard::from_bytes(bytes).map_err(|e| RecordError::Damaged { family, reason: e.to_string() })
}

/// Defines the stored form of a model's enum without fields, and the conversions between them. The variants are stored by
/// their place here: a new one goes to the end, and none is moved or removed.
macro_rules! stored_enum {
    ($stored:ident is $model:ident { $($variant:ident),+ }) => {
        #[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
        enum $stored {
            $($variant),+
        }

        impl From<$model> for $stored {
            fn from(model: $model) -> Self {
                match model {
                    $($model::$variant => Self::$variant),+
                }
            }
        }

        impl From<$stored> for $model {
            fn from(stored: $stored) -> Self {
                match stored {
                    $($stored::$variant => Self::$variant),+
                }
            }
        }
    };
}

pub(in crate::store) use stored_enum;

/// Decodes a counter: eight bytes, big-endian.
///
/// # Errors
/// [`RecordError::Damaged`] for any other length.
pub(crate) fn decode_counter(bytes: &[u8]) -> Result<u64, RecordError> {
    let damaged = |_| RecordError::Damaged { family: "counter", reason: format!("{} bytes, not 8", bytes.len()) };
    bytes.try_into().map(u64::from_be_bytes).map_err(damaged)
}

/// Converts stored milliseconds since 1970 to an instant.
///
/// # Errors
/// [`RecordError::Damaged`] if the number is out of range.
pub(crate) fn instant(family: &'static str, millis: i64) -> Result<Timestamp, RecordError> {
    let damaged = || RecordError::Damaged { family, reason: format!("{millis} is no time") };
    Timestamp::from_timestamp_millis(millis).ok_or_else(damaged)
}
