//! The limits of one connection, and the replies beyond them.

use depesch::smtp::memory::MessageMemory;
use depesch::smtp::session::{Protocol, Session, SessionSettings, Step};
use std::sync::Arc;

use crate::support::smtp::{Dialogue, codes, now, peer, settings};

const ENVELOPE: &str = "MAIL FROM:<a@b.example>\nRCPT TO:<media@lists.example.org>\nDATA\n";

fn limited(change: impl FnOnce(&mut SessionSettings)) -> Dialogue {
    let mut settings = settings();
    change(&mut settings);
    let mut dialogue = Dialogue::with(settings, Protocol::Smtp);
    dialogue.say("EHLO peer.example");
    dialogue
}

/// RFC 5321 §4.5.3.1.8, §4.5.3.1.10.
#[test]
fn a_hundred_recipients_are_taken_and_more_are_for_later() {
    let mut dialogue = Dialogue::greeted();
    dialogue.say("MAIL FROM:<>");
    for number in 0..100 {
        let reply = dialogue.say(&format!("RCPT TO:<list{number}@lists.example.org>"));
        assert_eq!(codes(&reply), ["250 2.1.5"], "recipient {number}");
    }
    for number in 100..300 {
        let reply = dialogue.say(&format!("RCPT TO:<list{number}@lists.example.org>"));
        assert_eq!(codes(&reply), ["452 4.5.3"], "recipient {number}");
    }
    dialogue.say("DATA\nA: b\n\n.");
    assert_eq!(dialogue.messages[0].recipients.len(), 100, "the earlier ones are kept");
}

#[test]
fn trying_recipients_without_end_is_ended() {
    let mut dialogue = Dialogue::greeted();
    dialogue.say("MAIL FROM:<>");
    let replies = dialogue.say(&"RCPT TO:<media@lists.example.org>\n".repeat(1001));
    assert_eq!(codes(&replies).last().unwrap(), "421 4.7.0");
}

/// RFC 1870 §6.1 to §6.3.
#[test]
fn what_is_too_large_is_refused_before_or_at_its_end() {
    let small = |dialogue: &mut Dialogue, lines: &str| codes(&dialogue.say(lines));
    let mut dialogue = limited(|settings| settings.max_message_bytes = 1000);
    // Declared: before DATA.
    assert_eq!(small(&mut dialogue, "MAIL FROM:<> SIZE=1001"), ["552 5.3.4"]);
    assert_eq!(small(&mut dialogue, "MAIL FROM:<> SIZE=99999999999999999999"), ["552 5.3.4"]);
    // Size not declared, or declared falsely: the message is read and discarded, and the connection continues.
    let text = format!("{}\n", "x".repeat(78)).repeat(12);
    let sent = format!("{ENVELOPE}{text}{}\n.", "x".repeat(38));
    assert_eq!(small(&mut dialogue, &sent)[2..], ["354", "250 2.6.0"], "1,000 bytes are not over 1,000");
    assert_eq!(dialogue.content().len(), 1000);
    let sent = format!("{ENVELOPE}{text}{}\n.\nNOOP", "x".repeat(39)).replace("ample>\nRCPT", "ample> SIZE=10\nRCPT");
    assert_eq!(small(&mut dialogue, &sent)[2..], ["354", "552 5.3.4", "250 2.0.0"]);
    // Dots that are stuffing do not count.
    let sent = format!("{ENVELOPE}{text}..{}\n.", "x".repeat(37));
    assert_eq!(small(&mut dialogue, &sent)[2..], ["354", "250 2.6.0"]);
    assert_eq!(dialogue.messages.len(), 2);
    assert_eq!(dialogue.memory.free(), 64 * 1024 * 1024);
}

#[test]
fn a_peer_with_too_many_errors_is_disconnected() {
    let mut dialogue = limited(|settings| settings.max_errors = 3);
    assert_eq!(codes(&dialogue.say("BOO\nBOO")), ["500 5.5.1"; 2]);
    // An accepted message resets the count.
    assert_eq!(codes(&dialogue.say(&format!("{ENVELOPE}A: b\n\n.")))[3], "250 2.6.0");
    assert_eq!(codes(&dialogue.say("BOO\nMAIL FROM:<>\nRCPT TO:<unknown@x>")), ["500 5.5.1", "250 2.1.0", "550 5.1.1"]);
    // This also prevents guessing addresses by the thousand.
    let replies = dialogue.say("RCPT TO:<unknown2@x>\nNOOP\nNOOP");
    assert_eq!(codes(&replies), ["550 5.1.1", "421 4.7.0"]);
    assert!(dialogue.closed);
}

#[test]
fn a_peer_that_never_sends_a_message_is_disconnected() {
    let mut dialogue = limited(|settings| settings.max_commands = 10);
    let replies = dialogue.say(&"NOOP\n".repeat(12));
    assert_eq!(codes(&replies), [vec!["250 2.0.0"; 9], vec!["421 4.7.0"]].concat());
    assert!(dialogue.closed);
}

#[test]
fn a_connection_carries_a_limited_number_of_messages() {
    let mut dialogue = limited(|settings| settings.max_messages = 2);
    let replies = dialogue.say(&format!("{ENVELOPE}A: b\n\n.\n").repeat(3));
    let each = ["250 2.1.0", "250 2.1.5", "354", "250 2.6.0"];
    assert_eq!(codes(&replies), [each.as_slice(), &each, &["421 4.7.0"]].concat());
    assert_eq!(dialogue.messages.len(), 2);
}

/// All sessions together hold no more than the memory that they share, until the ingest has the message.
#[test]
fn all_messages_together_stay_within_their_memory() {
    let memory = MessageMemory::new(50_000);
    let mut sessions: Vec<Session> =
        (0..3).map(|_| Session::new(Arc::new(settings()), memory.clone(), peer(Protocol::Smtp))).collect();
    let envelope = ENVELOPE.replace('\n', "\r\n");
    for session in &mut sessions {
        session.receive(format!("EHLO a\r\n{envelope}{}", "x".repeat(20_000)).as_bytes());
        assert!(matches!(session.step(now()), Step::Recipient(_)));
        session.recipient(&crate::support::smtp::welcome("media@lists.example.org"));
        assert!(matches!(session.step(now()), Step::More));
    }
    assert!(memory.free() < 20_000);
    let [first, second, third] = &mut sessions[..] else { panic!() };
    third.receive(b"\r\n.\r\n");
    assert!(matches!(third.step(now()), Step::More));
    let output = String::from_utf8(third.take_output()).unwrap();
    assert!(output.ends_with("452 4.3.1 too many messages at once; try again later\r\n"), "{output}");
    for session in [&mut *first, &mut *second] {
        session.receive(b"\r\n.\r\n");
        assert!(matches!(session.step(now()), Step::Take(_)));
    }
    assert!(memory.free() < 20_000, "messages on their way in count");
    first.taken(Ok(()));
    second.taken(Ok(()));
    assert_eq!(memory.free(), 50_000);
}
