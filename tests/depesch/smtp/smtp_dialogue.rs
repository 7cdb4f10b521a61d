//! The SMTP dialogue: extensions, replies, their order and codes. Without sockets.

use depesch::inbound::recipients::Refusal;
use depesch::model::inbound::Via;
use depesch::smtp::session::{Dismissal, MAX_COMMAND, Protocol, SessionSettings};

use crate::support::smtp::{Dialogue, codes, now, settings};

/// The codes that `lines` get after EHLO.
fn check(lines: &str, expected: &[&str]) {
    let mut dialogue = Dialogue::greeted();
    assert_eq!(codes(&dialogue.say(lines)), expected, "{lines}");
}

#[test]
fn a_message_is_taken_with_its_envelope() {
    let mut dialogue = Dialogue::smtp();
    assert_eq!(dialogue.send(b""), "220 mx.example.org ESMTP Depesch\r\n");
    dialogue.say("EHLO mail.example.com");
    let replies = dialogue.say(
        "MAIL FROM:<Karin.Ek@Example.com> SIZE=40 BODY=8BITMIME\nRCPT TO:<Media@lists.example.org>\n\
         RCPT TO:<Media@lists.example.org>\nRCPT TO:<members@lists.example.org>\nDATA",
    );
    assert_eq!(codes(&replies), ["250 2.1.0", "250 2.1.5", "250 2.1.5", "250 2.1.5", "354"]);
    assert_eq!(codes(&dialogue.say("Subject: Invented\n\nGood morning.\n.\nQUIT")), ["250 2.6.0", "221 2.0.0"]);
    assert!(dialogue.closed);
    let message = &dialogue.messages[0];
    // RFC 5321 §2.4: local parts keep their case.
    assert_eq!(message.arrival.sender.as_deref(), Some("Karin.Ek@Example.com"));
    // Once to each recipient, although one was named twice.
    assert_eq!(message.recipients, ["Media@lists.example.org", "members@lists.example.org"]);
    assert_eq!(message.arrival.via, Via::Smtp);
    assert_eq!(message.arrival.helo, "mail.example.com");
    assert_eq!((message.arrival.at, message.arrival.encrypted), (now(), false));
    // RFC 5321 §4.4: our Received field is first, and nothing else is added.
    assert_eq!(
        String::from_utf8_lossy(&message.bytes),
        "Received: from mail.example.com ([192.0.2.25])\r\n\tby mx.example.org with ESMTP id c1-1;\r\n\
         \tMon, 2 Nov 2026 08:05:09 +0000\r\nSubject: Invented\r\n\r\nGood morning.\r\n"
    );
}

#[test]
fn ehlo_offers_what_is_there_and_helo_nothing() {
    let mut dialogue = Dialogue::smtp();
    dialogue.send(b"");
    assert_eq!(
        dialogue.say("EHLO peer.example"),
        "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 20971520\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
         250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"
    );
    assert_eq!(dialogue.say("HELO peer.example"), "250 mx.example.org\r\n");
    // RFC 6152 §3: 8BITMIME is accepted only if it was offered, like all parameters.
    assert_eq!(codes(&dialogue.say("MAIL FROM:<a@b.example> BODY=8BITMIME")), ["555 5.5.4"]);
    assert_eq!(codes(&dialogue.say("MAIL FROM:<a@b.example>")), ["250 2.1.0"]);
}

#[test]
fn commands_out_of_order_are_refused() {
    let mut dialogue = Dialogue::smtp();
    dialogue.send(b"");
    let replies = dialogue.say("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA");
    assert_eq!(codes(&replies), ["503 5.5.1", "503 5.5.1", "503 5.5.1"]);
    check("MAIL FROM:<>\nMAIL FROM:<>", &["250 2.1.0", "503 5.5.1"]);
    check("MAIL FROM:<>\nDATA", &["250 2.1.0", "554 5.5.1"]);
    check(
        "MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nRSET\nDATA",
        &["250 2.1.0", "250 2.1.5", "250 2.0.0", "503 5.5.1"],
    );
    // RFC 5321 §4.1.4: EHLO resets too.
    check("MAIL FROM:<>\nEHLO again.example\nRCPT TO:<media@lists.example.org>", &["250 2.1.0", "250", "503 5.5.1"]);
}

