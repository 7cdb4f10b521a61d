//! Content transfer encodings (RFC 2045 §6): quoted-printable and base64 with lines of at most 76 bytes.
//!
//! Neither can contain `=_` at the start of a line; the boundaries of [`super::compose`] rely on this.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Maximum bytes of an encoded line (RFC 2045 §6.7 (5), §6.8).
pub(crate) const ENCODED_LINE: usize = 76;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes text as quoted-printable in pieces; all line breaks become CRLF, NUL and other control characters are
/// encoded.
pub(crate) struct QuotedPrintable<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
}

impl<'a> QuotedPrintable<'a> {
    /// Starts at the beginning of a line of `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, column: 0 }
    }

    /// Appends `text`.
    pub(crate) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends text in any charset.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        let mut place = 0;
        while place < bytes.len() {
            // The usual case, a run of plain characters, is copied as a whole.
            let run = plain_run(&bytes[place..], ENCODED_LINE - 1 - self.column.min(ENCODED_LINE - 1));
            if run > 0 && !(self.column == 0 && bytes[place..].starts_with(b"From ")) {
                self.out.extend_from_slice(&bytes[place..place + run]);
                self.column += run;
                place += run;
                continue;
            }
            place += self.push_special(&bytes[place..]);
        }
    }

    /// Appends one byte, or a line break, that cannot simply be copied; returns the number of bytes consumed.
    fn push_special(&mut self, rest: &[u8]) -> usize {
        match rest {
            [b'\r', b'\n', ..] => self.line_break(2),
            [b'\n' | b'\r', ..] => self.line_break(1),
            // RFC 2045 §6.7 (3): blanks before a line break are encoded.
            [blank @ (b' ' | b'\t'), b'\r' | b'\n', ..] => self.escaped(*blank),
            // Mail stores in mbox format would put a `>` before it.
            [b'F', ..] if self.column == 0 && rest.starts_with(b"From ") => self.escaped(b'F'),
            [byte, ..] if is_plain(*byte) || *byte == b' ' || *byte == b'\t' => {
                self.make_room(1);
                self.out.push(*byte);
                self.column += 1;
                1
            }
            [byte, ..] => self.escaped(*byte),
            [] => 0,
        }
    }

    fn line_break(&mut self, taken: usize) -> usize {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
        taken
    }

    fn escaped(&mut self, byte: u8) -> usize {
        self.make_room(3);
        self.out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        self.column += 3;
        1
    }

    fn make_room(&mut self, bytes: usize) {
        if self.column + bytes > ENCODED_LINE - 1 {
            self.soft_break();
        }
    }

    fn soft_break(&mut self) {
        self.out.extend_from_slice(b"=\r\n");
        self.column = 0;
    }

    /// Appends an already encoded piece: it must have begun at the start of a line and been ended by
    /// [`QuotedPrintable::end_piece`].
    pub(crate) fn push_encoded(&mut self, piece: &[u8]) {
        self.end_piece();
        self.out.extend_from_slice(piece);
    }

    /// Ends the line without adding to the text, so that the next piece may begin there.
    pub(crate) fn end_piece(&mut self) {
        if self.column > 0 {
            self.soft_break();
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'='
}

/// Number of bytes that may be copied unchanged: plain ones, and blanks followed by a plain one.
fn plain_run(bytes: &[u8], room: usize) -> usize {
    let end = bytes.iter().take(room).position(|o| !is_plain(*o) && *o != b' ').unwrap_or(bytes.len().min(room));
    let run = &bytes[..end];
    run.len() - run.iter().rev().take_while(|o| **o == b' ').count()
}

/// Encodes `text` as one quoted-printable piece that ends at the start of a line.
pub(crate) fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 16);
    let mut writer = QuotedPrintable::new(&mut out);
    writer.push(text);
    writer.end_piece();
    out
}

/// Appends `bytes` as base64 lines, each ended with CRLF.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() * 4 / 3 + bytes.len() / 28 + 4);
    let mut encoded = String::with_capacity(ENCODED_LINE);
    for line in bytes.chunks(ENCODED_LINE / 4 * 3) {
        encoded.clear();
        STANDARD.encode_string(line, &mut encoded);
        out.extend_from_slice(encoded.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
