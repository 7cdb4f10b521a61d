//! Signed tokens and keyed hashes, all from the one secret of the installation.
//!
//! A token says *who* and *for what*, and cannot be made or changed without the key. It is lower-case base 32, so
//! that it survives mail systems that change the case of a local part.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::address::Address;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Bytes of HMAC-SHA-256 in a token: 80 bits.
const TAG_BYTES: usize = 10;

/// The purpose of a token; for any other it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Ends a subscription (RFC 8058, RFC 2369).
    Unsubscribe,
    /// In the envelope sender of a delivery (VERP).
    Bounce,
    /// Confirms a subscription.
    Confirm,
    /// Decides on a held post.
    Decide,
    /// Makes an unguessable Message-ID.
    MessageId,
    /// In the envelope sender of a notice, so that a bounce is matched to it.
    Notice,
    /// In the links and the Message-ID of a test mail or a preview: valid for nothing, so that using them changes nothing.
    Test,
    /// In the address for one reader's answer to an invitation.
    Rsvp,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Unsubscribe => b"unsubscribe",
            Purpose::Bounce => b"bounce",
            Purpose::Confirm => b"confirm",
            Purpose::Decide => b"decide",
            Purpose::MessageId => b"message-id",
            Purpose::Notice => b"notice",
            Purpose::Test => b"test",
            Purpose::Rsvp => b"rsvp",
        }
    }
}

/// The secret of the installation: signs tokens and hashes suppressed addresses.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; 32],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(\u{2026})")
    }
}

impl Key {
    /// Creates a key from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { bytes }
    }

    fn tag(&self, label: &[u8], payload: &[u8]) -> [u8; 32] {
        // HMAC accepts keys of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else { return [0; 32] };
        mac.update(&[label.len() as u8]);
        mac.update(label);
        mac.update(payload);
        mac.finalize().into_bytes().into()
    }

    /// Signs `numbers` for `purpose`.
    pub fn sign(&self, purpose: Purpose, numbers: &[u64]) -> String {
        let mut payload = Vec::with_capacity(numbers.len() * 4 + TAG_BYTES);
        numbers.iter().for_each(|n| push_number(&mut payload, *n));
        let tag = self.tag(purpose.label(), &payload);
        payload.extend_from_slice(&tag[..TAG_BYTES]);
        to_base32(&payload)
    }

    /// The signed numbers, or `None` for a token that this key did not sign for `purpose`.
    pub fn verify(&self, purpose: Purpose, token: &str) -> Option<Vec<u64>> {
        let bytes = from_base32(token)?;
        let (payload, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let right = self.tag(purpose.label(), payload);
        // Compared without an early exit, so that timing reveals nothing.
        let difference = tag.iter().zip(&right).fold(0, |all, (a, b)| all | (a ^ b));
        if difference != 0 {
            return None;
        }
        read_numbers(payload)
    }

    /// A mark that only this installation can make, 64 bits in hexadecimal: in a header it shows that a message was
    /// here before, without revealing where that is.
    pub(crate) fn mark(&self, of: &str) -> String {
        to_hex(&self.tag(b"mark", of.as_bytes())[..8])
    }

    /// A keyed hash of `of`, e.g. for counting what must not be stored as text.
    pub(crate) fn hash(&self, of: &str) -> [u8; 32] {
        self.tag(b"hash", of.as_bytes())
    }

    /// Identifies a suppressed address after its owner was erased ([`Address::stored_key`]).
    pub fn hash_address(&self, address: &Address) -> [u8; 32] {
        self.tag(b"address", address.stored_key().as_bytes())
    }
}

/// SHA-256 of `bytes`: identifies attachments and wordings by their content.
pub fn content_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Formats bytes in lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|o| format!("{o:02x}")).collect()
}

/// LEB128: seven bits per byte, the lowest first.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_numbers(payload: &[u8]) -> Option<Vec<u64>> {
    let (mut numbers, mut number, mut shift) = (Vec::new(), 0u64, 0u32);
    for byte in payload {
        if shift > 63 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(numbers)
}

// RFC 4648 §6, lower case, without padding.
fn to_base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|a| *a == c.to_ascii_lowercase())? as u32;
        held = held << 5 | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // A second spelling of the same token is refused: the remaining bits must be zero.
    (bits < 5 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_was_signed_also_in_upper_case() {
        let key = Key::new([7; 32]);
        let token = key.sign(Purpose::Unsubscribe, &[1, 300, u64::MAX]);
        assert_eq!(key.verify(Purpose::Unsubscribe, &token), Some(vec![1, 300, u64::MAX]));
        assert_eq!(key.verify(Purpose::Unsubscribe, &token.to_uppercase()), Some(vec![1, 300, u64::MAX]));
    }

    #[test]
    fn a_token_is_void_for_another_purpose_key_or_text() {
        let key = Key::new([7; 32]);
        let token = key.sign(Purpose::Unsubscribe, &[1]);
        assert_eq!(key.verify(Purpose::Bounce, &token), None);
        assert_eq!(Key::new([8; 32]).verify(Purpose::Unsubscribe, &token), None);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'a' { b'b' } else { b'a' };
            assert_eq!(key.verify(Purpose::Unsubscribe, &String::from_utf8(changed).unwrap()), None);
        }
        assert_eq!(key.verify(Purpose::Unsubscribe, ""), None);
    }
}