#[test]
fn small_commands_are_answered() {
    check(
        "NOOP\nNOOP something\nVRFY media\nHELP\nHELP mail\nRSET",
        &["250 2.0.0", "250 2.0.0", "252 2.0.0", "214 2.0.0", "214 2.0.0", "250 2.0.0"],
    );
    check("VRFY\nRSET now\nEHLO", &["501 5.5.4", "501 5.5.4", "501 5.5.4"]);
    check("EXPN media\nETRN x\nAUTH PLAIN\nTURN", &["502 5.5.1"; 4]);
    check("GET / HTTP/1.1\nHELLO\n\n  ", &["500 5.5.1"; 4]);
    // RFC 3030: CHUNKING is not offered, so BDAT is an unknown command.
    check("BDAT 4 LAST", &["502 5.5.1"]);
    check("LHLO peer.example", &["500 5.5.1"]);
}

/// RFC 5321 §4.5.1, §2.4.
#[test]
fn postmaster_is_accepted_without_a_domain_in_any_case() {
    let mut dialogue = Dialogue::greeted();
    let replies = dialogue.say("MAIL FROM:<>\nRCPT TO:<postmaster>\nRCPT TO:<PostMASTER>\nDATA\nA: b\n\n.");
    assert_eq!(codes(&replies), ["250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "250 2.6.0"]);
    assert_eq!(dialogue.asked, ["postmaster", "postmaster"]);
    assert_eq!(dialogue.messages[0].recipients, ["postmaster"]);
    // RFC 5321 §4.5.5: the null reverse-path.
    assert_eq!(dialogue.messages[0].arrival.sender, None);
    // `<postmaster>` is not a valid sender, and never the null sender.
    check("MAIL FROM:<postmaster>", &["501 5.1.7"]);
}

/// RFC 5321 §3.6.2, RFC 2034: each recipient gets its own reply, and mail is never relayed.
#[test]
fn recipients_are_decided_one_by_one() {
    let mut dialogue = Dialogue::greeted();
    let replies = dialogue.say(
        "MAIL FROM:<a@b.example>\nRCPT TO:<media@lists.example.org>\nRCPT TO:<unknown@lists.example.org>\n\
         RCPT TO:<forged@lists.example.org>\nRCPT TO:<karin@elsewhere.example>\nRCPT TO:<later@lists.example.org>\n\
         RCPT TO:<>\nRCPT TO:<@relay.example:media2@lists.example.org>\nRCPT TO:<a@[192.0.2.1]>\nDATA\nA: b\n\n.",
    );
    let expected = [
        "250 2.1.0",
        "250 2.1.5",
        "550 5.1.1",
        "550 5.1.1",
        "550 5.7.1",
        "451 4.3.0",
        "501 5.1.3",
        "250 2.1.5",
        "550 5.7.1",
        "354",
        "250 2.6.0",
    ];
    assert_eq!(codes(&replies), expected);
    // A forged token reveals no more than an unknown address.
    let answers: Vec<&str> = replies.lines().collect();
    assert_eq!(answers[2], answers[3]);
    assert!(!replies.contains("store is away"), "the reason is for the log");
    assert_eq!(dialogue.messages[0].recipients, ["media@lists.example.org", "media2@lists.example.org"]);
}

/// RFC 5321 §4.1.1.11, RFC 3461: DSN is not offered.
#[test]
fn parameters_that_are_not_offered_are_refused() {
    check("MAIL FROM:<a@b.example> RET=HDRS", &["555 5.5.4"]);
    check("MAIL FROM:<a@b.example> AUTH=<>", &["555 5.5.4"]);
    check("MAIL FROM:<>\nRCPT TO:<media@lists.example.org> NOTIFY=NEVER", &["250 2.1.0", "555 5.5.4"]);
    check("MAIL FROM:<a@b.example> BODY=BINARYMIME", &["501 5.5.4"]);
    check("MAIL FROM:<a@b.example> SIZE=large", &["501 5.5.4"]);
}

/// RFC 6531 §3.1, §3.5.
#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    let mut dialogue = Dialogue::greeted();
    let replies = dialogue.say(
        "MAIL FROM:<åsa@b.example>\nMAIL FROM:<a@b.example>\nRCPT TO:<åsa@lists.example.org>\n\
         RCPT TO:<media@lists.example.org>\nDATA\n.",
    );
    assert_eq!(codes(&replies), ["553 5.6.7", "250 2.1.0", "553 5.6.7", "250 2.1.5", "354", "250 2.6.0"]);
    let replies = dialogue.say("MAIL FROM:<åsa@sköv.example> SMTPUTF8\nRCPT TO:<åsa@lists.example.org>\nDATA\n.");
    assert_eq!(codes(&replies), ["250 2.1.0", "250 2.1.5", "354", "250 2.6.0"]);
    let message = &dialogue.messages[1];
    assert_eq!(message.recipients, ["åsa@lists.example.org"]);
    // RFC 6531 §4.3.
    assert!(String::from_utf8_lossy(&message.bytes).contains(" with UTF8SMTP id "));
    // Invalid UTF-8 is not an address.
    assert_eq!(codes(&dialogue.send(b"MAIL FROM:<\xe5sa@b.example> SMTPUTF8\r\n")), ["501 5.1.7"]);
}

/// RFC 5321 §6.1, RFC 3463: a message that could not be stored is refused temporarily, one in a loop permanently.
#[test]
fn what_is_not_taken_is_refused_with_the_reason_in_the_code() {
    for (refusal, code) in [
        (Refusal::Full, "452 4.3.1"),
        (Refusal::Later("secret words".to_owned()), "451 4.3.0"),
        (Refusal::Loop, "554 5.4.6"),
    ] {
        let mut dialogue = Dialogue::greeted();
        dialogue.endings.push(Err(refusal));
        let transaction = "MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA\nA: b\n\n.";
        let replies = dialogue.say(transaction);
        assert_eq!(codes(&replies)[3], code);
        assert!(!replies.contains("secret"));
        // The connection continues, and the message is discarded.
        assert_eq!(codes(&dialogue.say("DATA")), ["503 5.5.1"]);
        assert_eq!(codes(&dialogue.say(transaction))[3], "250 2.6.0");
    }
}

/// RFC 2920 §3.2: commands sent at once or one by one get the same replies in order, and none is lost.
#[test]
fn pipelined_input_is_never_lost() {
    let one = "MAIL FROM:<a@b.example>\r\nRCPT TO:<media@lists.example.org>\r\nRCPT TO:<unknown@lists.example.org>\r\n\
               DATA\r\nSubject: 1\r\n\r\n..\r\n.\r\n";
    let all = format!("EHLO peer.example\r\n{}NOOP\r\nQUIT\r\nNOOP\r\n", one.repeat(3));
    let mut at_once = Dialogue::smtp();
    let replies = at_once.send(all.as_bytes());
    let each = ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354", "250 2.6.0"];
    let expected = [&["220", "250"], each.repeat(3).as_slice(), &["250 2.0.0", "221 2.0.0"]].concat();
    assert_eq!(codes(&replies), expected);
    let mut by_byte = Dialogue::smtp();
    let slowly: String = all.as_bytes().chunks(1).map(|byte| by_byte.send(byte)).collect();
    assert_eq!(slowly, replies);
    for dialogue in [at_once, by_byte] {
        assert_eq!(dialogue.messages.len(), 3);
        assert!(dialogue.messages.iter().all(|message| message.bytes.ends_with(b"Subject: 1\r\n\r\n.\r\n")));
    }
}

/// RFC 5321 §4.5.3.1.4, with what RFC 1870, 6152 and 6531 add.
#[test]
fn command_lines_have_a_length() {
    let of = |length: usize| format!("NOOP {}", "x".repeat(length - 7));
    check(&of(512), &["250 2.0.0"]);
    check(&of(MAX_COMMAND), &["250 2.0.0"]);
    check(&format!("{}\nNOOP", of(MAX_COMMAND + 1)), &["500 5.5.2", "250 2.0.0"]);
    check(&format!("{}\nNOOP", of(60_000)), &["500 5.5.2", "250 2.0.0"]);
    // An endless line is not read for ever.
    let mut dialogue = Dialogue::greeted();
    assert_eq!(codes(&dialogue.send(&[b'x'; 70_000])), ["421 4.7.0"]);
    assert!(dialogue.closed);
}

/// RFC 5321 §4.5.3.1.6: 1,000 octets and more are accepted.
#[test]
fn text_lines_may_be_long() {
    for length in [998, 1000, 100_000] {
        let mut dialogue = Dialogue::greeted();
        let line = "x".repeat(length);
        dialogue.say(&format!("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA\nA: b\n\n{line}\n."));
        assert_eq!(dialogue.content(), format!("A: b\r\n\r\n{line}\r\n").as_bytes());
    }
}

/// Any name in EHLO is accepted, but none can break the Received field.
#[test]
fn strange_names_are_accepted_and_made_harmless() {
    for (name, shown) in [("a(b)", "a?b?"), ("[192.0.2.9]", "[192.0.2.9]"), ("my_host", "my_host"), ("<\">;", "????")] {
        let mut dialogue = Dialogue::smtp();
        dialogue.say(&format!("EHLO {name}"));
        dialogue.say("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA\n.");
        let message = &dialogue.messages[0];
        assert_eq!(message.arrival.helo, name);
        let start = format!("Received: from {shown} ([192.0.2.25])\r\n");
        assert!(message.bytes.starts_with(start.as_bytes()), "{}", String::from_utf8_lossy(&message.bytes));
    }
}

#[test]
fn a_message_that_cannot_be_forwarded_with_our_fields_is_refused() {
    let mut dialogue = Dialogue::greeted();
    let replies = dialogue.say("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA\n (evil)\n\n.\nNOOP");
    assert_eq!(codes(&replies)[3..], ["554 5.6.0", "250 2.0.0"]);
    assert!(dialogue.messages.is_empty());
}

/// RFC 5321 §3.8: 421 may come at any time.
#[test]
fn a_session_can_be_closed() {
    for (dismissal, code) in
        [(Dismissal::Idle, "421 4.4.2"), (Dismissal::Slow, "421 4.4.2"), (Dismissal::Stopping, "421 4.3.2")]
    {
        let mut dialogue = Dialogue::greeted();
        dialogue.say("MAIL FROM:<>\nRCPT TO:<media@lists.example.org>\nDATA\nhalf a message");
        dialogue.session.dismiss(dismissal);
        assert_eq!(codes(&dialogue.send(b"\r\n.\r\n")), [code]);
        assert!(dialogue.closed && dialogue.messages.is_empty());
    }
}

/// RFC 2034 §4: the class of the enhanced code is that of the code; the greeting, hello and 354 have none.
#[test]
fn every_reply_has_a_matching_enhanced_code() {
    let mut dialogue = Dialogue::with(SessionSettings { max_errors: 1000, ..settings() }, Protocol::Smtp);
    let replies = dialogue.say(
        "EHLO a\nHELO a\nLHLO a\nEHLO\nMAIL\nMAIL FROM:<x>\nMAIL FROM:<å@b.example>\nMAIL FROM:<> X=1\nMAIL FROM:<> SIZE=x\n\
         MAIL FROM:<>\nMAIL FROM:<>\nRCPT\nRCPT TO:<x>\nRCPT TO:<x@y> Z\nRCPT TO:<unknown@x>\nRCPT TO:<x@y>\n\
         RCPT TO:<later@lists.example.org>\nDATA\nRCPT TO:<a@lists.example.org>\nDATA\n.\nNOOP\nVRFY a\nHELP\n\
         EXPN a\nBOO\nRSET\nDATA\nSTARTTLS now\nQUIT",
    );
    for line in replies.lines().skip(9).filter(|line| !line.starts_with("354")) {
        let (code, rest) = line.split_once(' ').unwrap();
        assert!(rest.starts_with(&format!("{}.", &code[..1])), "{line}");
    }
    assert!(codes(&replies).len() > 25);
}
