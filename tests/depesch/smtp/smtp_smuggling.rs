//! Only CRLF ends a line and only CRLF.CRLF a message (RFC 5321 §2.3.8, §4.1.1.4); what others may interpret
//! differently is refused, so that no message can be hidden in another (SMTP smuggling). Nothing sent before TLS counts
//! inside it.

use crate::support::smtp::{Dialogue, codes};

const ENVELOPE: &[u8] = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<media@lists.example.org>\r\nDATA\r\n";
const HIDDEN: &[u8] =
    b"MAIL FROM:<press@lists.example.org>\r\nRCPT TO:<members@lists.example.org>\r\nDATA\r\nHidden: yes\r\n";

#[test]
fn no_other_end_of_data_is_known() {
    for end in [
        &b"\n.\n"[..],
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n\n.\n",
        b"\n\r.\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n.\r\r\n",
        b"\n\n.\n\n",
    ] {
        let mut dialogue = Dialogue::greeted();
        let sent = [ENVELOPE, b"A: b\r\n\r\ntext", end, HIDDEN, b"\r\n.\r\nNOOP\r\n"].concat();
        let replies = dialogue.send(&sent);
        assert_eq!(codes(&replies), ["250 2.1.0", "250 2.1.5", "354", "554 5.6.0", "250 2.0.0"], "{end:?}");
        assert!(dialogue.messages.is_empty(), "{end:?}");
    }
}

#[test]
fn bare_line_ends_are_refused_anywhere_in_a_message() {
    for text in [&b"A: b\nC: d\r\n"[..], b"A: b\r\n\r\nx\ry\r\n", b"\n", b"\r\r\n", b"A: b\r\n\r\nlast\r"] {
        let mut dialogue = Dialogue::greeted();
        let replies = dialogue.send(&[ENVELOPE, text, b"\r\n.\r\n"].concat());
        assert_eq!(codes(&replies)[3..], ["554 5.6.0"], "{text:?}");
    }
}

#[test]
fn bare_line_ends_do_not_divide_commands() {
    for line in [&b"NOOP\nNOOP\r\n"[..], b"NOOP\rNOOP\r\n", b"NOOP\r\r\n", b"\nNOOP\r\n", b"EHLO a\n\r\n"] {
        let mut dialogue = Dialogue::greeted();
        assert_eq!(codes(&dialogue.send(line)), ["500 5.5.2"], "{line:?}");
        assert_eq!(codes(&dialogue.send(b"NOOP\r\n")), ["250 2.0.0"], "{line:?}");
    }
    // A line with a bare LF has not ended yet.
    let mut dialogue = Dialogue::greeted();
    assert_eq!(dialogue.send(b"QUIT\n"), "");
}

/// RFC 5321 §4.5.2, to the byte.
#[test]
fn dots_are_unstuffed() {
    let mut dialogue = Dialogue::greeted();
    dialogue.send(&[ENVELOPE, b"..\r\n...\r\n.a\r\na.\r\n. .\r\n\r\n..b\r\n.\r\n"].concat());
    assert_eq!(dialogue.content(), b".\r\n..\r\na\r\na.\r\n .\r\n\r\n.b\r\n");
}

#[test]
fn an_empty_message_ends_at_once() {
    let mut dialogue = Dialogue::greeted();
    dialogue.send(&[ENVELOPE, b".\r\n"].concat());
    assert_eq!(dialogue.content(), b"");
}

/// RFC 3207 §4.2.
#[test]
fn nothing_said_before_tls_counts_inside_it() {
    let mut dialogue = Dialogue::greeted();
    let replies = dialogue.send(&[b"MAIL FROM:<evil@b.example>\r\nSTARTTLS\r\n", HIDDEN, b"\r\n.\r\n"].concat());
    assert_eq!(codes(&replies), ["250 2.1.0", "220 2.0.0"]);
    dialogue.encrypt();
    assert_eq!(dialogue.send(b""), "", "what was sent in the clear was thrown away");
    assert_eq!(codes(&dialogue.say("RCPT TO:<media@lists.example.org>\nMAIL FROM:<>")), ["503 5.5.1", "503 5.5.1"]);
    let offers = dialogue.say("EHLO peer.example");
    assert!(!offers.contains("STARTTLS"), "{offers}");
    assert_eq!(codes(&dialogue.say("STARTTLS")), ["503 5.5.1"]);
    assert_eq!(codes(&dialogue.send(&[ENVELOPE, b".\r\n"].concat()))[3], "250 2.6.0");
    let message = &dialogue.messages[0];
    assert!(message.arrival.encrypted);
    assert!(String::from_utf8_lossy(&message.bytes).contains(" with ESMTPS id "));
}

#[test]
fn starttls_takes_no_argument() {
    let mut dialogue = Dialogue::greeted();
    assert_eq!(codes(&dialogue.say("STARTTLS now")), ["501 5.5.4"]);
    assert!(!dialogue.handshake);
}
