//! The content after DATA: finds its end, removes dot-stuffing, and checks size and line ends (RFC 5321 §2.3.8,
//! §4.1.1.4, §4.5.2). Accepts input in pieces of any size.

use std::net::IpAddr;
use std::sync::Arc;

use super::memory::{GivenUp, MessageMemory, Share};

/// Initial capacity for a message, in bytes: most slow clients never need more.
const FIRST_CAPACITY: usize = 2048;

/// Why content is refused, whatever follows. It is still consumed to its end, so that no part of it is read as a
/// command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A CR without LF or an LF without CR (RFC 5321 §2.3.8): another server may find the message's end there.
    BareLineEnd,
    /// Larger than allowed.
    TooLarge,
    /// All messages being received together use the maximum memory, or this one's memory was given to a peer that
    /// uses less.
    NoMemory,
}

/// The position of the next byte in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Dot,
    DotReturn,
    Text,
    Return,
}

/// The content of one message while it is being received.
#[derive(Debug)]
pub(crate) struct Content {
    at: At,
    bytes: Vec<u8>,
    share: Share,
    prefix: usize,
    max_bytes: usize,
    fault: Option<Fault>,
}

impl Content {
    /// Starts with `prefix`, our own fields, followed by at most `max_bytes` bytes from the peer. Its memory is
    /// charged to the machine `peer`, if known.
    pub(crate) fn new(prefix: &[u8], max_bytes: usize, memory: Arc<MessageMemory>, peer: Option<IpAddr>) -> Self {
        let (bytes, share) = (Vec::new(), Share::of(memory, peer));
        let mut content = Self { at: At::LineStart, bytes, share, prefix: prefix.len(), max_bytes, fault: None };
        content.push(prefix);
        content
    }

    /// Consumes from the front of `input`; returns the number of bytes used, and whether they include the end.
    pub(crate) fn take(&mut self, input: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match (self.at, byte) {
                (At::LineStart, b'.') => self.step(&mut used, At::Dot),
                (At::Dot, b'\r') => self.step(&mut used, At::DotReturn),
                (At::DotReturn, b'\n') => return (used + 1, true),
                (At::DotReturn, _) => {
                    self.fail(Fault::BareLineEnd);
                    self.at = At::Text;
                }
                // The dot was stuffing.
                (At::LineStart | At::Dot, _) => self.at = At::Text,
                (At::Return, b'\n') => {
                    self.push(b"\r\n");
                    self.step(&mut used, At::LineStart);
                }
                (At::Return, _) => {
                    self.fail(Fault::BareLineEnd);
                    self.at = At::Text;
                }
                (At::Text, b'\n') => {
                    self.fail(Fault::BareLineEnd);
                    used += 1;
                }
                (At::Text, b'\r') => self.step(&mut used, At::Return),
                (At::Text, _) => {
                    let rest = &input[used..];
                    let length = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.push(&rest[..length]);
                    used += length;
                }
            }
        }
        (used, false)
    }

    fn step(&mut self, used: &mut usize, to: At) {
        *used += 1;
        self.at = to;
    }

    /// Records the first fault; from then on nothing is stored.
    fn fail(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.bytes = Vec::new();
            self.share.release();
        }
    }

    fn push(&mut self, piece: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let length = self.bytes.len() + piece.len();
        let most = self.prefix.saturating_add(self.max_bytes);
        if length > most {
            return self.fail(Fault::TooLarge);
        }
        if !self.share.grow_to(length) {
            return self.fail(Fault::NoMemory);
        }
        if length > self.bytes.capacity() {
            // Capacity that was reserved but not written to uses no memory yet.
            let ample = length.max(self.bytes.capacity().saturating_mul(2)).max(FIRST_CAPACITY).min(most);
            self.bytes.reserve_exact(ample - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The whole message, our fields first, with its share of the memory.
    ///
    /// # Errors
    /// [`Fault`].
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, Share), Fault> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.share.keep() => Ok((self.bytes, self.share)),
            None => Err(Fault::NoMemory),
        }
    }

    /// Marks whether it arrives slowly: slow messages lose their memory first when it is short.
    pub(crate) fn set_slow(&mut self, is_slow: bool) {
        self.share.set_slow(is_slow);
    }

    /// A signal that its memory was given to another message; [`Content::let_go`] then frees it.
    pub(crate) fn given_up(&self) -> Arc<GivenUp> {
        self.share.given_up()
    }

    /// Frees the memory, if it was given to another message.
    pub(crate) fn let_go(&mut self) {
        if self.fault.is_none() && self.share.is_given_up() {
            self.fail(Fault::NoMemory);
        }
    }

    /// What the peer has sent so far.
    pub(crate) fn theirs(&self) -> &[u8] {
        self.bytes.get(self.prefix..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(pieces: &[&[u8]]) -> (Result<Vec<u8>, Fault>, bool) {
        let mut content = Content::new(b"", 1000, MessageMemory::new(10_000), None);
        let mut done = false;
        for piece in pieces {
            assert!(!done, "there is more after the end");
            let (used, end) = content.take(piece);
            assert!(end || used == piece.len());
            done = end;
        }
        (content.finish().map(|(bytes, _)| bytes), done)
    }

    fn whole(text: &[u8]) -> (Result<Vec<u8>, Fault>, bool) {
        let at_once = received(&[text]);
        let one_by_one: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(received(&one_by_one), at_once);
        at_once
    }

    #[test]
    fn dots_are_unstuffed_to_the_byte() {
        for (sent, meant) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"...a\r\n.\r\n", b"..a\r\n"),
            (b".a.\r\n.\r\n", b"a.\r\n"),
            (b"a.\r\n..\r\nb .\r\n.\r\n", b"a.\r\n.\r\nb .\r\n"),
            (b"\r\n\0\xff\r\n.\r\n", b"\r\n\0\xff\r\n"),
        ] {
            assert_eq!(whole(sent), (Ok(meant.to_vec()), true), "{sent:?}");
        }
    }

    #[test]
    fn bare_line_ends_spoil_it_and_end_nothing() {
        for sent in [
            &b"a\n.\n"[..],
            b"a\n.\r\n",
            b"a\r\n.\n",
            b"a\r.\r",
            b"a\r\n.\r",
            b"a\r.\r\n",
            b"\n.\n",
            b".\n",
            b".\r\r",
            b"a\r\n.\r\r",
            b"\r\r\n..\n",
        ] {
            assert!(!whole(sent).1, "{sent:?} ended");
            let closed = [sent, b"\r\n.\r\n"].concat();
            assert_eq!(whole(&closed), (Err(Fault::BareLineEnd), true), "{sent:?}");
        }
    }

    #[test]
    fn too_much_is_let_go_and_still_consumed() {
        let text = [&[b'a'; 1001][..], b"\r\n.\r\n"].concat();
        assert_eq!(whole(&text), (Err(Fault::TooLarge), true));
        let memory = MessageMemory::new(4500);
        let mut content = Content::new(b"", 10_000, memory.clone(), None);
        assert_eq!(content.take(&[b'a'; 2500]), (2500, false));
        assert_eq!(memory.free(), 4500 - 4096);
        assert_eq!(content.take(&[b'a'; 2500]), (2500, false));
        assert_eq!(memory.free(), 4500);
        assert_eq!(content.finish().err(), Some(Fault::NoMemory));
    }
}
