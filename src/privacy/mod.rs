//! Floor 9: retention, erasure, and a person's whole record.

pub mod erasure;
pub mod personal_data;
pub(crate) mod record;
pub mod retention;
