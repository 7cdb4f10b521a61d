//! Floor 0: what everything else is written with. Nothing here does I/O or knows of the rooms above.

pub mod address;
pub mod clock;
pub mod id;
pub mod language;
pub mod peer;
pub mod secret;
pub mod spreadsheet;
pub mod spreadsheet_cell;
pub mod token;
pub mod unicode;
