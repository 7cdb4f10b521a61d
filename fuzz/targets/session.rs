//! The SMTP and LMTP session: any bytes in any pieces give the same replies, well-formed, and no message but a whole one.
#![no_main]

use std::sync::Arc;

use depesch::base::clock::Timestamp;
use depesch::inbound::recipients::Recipient;
use depesch::smtp::memory::MessageMemory;
use depesch::smtp::session::{Peer, Protocol, Session, SessionSettings, Step};
// Counts stores.
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

const MEMORY: usize = 1 << 20;

/// What came of a dialogue.
#[derive(Default, PartialEq, Debug)]
struct Outcome {
    replies: Vec<u8>,
    messages: Vec<(Option<String>, Vec<String>, Vec<u8>)>,
}

fn converse(protocol: Protocol, pieces: &[&[u8]]) -> Outcome {
    let settings =
        SessionSettings { max_message_bytes: 20_000, max_errors: 20, max_commands: 60, ..SessionSettings::default() };
    let memory = MessageMemory::new(MEMORY);
    let peer = Peer { protocol, address: None, offers_tls: true, id: "f".to_owned() };
    let mut session = Session::new(Arc::new(settings), memory.clone(), peer);
    let mut outcome = Outcome { replies: session.take_output(), ..Outcome::default() };
    'pieces: for piece in pieces {
        session.receive(piece);
        loop {
            match session.step(Timestamp::UNIX_EPOCH) {
                Step::More => break,
                Step::Recipient(address) => session.recipient(&judge(&address)),
                Step::Take(message) => {
                    session.taken(Ok(()));
                    outcome.messages.push((message.arrival.sender, message.recipients, message.bytes));
                }
                // The rest would be inside TLS.
                Step::StartTls | Step::Close => break 'pieces,
            }
        }
        outcome.replies.extend(session.take_output());
    }
    outcome.replies.extend(session.take_output());
    drop(session);
    assert_eq!(memory.free(), MEMORY, "memory is not given back");
    outcome
}

fn judge(address: &str) -> Recipient {
    match address.len() % 5 {
        0 => Recipient::Unknown,
        1 => Recipient::Foreign,
        2 => Recipient::Later("not now".to_owned()),
        _ => Recipient::Welcome,
    }
}

fn check(outcome: &Outcome) {
    let replies = std::str::from_utf8(&outcome.replies).unwrap();
    assert!(replies.ends_with("\r\n"));
    for line in replies.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(line.len() < 510 && line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
        assert!(line[..3].parse::<u16>().is_ok() && matches!(&line[3..4], " " | "-"), "{line:?}");
    }
    for (_, recipients, bytes) in &outcome.messages {
        assert!(!recipients.is_empty());
        assert!(bytes.starts_with(b"Received: from "));
        assert!(bytes.ends_with(b"\r\n"));
        let bare = |at: usize| match bytes[at] {
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || bytes[at - 1] != b'\r',
            _ => false,
        };
        assert!(!(0..bytes.len()).any(bare), "a bare CR or LF got through");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let protocol = if first & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
    let whole = converse(protocol, &[bytes]);
    check(&whole);
    let pieces: Vec<&[u8]> = bytes.chunks(1 + usize::from(first >> 1)).collect();
    assert_eq!(converse(protocol, &pieces), whole, "pieces matter");
});
