//! LMTP (RFC 2033): the same dialogue, but with LHLO and a reply for each recipient after DATA.

use depesch::inbound::recipients::Refusal;
use depesch::model::inbound::Via;

use crate::support::smtp::{Dialogue, codes};

fn greeted() -> Dialogue {
    let mut dialogue = Dialogue::lmtp();
    assert_eq!(dialogue.send(b""), "220 mx.example.org LMTP Depesch\r\n");
    let offers = dialogue.say("LHLO postfix.example");
    // RFC 2033 §5: both must be offered.
    assert!(offers.contains("250-PIPELINING\r\n") && offers.contains("ENHANCEDSTATUSCODES\r\n"), "{offers}");
    dialogue
}

/// RFC 2033 §4.2.
#[test]
fn each_accepted_recipient_gets_a_reply() {
    let mut dialogue = greeted();
    let envelope = "MAIL FROM:<a@b.example>\nRCPT TO:<media@lists.example.org>\nRCPT TO:<unknown@lists.example.org>\n\
                    RCPT TO:<members@lists.example.org>\nRCPT TO:<media@lists.example.org>\nDATA\n";
    let replies = dialogue.say(&format!("{envelope}A: b\n\n.\nNOOP"));
    let [ok, unknown, taken] = ["250 2.1.5", "550 5.1.1", "250 2.6.0"];
    assert_eq!(codes(&replies), ["250 2.1.0", ok, unknown, ok, ok, "354", taken, taken, taken, "250 2.0.0"]);
    assert_eq!(dialogue.messages[0].recipients, ["media@lists.example.org", "members@lists.example.org"]);
    assert_eq!(dialogue.messages[0].arrival.via, Via::Lmtp);
    assert!(String::from_utf8_lossy(&dialogue.messages[0].bytes).contains(" with LMTP id "));
    // Refusals too, by the session or by the ingest.
    dialogue.endings.push(Err(Refusal::Full));
    assert_eq!(codes(&dialogue.say(&format!("{envelope}A: b\n\n.")))[6..], ["452 4.3.1"; 3]);
    let bare = format!("{envelope}A: b\n").replace('\n', "\r\n") + "bare\n\r\n.\r\n";
    assert_eq!(codes(&dialogue.send(bare.as_bytes()))[6..], ["554 5.6.0"; 3]);
}

/// RFC 2033 §4.1, §4.2.
#[test]
fn hello_is_lhlo_and_data_without_recipients_is_out_of_order() {
    let mut dialogue = Dialogue::lmtp();
    dialogue.send(b"");
    assert_eq!(codes(&dialogue.say("EHLO a\nHELO a\nMAIL FROM:<>")), ["500 5.5.1", "500 5.5.1", "503 5.5.1"]);
    dialogue.say("LHLO a\nMAIL FROM:<>\nRCPT TO:<unknown@lists.example.org>");
    assert_eq!(codes(&dialogue.say("DATA")), ["503 5.5.1"]);
}

/// Our own mail server forwards any recipient that it was given, so unknown ones do not end the connection.
#[test]
fn refused_recipients_do_not_end_the_connection() {
    let mut dialogue = greeted();
    let replies = dialogue.say(&format!("MAIL FROM:<>\n{}NOOP", "RCPT TO:<unknown@lists.example.org>\n".repeat(90)));
    assert_eq!(codes(&replies).last().unwrap(), "250 2.0.0");
}
