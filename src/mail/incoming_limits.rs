//! How much of a message is read: the parser's work and the depth of what it builds grow with what a stranger declares,
//! so declarations are counted before it sees any of it.

use memchr::memmem;

/// Content types that may be declared, and thus parts.
const MAX_TYPES: usize = 1000;
/// Messages inside each other: what the parser builds is dropped by recursion.
const MAX_MESSAGES: usize = 100;
/// A boundary that is missing is looked for to the end, once for each part.
const MAX_OCTETS_TIMES_TYPES: usize = 1_000_000_000;
/// Parts that even the longest message may have.
const MIN_TYPES: usize = 50;

/// The length of the beginning that may be read: up to the declaration that is one too many.
pub(super) fn readable_length(octets: &[u8]) -> usize {
    let most = (MAX_OCTETS_TIMES_TYPES / octets.len().max(1)).clamp(MIN_TYPES, MAX_TYPES);
    let (mut types, mut messages) = (0, 0);
    // Every field that declares a type has this in its name, whatever the case of the other letters.
    for at in memchr::memchr2_iter(b't', b'T', octets) {
        let Some(rest) = octets.get(at..).filter(|rest| begins(rest, b"t-type")) else { continue };
        types += 1;
        let value = &rest[..field_end(rest)];
        if value.to_ascii_lowercase().windows(7).any(|window| window == b"message") {
            messages += 1;
        }
        if types > most || messages > MAX_MESSAGES {
            return at;
        }
    }
    octets.len()
}

fn begins(octets: &[u8], word: &[u8]) -> bool {
    octets.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Where a folded field ends: at the first line end that no space follows (RFC 5322 §2.2.3).
fn field_end(octets: &[u8]) -> usize {
    let mut ends = memmem::find_iter(octets, b"\n");
    ends.find(|end| !octets.get(end + 1).is_some_and(|next| matches!(next, b' ' | b'\t'))).unwrap_or(octets.len())
}
