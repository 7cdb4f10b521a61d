use super::*;

fn changes() -> Changes {
    Changes {
        from: None,
        author: Mailbox { name: Some("Karin Ek".into()), address: "karin@example.org".parse().unwrap() },
        reply_to: None,
        post_address: Some("samtal@lists.example.org".into()),
        loop_mark: "samtal@lists.example.org".into(),
        sensitive: false,
        message_id: "m1.token@lists.example.org".into(),
        date: Timestamp::UNIX_EPOCH,
        feedback_id: "m1:p1:post:depesch".into(),
    }
}

fn relayed(post: &str, changes: &Changes) -> String {
    let list = ListFields {
        title: "Samtal".into(),
        id: "samtal.lists.example.org".into(),
        owner: "mailto:samtal-owner@lists.example.org".into(),
        help: "mailto:samtal-request@lists.example.org?subject=help".into(),
    };
    let to = Mailbox::bare("reader@example.com".parse().unwrap());
    let reader = Reader { to: &to, unsubscribe_https: None, unsubscribe_mailto: "mailto:samtal-unsubscribe@x.example" };
    let frame = PostedFrame::new(post.replace('\n', "\r\n").as_bytes(), changes);
    let (head, body) = frame.message(&list, &reader);
    String::from_utf8([head, body.to_vec()].concat()).unwrap().replace("\r\n", "\n")
}

fn lines<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let header = message.split("\n\n").next().unwrap();
    header.lines().filter(|l| l.to_lowercase().starts_with(&format!("{}:", name.to_lowercase()))).collect()
}

const POST: &str = "Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\nReturn-Path: <karin@example.org>\n\
    LIST-ID: <other.example>\nList-Unsubscribe: <mailto:evil@example.com>\nlist-post:\n <mailto:x@y.example>\n\
    Authentication-Results: mx.example; dmarc=pass\nDKIM-Signature: v=1; d=example.org\n\
    From: Karin Ek <karin@example.org>\nTo: samtal@lists.example.org\nSubject: Hej\n =?utf-8?q?=C3=A5?=\n\
    Message-ID: <1@example.org>\nSender: boss@example.org\nno field at all\n\nText\n.\n\nList-Id: <body>\n";

#[test]
fn each_field_of_a_list_is_there_once_and_ours() {
    let message = relayed(POST, &changes());
    for name in ["List-Id", "List-Unsubscribe", "List-Post", "List-Owner", "List-Help", "X-Loop"] {
        assert_eq!(lines(&message, name).len(), 1, "{name} in {message}");
    }
    assert!(lines(&message, "List-Id")[0].contains("samtal.lists.example.org"));
    for gone in ["Return-Path", "Authentication-Results", "Sender", "no field at all"] {
        assert!(lines(&message, gone).is_empty(), "{gone} in {message}");
    }
    assert!(!message.contains("y.example"), "a folded line of a dropped field stayed");
}

#[test]
fn what_the_author_signed_stays_as_it_was() {
    let message = relayed(&POST.replace("no field at all\n", ""), &changes());
    for kept in ["From: Karin Ek <karin@example.org>", "Subject: Hej\n =?utf-8?q?=C3=A5?=", "DKIM-Signature: v=1"] {
        assert!(message.contains(kept), "{kept} not in {message}");
    }
    assert_eq!(lines(&message, "Message-ID"), ["Message-ID: <1@example.org>"]);
    assert!(message.ends_with("\n\nText\n.\n\nList-Id: <body>\n"), "{message}");
}

#[test]
fn a_rewritten_from_takes_the_signature_with_it_and_names_the_author() {
    let list =
        Mailbox { name: Some("Karin Ek via Samtal".into()), address: "samtal@lists.example.org".parse().unwrap() };
    let author = changes().author;
    let message = relayed(POST, &Changes { from: Some(list), reply_to: Some(vec![author]), ..changes() });
    assert_eq!(lines(&message, "From"), ["From: Karin Ek via Samtal <samtal@lists.example.org>"]);
    assert_eq!(lines(&message, "Reply-To"), ["Reply-To: Karin Ek <karin@example.org>"]);
    assert_eq!(lines(&message, "X-Original-From"), ["X-Original-From: Karin Ek <karin@example.org>"]);
    assert!(lines(&message, "DKIM-Signature").is_empty());
}

