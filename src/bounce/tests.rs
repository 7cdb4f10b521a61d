//! Shapes of bounces in a few lines each; whole messages are in `tests/data/bounces`.

use super::*;

fn read(message: &str) -> Reading {
    let reader = Reader::new(Classifier::shipped().unwrap()).unwrap();
    reader.read(&Incoming::parse(message.as_bytes()).unwrap())
}

fn bounce(text: &str) -> Reading {
    read(&format!("From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered mail\nTo: b@lists.example\n\n{text}"))
}

#[test]
fn codes_are_found_and_other_numbers_are_not() {
    use super::diagnosis::{enhanced, reply_code};
    assert_eq!(reply_code("call 08-465 004 00, or 480-624-2500; host said: 550-No such user"), Some(550));
    assert_eq!(reply_code("(reason: 452 4.2.2 full)"), Some(452));
    assert_eq!(reply_code("after 400 minutes, 10.0.0.550"), None);
    assert_eq!(enhanced("version 5.1.1.3, [192.0.5.1] 550 #5.2.2 full"), Some("5.2.2".to_owned()));
    assert_eq!(enhanced("5.0.0 - host said: 550-'5.1.1 unknown'"), Some("5.1.1".to_owned()));
    assert_eq!(enhanced("Postfix 5.7"), None);
}

#[test]
fn addresses_are_found_in_their_wrappings() {
    let all = |line: &str| super::address::find(line).into_iter().map(|one| one.address).collect::<Vec<_>>();
    assert_eq!(
        all("<karin@example.org>: no, (eva@example.com) \"o'neil\"@example.org."),
        ["karin@example.org", "eva@example.com", "o'neil@example.org"]
    );
    assert_eq!(all("c=SE;dda:SMTP=anna@example.org; rfc822;bo@example.se"), ["anna@example.org", "bo@example.se"]);
    assert_eq!(all("åsa@räksmörgås.example, a@b, @x.example, a@192.0.2.1, a@@b.example"), ["åsa@räksmörgås.example"]);
}

#[test]
fn one_program_names_many_recipients() {
    let reading = bounce(
        "<anna@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1 User unknown\n    (in reply to RCPT TO command)\n\n<bo@example.com>: host mx.example.com said: 452 4.2.2 over quota\n",
    );
    let found: Vec<_> = reading
        .recipients
        .iter()
        .map(|one| (one.address.as_deref().unwrap(), one.class, one.counts, one.verdict))
        .collect();
    assert_eq!(
        found,
        [
            ("anna@example.org", Class::Address, true, Verdict::Permanent),
            ("bo@example.com", Class::Mailbox, true, Verdict::Temporary)
        ]
    );
}

#[test]
fn the_sender_is_never_taken_for_the_recipient() {
    let reading = bounce(
        "  eva@example.org\n    SMTP error from remote mail server after MAIL FROM:<b@lists.example>:\n    550 5.1.8 <b@lists.example>: Sender address rejected: Domain does not exist\n",
    );
    assert_eq!(reading.recipients[0].address.as_deref(), Some("eva@example.org"));
    assert!(!reading.recipients[0].counts && reading.recipients.len() == 1);
    assert_eq!(reading.recipients[0].class, Class::Policy);
}

#[test]
fn what_arrived_waits_or_was_read_counts_for_nothing() {
    let report = |action: &str, status: &str| {
        read(&format!(
            "From: postmaster@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; eva@example.org\nAction: {action}\nStatus: {status}\n--b--\n"
        ))
    };
    for (action, status, kind, verdict) in [
        ("failed", "5.1.1", Kind::Bounce, Verdict::Permanent),
        ("delayed", "4.1.1", Kind::Notice, Verdict::Temporary),
        ("relayed", "2.1.5", Kind::Notice, Verdict::None),
        ("expanded", "5.1.1", Kind::Notice, Verdict::None),
        ("delivered", "2.0.0", Kind::Notice, Verdict::None),
    ] {
        let reading = report(action, status);
        assert_eq!((reading.kind, reading.recipients[0].verdict), (kind, verdict), "{action}");
        assert_eq!(reading.recipients[0].counts, action == "failed", "{action}");
    }
}

#[test]
fn utf8_addresses_are_decoded() {
    let report = "From: postmaster@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/global-delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: utf-8; \\x{E5}sa@example.org\nAction: failed\nStatus: 5.1.1\n--b--\n";
    assert_eq!(read(report).recipients[0].address.as_deref(), Some("åsa@example.org"));
}

/// Found by the fuzzer: the space between two words counts too.
#[test]
fn evidence_holds_no_more_than_it_says() {
    let words = |length: usize| format!("{} {}", "a".repeat(100), "b".repeat(length));
    assert_eq!(super::evidence(&words(399)).len(), 500);
    assert_eq!(super::evidence(&words(400)).len(), 100);
}

#[test]
fn who_answers_an_automatic_answer_is_a_person() {
    let kind = |fields: &str| read(&format!("From: karin@example.org\n{fields}\n\nKan ni ringa mig?\n")).kind;
    for subject in ["Automatic reply: Press release", "Autosvar: Inbjudan"] {
        assert_eq!(kind(&format!("Subject: {subject}")), Kind::AutoReply, "{subject}");
        for prefix in ["Re:", "Sv:", "SV: Re:", "VB:"] {
            assert_eq!(kind(&format!("Subject: {prefix} {subject}")), Kind::Other, "{prefix} {subject}");
            let marked = format!("Subject: {prefix} {subject}\nAuto-Submitted: auto-replied");
            assert_eq!(kind(&marked), Kind::AutoReply, "{prefix} {subject}");
        }
    }
}
