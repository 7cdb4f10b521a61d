//! Header fields: the one place where text becomes a header line, so that nothing a stranger wrote can end one
//! (invariant 7) and no line is longer than it may be.
//!
//! Every function appends whole fields, `Name: value` with CRLF, folded at 78 octets (RFC 5322 §2.1.1, §2.2.3).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::address::Address;

/// Octets that a folded line should not pass (RFC 5322 §2.1.1).
pub const FOLD_AT: usize = 78;
/// Octets that no line may pass, CRLF left out (RFC 5322 §2.1.1).
pub const LINE_LIMIT: usize = 998;
/// Octets of an encoded word, at most (RFC 2047 §2).
const ENCODED_WORD: usize = 75;

/// A name and an address, as in From and To.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// What people read; left out where it is `None` or blank.
    pub name: Option<String>,
    /// Where mail goes.
    pub address: Address,
}

impl Mailbox {
    /// A mailbox without a name.
    pub fn bare(address: Address) -> Self {
        Self { name: None, address }
    }
}

/// `text` without anything that could end a header line or mislead a reader's terminal: control characters (CR, LF
/// and NUL among them) and line separators become a space, runs of them one space.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
    if !text.contains(breaks) && text.trim_matches(' ').len() == text.len() {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut broken = false;
    for c in text.chars() {
        match breaks(c) {
            true => broken = true,
            false => {
                if broken && !line.ends_with(' ') && c != ' ' {
                    line.push(' ');
                }
                broken = false;
                line.push(c);
            }
        }
    }
    Cow::Owned(line.trim_matches(' ').to_owned())
}

/// A field of message ids, e.g. References (RFC 5322 §3.6.4): those among `ids` that can stand in brackets as they are, for
/// an id that is changed finds nothing. `false`, and no field, when there is none.
pub fn push_ids(out: &mut Vec<u8>, name: &str, ids: &[&str]) -> bool {
    let fits = |id: &&&str| {
        (3..=250).contains(&id.len())
            && id.contains('@')
            && id.bytes().all(|o| o.is_ascii_graphic() && !b"<>\"\\".contains(&o))
    };
    let ids: Vec<String> = ids.iter().filter(fits).map(|id| format!("<{id}>")).collect();
    if ids.is_empty() {
        return false;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_folded(out, &ids.join(" "), name.len() + 2);
    out.extend_from_slice(b"\r\n");
    true
}

/// A field of free text, e.g. Subject: encoded words (RFC 2047) where it is not plain ASCII.
pub fn push_text(out: &mut Vec<u8>, name: &str, text: &str) {
    let text = one_line(text);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let column = name.len() + 2;
    if needs_encoded_word(&text) {
        push_encoded_words(out, &text, column);
    } else {
        push_folded(out, &text, column);
    }
    out.extend_from_slice(b"\r\n");
}

/// A field of mailboxes, e.g. From, Reply-To, To (RFC 5322 §3.4).
pub fn push_mailboxes(out: &mut Vec<u8>, name: &str, mailboxes: &[&Mailbox]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let mut column = name.len() + 2;
    for (place, mailbox) in mailboxes.iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b",\r\n ");
            column = 1;
        }
        column = push_mailbox(out, mailbox, column);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_mailbox(out: &mut Vec<u8>, mailbox: &Mailbox, column: usize) -> usize {
    let address = mailbox.address.as_str();
    let name = mailbox.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    match name {
        Some(name) => push_named(out, &name, address, column),
        None => {
            out.extend_from_slice(address.as_bytes());
            column + address.len()
        }
    }
}

/// A phrase and what it names in angle brackets.
fn push_named(out: &mut Vec<u8>, name: &str, named: &str, column: usize) -> usize {
    let mut column = push_phrase(out, name, column);
    if column + named.len() + 3 > FOLD_AT {
        out.extend_from_slice(b"\r\n");
        column = 0;
    }
    out.extend_from_slice(b" <");
    out.extend_from_slice(named.as_bytes());
    out.push(b'>');
    column + named.len() + 3
}

