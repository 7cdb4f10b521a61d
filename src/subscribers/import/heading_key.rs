//! The forms in which headings are compared.

use crate::base::{spreadsheet_cell, unicode};

/// A heading as the name of an attribute: composed, lower case, single spaces.
pub(super) fn attribute_key(heading: &str) -> String {
    unicode::key(&spreadsheet_cell::restore(heading)).into_owned()
}

/// A heading reduced to its letters and digits, without a part in brackets at its end.
pub(super) fn squashed(heading: &str) -> String {
    let key = attribute_key(heading);
    let bare = match key.trim_end_matches(['*', ':', ' ']).strip_suffix(')').and_then(|key| key.rsplit_once('(')) {
        Some((bare, _)) if !bare.trim().is_empty() => bare,
        _ => key.as_str(),
    };
    bare.chars().filter(|c| c.is_alphanumeric()).collect()
}