#[test]
fn a_sensitive_list_is_not_told_by_address_or_way() {
    let message = relayed(POST, &Changes { sensitive: true, ..changes() });
    assert_eq!(lines(&message, "To"), ["To: reader@example.com"]);
    assert!(lines(&message, "Received").is_empty());
}

#[test]
fn a_header_with_two_readings_gets_one_from_and_each_field_once() {
    for before in
        ["no field\n", "From: boss@example.net\n", "From : boss@example.net\n", "X:\n \t\nFrom: boss@example.net\n"]
    {
        let again = "Subject: B\nsubject : C\nTo: b@example.org\nReply-To: a@example.org\nReply-To: b@example.org\n";
        let message = relayed(&format!("{before}{again}{POST}"), &changes());
        assert_eq!(lines(&message, "From"), ["From: Karin Ek <karin@example.org>"]);
        assert_eq!(lines(&message, "Subject"), ["Subject: B"], "{message}");
        assert_eq!(lines(&message, "To"), ["To: b@example.org"]);
        assert_eq!(lines(&message, "Reply-To"), ["Reply-To: a@example.org"]);
        assert!(lines(&message, "DKIM-Signature").is_empty(), "it cannot be right any more");
        assert!(message.split("\n\n").next().unwrap().lines().all(|line| !line.trim().is_empty()), "{message}");
    }
}

#[test]
fn words_beyond_ascii_and_long_ones_go_out_in_ascii_without_a_signature_that_cannot_be_right() {
    let long = "y".repeat(1200);
    for subject in ["M\u{f6}te p\u{e5} torsdag", long.as_str()] {
        let post = format!("DKIM-Signature: x\nFrom: Karin Ek <karin@example.org>\nSubject: {subject}\n\nHej\n");
        let message = relayed(&post, &changes());
        let (header, _) = message.split_once("\n\n").unwrap();
        assert!(header.is_ascii() && header.lines().all(|line| line.len() <= 998), "{message}");
        assert_eq!(crate::mail::incoming::Incoming::parse(message.as_bytes()).unwrap().subject(), subject);
        assert!(lines(&message, "DKIM-Signature").is_empty());
    }
    let message = relayed("From: \u{c5}sa <karin@example.org>\n\nHej\n", &changes());
    assert_eq!(lines(&message, "From"), ["From: Karin Ek <karin@example.org>"]);
}

#[test]
fn a_line_that_no_relay_need_carry_is_encoded_and_what_is_signed_stays_whole() {
    let long = "x".repeat(3000);
    let message = relayed(&format!("From: karin@example.org\nMIME-Version: 1.0\n\n{long}\n"), &changes());
    assert!(message.lines().all(|line| line.len() <= 998));
    assert_eq!(crate::mail::incoming::Incoming::parse(message.as_bytes()).unwrap().text().trim_end(), long);
    let signed = format!("--b\n\n{long}\n--b--\n");
    let post = format!("From: karin@example.org\nContent-Type: multipart/signed; boundary=b\n\n{signed}");
    assert!(relayed(&post, &changes()).ends_with(&signed));
}

#[test]
fn what_a_post_lacks_is_added_and_what_is_no_header_is_no_trap() {
    let message = relayed("\nonly text\n", &changes());
    assert_eq!(lines(&message, "Message-ID"), ["Message-ID: <m1.token@lists.example.org>"]);
    assert_eq!(lines(&message, "From").len(), 1);
    assert_eq!(lines(&message, "To"), ["To: reader@example.com"]);
    for odd in ["", ":", ": x", "\u{e5}: x\n\n", "A", "From: x\nB"] {
        assert_eq!(lines(&relayed(odd, &changes()), "From").len(), 1, "{odd:?}");
    }
}

#[test]
fn line_ends_become_those_of_mail() {
    assert_eq!(with_line_ends(b"a\nb\rc\r\nd"), b"a\r\nb\r\nc\r\nd\r\n");
    assert_eq!(with_line_ends(b"a\r\n\r\n"), b"a\r\n\r\n");
    assert_eq!(with_line_ends(b""), b"");
}
