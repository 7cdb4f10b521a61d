//! For any bytes in any pieces: the same replies, no panic, and no message that was not sent completely.

use depesch::smtp::session::{Protocol, SessionSettings};
use proptest::prelude::*;

use crate::support::smtp::{Dialogue, settings};

/// Valid and invalid fragments from which dialogues are built.
const WORDS: &[&[u8]] = &[
    b"EHLO a.example\r\n",
    b"LHLO a.example\r\n",
    b"HELO a\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a@b.example> SIZE=10 SMTPUTF8\r\n",
    b"RCPT TO:<media@lists.example.org>\r\n",
    b"RCPT TO:<Postmaster>\r\n",
    b"RCPT TO:<unknown@lists.example.org>\r\n",
    b"RCPT TO:<\"a\\\"b>\"@c>\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"STARTTLS\r\n",
    b"QUIT\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"Subject: a\r\n\r\ntext\r\n",
    b"..",
    b".",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xc3\xa5",
    &[b'x'; 700],
    &[b'y'; 3000],
];

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Smtp), Just(Protocol::Lmtp)]
}

/// Mostly valid dialogues with invalid parts.
fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => prop::sample::select(WORDS).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::sample::select(vec![
            b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<media@lists.example.org>\r\nDATA\r\n".to_vec(),
            b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<media@lists.example.org>\r\nDATA\r\n".to_vec(),
        ]),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// All replies and all messages, and whether it ended.
fn outcome(protocol: Protocol, pieces: &[&[u8]]) -> (String, Vec<(Vec<String>, Vec<u8>)>, bool) {
    let small = SessionSettings { max_message_bytes: 4000, max_errors: 8, ..settings() };
    let mut dialogue = Dialogue::with(small, protocol);
    let replies = [&b""[..]].iter().chain(pieces).map(|piece| dialogue.send(piece)).collect();
    let messages = std::mem::take(&mut dialogue.messages);
    let free = dialogue.memory.free();
    let (closed, handshake) = (dialogue.closed, dialogue.handshake);
    drop(dialogue.session);
    assert!(free <= dialogue.memory.free() && dialogue.memory.free() == 64 * 1024 * 1024, "memory is not given back");
    (replies, messages.into_iter().map(|m| (m.recipients, m.bytes)).collect(), closed || handshake)
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    /// RFC 2920: how the bytes are cut into packets changes nothing.
    #[test]
    fn pieces_do_not_matter(
        protocol in protocol(),
        bytes in dialogue(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = outcome(protocol, &[&bytes]);
        prop_assert_eq!(&outcome(protocol, &cut(&bytes, &cuts)), &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&outcome(protocol, &single), &whole);
    }

    #[test]
    fn any_bytes_are_handled(protocol in protocol(), bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (replies, messages, _) = outcome(protocol, &[&bytes]);
        prop_assert!(messages.is_empty());
        prop_assert!(replies.starts_with("220 "));
    }

    /// Replies are lines of printable ASCII with a code, whatever the peer said.
    #[test]
    fn replies_are_well_formed(protocol in protocol(), bytes in dialogue()) {
        let (replies, _, _) = outcome(protocol, &[&bytes]);
        prop_assert!(replies.ends_with("\r\n"));
        for line in replies.split("\r\n").filter(|line| !line.is_empty()) {
            prop_assert!(line.len() <= 510 && line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{:?}", line);
            prop_assert!(line[..3].parse::<u16>().is_ok() && matches!(&line[3..4], " " | "-"), "{:?}", line);
        }
    }

    /// A message is accepted at its CRLF.CRLF and not a byte earlier, with exactly the bytes that were sent.
    #[test]
    fn a_message_is_taken_whole_or_not_at_all(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let clean = |line: Vec<u8>| line.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect::<Vec<u8>>();
        let mut meant = b"A: b\r\n".to_vec();
        let mut sent = meant.clone();
        for line in lines.into_iter().map(clean) {
            if line.starts_with(b".") {
                sent.push(b'.');
            }
            sent.extend([&line[..], b"\r\n"].concat());
            meant.extend([&line[..], b"\r\n"].concat());
        }
        sent.extend(b".\r\n");
        let mut dialogue = Dialogue::greeted();
        dialogue.say("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA");
        let (last, rest) = sent.split_last().unwrap();
        for piece in cut(rest, &cuts) {
            prop_assert_eq!(dialogue.send(piece), "");
            prop_assert!(dialogue.messages.is_empty());
        }
        dialogue.send(&[*last]);
        prop_assert_eq!(dialogue.content(), meant);
    }
}
