//! The content of a message on its way to the wire: with dot-stuffing and the final dot (RFC 5321 §4.5.2). Produced
//! in blocks, so that a connection never holds a copy of the whole message.

use memchr::memmem;

use super::Pieces;

/// Bytes of the message written at once.
const BLOCK: usize = 64 * 1024;

/// The progress through the content.
pub(super) struct Stuffing<'a> {
    rest: Pieces<'a>,
    /// The last two bytes written, before any added dot; the message's beginning counts as the beginning of a line.
    tail: [u8; 2],
    is_over: bool,
}

impl<'a> Stuffing<'a> {
    pub(super) fn new(message: Pieces<'a>) -> Self {
        Self { rest: message, tail: *b"\r\n", is_over: false }
    }

    /// Whether everything is written, including the final dot.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Writes the next block; the final dot is part of the last one, because otherwise it would take a packet of its
    /// own.
    pub(super) fn fill(&mut self, output: &mut Vec<u8>) {
        self.fill_up_to(output, BLOCK);
    }

    fn fill_up_to(&mut self, output: &mut Vec<u8>, block: usize) {
        let mut left = block;
        for number in 0..self.rest.len() {
            let (piece, after) = self.rest[number].split_at(self.rest[number].len().min(left));
            self.rest[number] = after;
            left -= piece.len();
            self.put(output, piece);
        }
        if self.rest.iter().all(|rest| rest.is_empty()) {
            if self.tail != *b"\r\n" {
                output.extend_from_slice(b"\r\n");
            }
            output.extend_from_slice(b".\r\n");
            self.is_over = true;
        }
    }

    fn put(&mut self, output: &mut Vec<u8>, piece: &[u8]) {
        let mut from = 0;
        if self.tail == *b"\r\n" && piece.starts_with(b".") {
            output.push(b'.');
        } else if self.tail[1] == b'\r' && piece.starts_with(b"\n.") {
            output.extend_from_slice(b"\n.");
            from = 1;
        }
        for at in memmem::find_iter(piece, b"\r\n.") {
            output.extend_from_slice(&piece[from..at + 3]);
            output.push(b'.');
            from = at + 3;
        }
        output.extend_from_slice(&piece[from..]);
        self.tail = match piece {
            [.., before, last] => [*before, *last],
            [last] => [self.tail[1], *last],
            [] => self.tail,
        };
    }
}

/// Only CRLF ends a line (RFC 5321 §2.3.8); a lone CR or LF allows SMTP smuggling.
pub(super) fn has_bare_line_ends([beginning, end]: Pieces<'_>) -> bool {
    let is_bare = |piece: &[u8], before: Option<&u8>, after: Option<&u8>| {
        memchr::memchr2_iter(b'\r', b'\n', piece).any(|at| match piece[at] {
            b'\r' => piece.get(at + 1).or(after) != Some(&b'\n'),
            _ => at.checked_sub(1).map_or(before, |at| piece.get(at)) != Some(&b'\r'),
        })
    };
    is_bare(beginning, None, end.first()) || is_bare(end, beginning.last(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(pieces: Pieces<'_>, block: usize) -> Vec<u8> {
        let (mut output, mut stuffing) = (Vec::new(), Stuffing::new(pieces));
        while !stuffing.is_over() {
            let before = output.len();
            stuffing.fill_up_to(&mut output, block);
            assert!(output.len() - before <= 2 * block + 5, "never more than a block and its dots is held");
        }
        output
    }

    #[test]
    fn stuffs_dots_where_lines_begin_wherever_the_message_is_cut() {
        let check = |message: &[u8], expected: &[u8]| {
            for cut in 0..=message.len() {
                for block in [1, 2, 3, 100] {
                    let (beginning, end) = message.split_at(cut);
                    let output = stuffed([beginning, end], block);
                    assert_eq!(String::from_utf8_lossy(&output), String::from_utf8_lossy(expected), "{cut}, {block}");
                }
            }
        };
        check(b"a\r\n", b"a\r\n.\r\n");
        check(b"a", b"a\r\n.\r\n");
        check(b"", b".\r\n");
        check(b".\r\n.\r\n..a\r\nb.\r\n", b"..\r\n..\r\n...a\r\nb.\r\n.\r\n");
        check(b"\r\n.\r\n\r\n..\r\n", b"\r\n..\r\n\r\n...\r\n.\r\n");
    }

    #[test]
    fn what_fits_into_a_block_goes_out_at_once_with_its_end() {
        for pieces in [[b"a\r\n".as_slice(), b"b\r\n"], [b"a", b""], [b"", b""]] {
            let (mut output, mut stuffing) = (Vec::new(), Stuffing::new(pieces));
            stuffing.fill(&mut output);
            assert!(stuffing.is_over() && output.ends_with(b".\r\n"), "{output:?}");
        }
    }

    #[test]
    fn finds_bare_line_ends_also_where_the_pieces_meet() {
        let check = |message: &[u8], expected: bool| {
            for cut in 0..=message.len() {
                let (beginning, end) = message.split_at(cut);
                assert_eq!(has_bare_line_ends([beginning, end]), expected, "{message:?} cut at {cut}");
            }
        };
        check(b"a\r\nb\r\n", false);
        check(b"", false);
        for bare in [b"a\rb\r\n".as_slice(), b"a\nb\r\n", b"\n", b"a\r", b"\r\r\n", b"\r\n\n"] {
            check(bare, true);
        }
    }
}