/// A field of a title, which may be empty, and an identifier in angle brackets: List-Id (RFC 2919 §3). `id` is ASCII
/// made by this program.
pub fn push_titled(out: &mut Vec<u8>, name: &str, title: &str, id: &str) {
    let title = one_line(title);
    if title.is_empty() {
        return push_uris(out, name, &[id]);
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_named(out, &title, id, name.len() + 2);
    out.extend_from_slice(b"\r\n");
}

/// A display name: atoms, a quoted string, or encoded words, never encoded words inside quotes (RFC 2047 §5).
fn push_phrase(out: &mut Vec<u8>, name: &str, column: usize) -> usize {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    if needs_encoded_word(name) || name.len() + column + 3 > FOLD_AT {
        return push_encoded_words(out, name, column);
    }
    if name.chars().all(atom) && !name.contains("  ") {
        out.extend_from_slice(name.as_bytes());
        return column + name.len();
    }
    let before = out.len();
    out.push(b'"');
    for byte in name.bytes() {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    column + out.len() - before
}

/// A field that consists of items in angle brackets, e.g. List-Unsubscribe (RFC 2369 §2): one item a line.
///
/// Characters that do not belong in a URI are percent-encoded, so no item can break out of its brackets.
pub fn push_uris(out: &mut Vec<u8>, name: &str, uris: &[&str]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for (place, uri) in uris.iter().enumerate() {
        let uri = clean_uri(uri);
        if place > 0 {
            out.push(b',');
            column += 1;
        }
        if column + uri.len() + 3 > FOLD_AT {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.extend_from_slice(b" <");
        out.extend_from_slice(uri.as_bytes());
        out.push(b'>');
        column += uri.len() + 3;
    }
    out.extend_from_slice(b"\r\n");
}

/// A URI as it may stand between `<` and `>` in a header: ASCII without spaces, brackets, quotes, commas.
fn clean_uri(uri: &str) -> Cow<'_, str> {
    let fits = |o: u8| o.is_ascii_graphic() && !b"<>\"\\^`{|},".contains(&o);
    if uri.bytes().all(fits) {
        return Cow::Borrowed(uri);
    }
    let mut clean = String::with_capacity(uri.len() + 16);
    for byte in uri.bytes() {
        match fits(byte) {
            true => clean.push(char::from(byte)),
            false => clean.push_str(&format!("%{byte:02X}")),
        }
    }
    Cow::Owned(clean)
}

/// A field whose value is made of ASCII by this program, e.g. Message-ID; anything else in it is dropped.
pub fn push_plain(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if value.bytes().all(|o| o.is_ascii_graphic() || o == b' ') {
        push_folded(out, value, name.len() + 2);
    } else {
        let kept: String = value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        push_folded(out, &kept, name.len() + 2);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a parameter, e.g. `; filename=...`, on a line of its own: plain where it is ASCII, else by RFC 2231 in
/// numbered, percent-encoded pieces.
pub fn push_parameter(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = one_line(value);
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if value.chars().all(plain) && name.len() + value.len() + 6 + value.matches(['"', '\\']).count() <= FOLD_AT {
        out.extend_from_slice(format!(";\r\n {name}=\"").as_bytes());
        for byte in value.bytes() {
            if byte == b'"' || byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        return;
    }
    // RFC 2231 §4.1: each piece ends at a whole character, so that a reader may decode piece by piece.
    let room = FOLD_AT - name.len() - 12;
    let (mut pieces, mut piece) = (Vec::new(), String::from("utf-8''"));
    for c in value.chars() {
        let encoded = percent_encoded(c);
        if piece.len() + encoded.len() > room {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push_str(&encoded);
    }
    pieces.push(piece);
    if let [whole] = pieces.as_slice() {
        out.extend_from_slice(format!(";\r\n {name}*={whole}").as_bytes());
        return;
    }
    for (place, piece) in pieces.iter().enumerate() {
        out.extend_from_slice(format!(";\r\n {name}*{place}*={piece}").as_bytes());
    }
}

/// RFC 2231 §7 attribute-char; everything else as `%XX`.
fn percent_encoded(c: char) -> String {
    if c.is_ascii_alphanumeric() || "!#$&+-.^_`{|}~".contains(c) {
        return c.to_string();
    }
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|o| format!("%{o:02X}")).collect()
}

/// Whether free text cannot stand in a header as it is. A word that would pass the line is encoded too, for encoded
/// words can be folded where a long word cannot.
fn needs_encoded_word(text: &str) -> bool {
    !text.is_ascii() || text.contains("=?") || text.split(' ').any(|word| word.len() > FOLD_AT - 2)
}

/// ASCII text folded before words that would pass column 78.
fn push_folded(out: &mut Vec<u8>, text: &str, mut column: usize) {
    for (place, word) in text.split(' ').enumerate() {
        let lead = usize::from(place > 0);
        // An empty word stays on its line: a folded line of nothing but blanks is forbidden (RFC 5322 §3.2.2).
        if place > 0 && !word.is_empty() && column + 1 + word.len() > FOLD_AT {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        if lead == 1 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
        column += lead + word.len();
    }
}

/// Encoded words, one a line, no character split between two (RFC 2047 §5). Returns the column after the last.
fn push_encoded_words(out: &mut Vec<u8>, text: &str, mut column: usize) -> usize {
    let odd = text.chars().filter(|c| !q_plain(*c) && *c != ' ').count();
    let quoted = odd * 3 < text.len();
    let overhead = "=?utf-8?q??=".len();
    let (mut rest, mut first) = (text, true);
    while !rest.is_empty() {
        let room = ENCODED_WORD.min(FOLD_AT.saturating_sub(column + usize::from(!first))).saturating_sub(overhead);
        let taken = if quoted { q_prefix(rest, room) } else { b_prefix(rest, room) };
        if taken == 0 {
            out.extend_from_slice(b"\r\n ");
            (column, first) = (1, true);
            continue;
        }
        let (word, after) = rest.split_at(taken);
        if !first {
            out.push(b' ');
            column += 1;
        }
        let before = out.len();
        if quoted {
            out.extend_from_slice(b"=?utf-8?q?");
            word.chars().for_each(|c| push_q(out, c));
        } else {
            out.extend_from_slice(b"=?utf-8?b?");
            out.extend_from_slice(STANDARD.encode(word).as_bytes());
        }
        out.extend_from_slice(b"?=");
        column += out.len() - before;
        (rest, first) = (after, false);
    }
    column
}

/// RFC 2047 §5 (3): what may stand unencoded in an encoded word also inside a phrase.
fn q_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!*+-/".contains(c)
}

fn push_q(out: &mut Vec<u8>, c: char) {
    match c {
        ' ' => out.push(b'_'),
        c if q_plain(c) => out.push(c as u8),
        c => {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
        }
    }
}

/// How many bytes of `text`, whole characters, fit into `room` bytes when written as Q.
fn q_prefix(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (place, c) in text.char_indices() {
        used += if c == ' ' || q_plain(c) { 1 } else { 3 * c.len_utf8() };
        if used > room {
            return place;
        }
    }
    text.len()
}

/// The same for B (base64).
fn b_prefix(text: &str, room: usize) -> usize {
    let bytes = room / 4 * 3;
    if text.len() <= bytes { text.len() } else { text.floor_char_boundary(bytes) }
}
