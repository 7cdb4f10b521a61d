//! Decodes transfer encodings as the parser does, for counting the content of a message inside an encoded part. It
//! never fails: input that the parser would refuse is skipped.

/// Decodes `bytes` up to the first byte that is not base64 (RFC 2045 §6.8).
pub(super) fn from_base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0u8);
    for (at, &byte) in bytes.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                // Two characters of a group hold one byte, three hold two.
                let held = match count {
                    0 => 0,
                    1 | 2 => 1,
                    _ => 2,
                };
                out.extend_from_slice(&(bits << (6 * (4 - count))).to_be_bytes()[1..=held]);
                (bits, count) = (0, 0);
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'-' if !bytes[at + 1..].starts_with(b"-") => continue,
            _ => break,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 1);
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    out
}

/// Decodes all of `bytes` as quoted-printable (RFC 2045 §6.7): invalid codes stay unchanged.
pub(super) fn from_quoted_printable(bytes: &[u8]) -> Vec<u8> {
    enum State {
        Text,
        Sign,
        Digit(u8),
    }
    let hexadecimal = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let (mut state, mut blanks) = (State::Text, 0);
    for &byte in bytes {
        state = match (byte, state) {
            (b'\r', state) => state,
            (b'=', _) => State::Sign,
            (b'\n', State::Sign) => {
                blanks = 0;
                State::Text
            }
            (b'\n', state) => {
                // White space at the end of a line is removed.
                out.truncate(out.len() - blanks);
                out.push(byte);
                blanks = 0;
                state
            }
            (_, State::Text) => {
                blanks = if byte.is_ascii_whitespace() { blanks + 1 } else { 0 };
                out.push(byte);
                State::Text
            }
            (_, State::Sign) if byte.is_ascii_whitespace() => State::Sign,
            (_, State::Sign) if hexadecimal(byte).is_some() => State::Digit(byte),
            (_, State::Sign) => {
                out.extend_from_slice(&[b'=', byte]);
                blanks = 0;
                State::Text
            }
            (_, State::Digit(high)) => {
                match (hexadecimal(high), hexadecimal(byte)) {
                    (Some(high), Some(low)) => out.push(high * 16 + low),
                    _ => out.extend_from_slice(&[b'=', high, byte]),
                }
                blanks = 0;
                State::Text
            }
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_undone() {
        for (encoded, meant) in [
            ("SGVq\r\nIQ==", "Hej!"),
            ("SGVqIGRpZw==", "Hej dig"),
            ("SGU=", "He"),
            ("SGVq--x", "Hej"),
            ("SGVq:SGVq", "Hej"),
        ] {
            assert_eq!(from_base64(encoded.as_bytes()), meant.as_bytes(), "{encoded}");
        }
        for (encoded, meant) in [
            ("a=3Ab", "a:b"),
            ("a=\r\nb", "ab"),
            ("a= \nb", "ab"),
            ("a=zb", "a=zb"),
            ("==3A", ":"),
            ("a \nb", "a\nb"),
            ("a= 3Ab", "a:b"),
        ] {
            assert_eq!(from_quoted_printable(encoded.as_bytes()), meant.as_bytes(), "{encoded}");
        }
    }
}
