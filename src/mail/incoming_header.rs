//! Header fields of an incoming message as values.

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, HeaderValue, Message};

use super::decoding::{canonical, unfolded_text};
use super::incoming_limits::MAX_SEPARATORS;

/// Maximum bytes kept of one header field: its decoded form may be longer than what may be read of it.
const MAX_HEADER: usize = 64 * 1024;
/// Maximum number of addresses or ids in one header field: no field within the limits has more.
const MAX_IN_FIELD: usize = MAX_SEPARATORS + 1;

/// One header field, in the message's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The field's name as written.
    pub name: String,
    /// The value: unfolded, encoded words decoded (RFC 2047), no control characters.
    pub value: String,
    /// The raw value, folded and encoded; invalid UTF-8 is replaced.
    pub raw: String,
    pub(super) correspondents: Vec<Correspondent>,
    pub(super) ids: Vec<String>,
}

/// A mailbox in an address field (RFC 5322 §3.4), as written by the sender: not validated as an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondent {
    /// The display name, decoded; empty if absent.
    pub name: String,
    /// The address, without angle brackets.
    pub address: String,
}

pub(super) fn headers_of(message: &Message<'_>) -> Vec<Header> {
    let raw_message = message.raw_message.as_ref();
    let headers = message.parts.first().map(|part| part.headers.as_slice()).unwrap_or_default();
    // RFC 5322 §3.6.8; the parser also takes other lines with a colon for fields, such as an mbox's first line.
    let named = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    let headers = headers.iter().filter(|header| named(header.name.as_str()));
    headers
        .map(|header| {
            let range = header.offset_start as usize..header.offset_end as usize;
            let bytes = raw_message.get(range).unwrap_or_default();
            let bytes = &bytes[..bytes.len().min(MAX_HEADER)];
            // Parsed again where the parser's reading loses something.
            let canonical = canonical(bytes);
            let raw = String::from_utf8_lossy(bytes).trim().to_owned();
            let mut field = Header { name: header.name.as_str().to_owned(), raw, ..Header::default() };
            match &header.value {
                HeaderValue::Address(all) => {
                    field.correspondents = correspondents(all.iter());
                    if let Some(canonical) = &canonical
                        && let HeaderValue::Address(all) = MessageStream::new(canonical).parse_address()
                    {
                        take_names(&mut field.correspondents, correspondents(all.iter()));
                    }
                    field.value = safe(&field.raw);
                }
                HeaderValue::Text(text) => {
                    field.value = match canonical {
                        Some(_) => safe(&unfolded_text(bytes)),
                        None => safe(&text[..text.floor_char_boundary(MAX_HEADER)]),
                    };
                    if is_id(&field.name) {
                        field.ids.push(field.value.clone());
                        field.value = safe(&field.raw);
                    }
                }
                HeaderValue::TextList(list) => {
                    field.ids = list.iter().take(MAX_IN_FIELD).map(|id| safe(id)).collect();
                    field.value = safe(&field.raw);
                }
                _ => field.value = safe(&field.raw),
            }
            field
        })
        .collect()
}

fn correspondents<'x>(all: impl Iterator<Item = &'x Addr<'x>>) -> Vec<Correspondent> {
    let all = all.take(MAX_IN_FIELD).filter_map(|one| {
        let name = safe(one.name.as_deref().unwrap_or_default());
        let address = safe(one.address.as_deref().unwrap_or_default());
        (!name.is_empty() || !address.is_empty()).then_some(Correspondent { name, address })
    });
    all.collect()
}

/// Takes the names from a second reading if it finds the same addresses: the addresses must never depend on how a
/// name is decoded.
fn take_names(first: &mut [Correspondent], second: Vec<Correspondent>) {
    let addresses = |all: &[Correspondent]| all.iter().map(|one| one.address.clone()).collect::<Vec<_>>();
    if addresses(first) == addresses(&second) {
        first.iter_mut().zip(second).for_each(|(one, read)| one.name = read.name);
    }
}

fn is_id(name: &str) -> bool {
    ["Message-ID", "In-Reply-To", "References", "Resent-Message-ID"].iter().any(|id| name.eq_ignore_ascii_case(id))
}

/// Foreign text on one line: control characters become spaces, and spaces at the ends are removed.
pub(super) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(character),
        }
    }
    out.trim().to_owned()
}
