//! Floor 0: basic types used by everything else. No I/O, and no knowledge of the rooms above.

pub mod address;
pub mod clock;
pub mod id;
pub mod language;
pub mod peer;
pub mod secret;
pub(crate) mod spreadsheet;
pub(crate) mod spreadsheet_cell;
pub mod token;
pub(crate) mod unicode;
