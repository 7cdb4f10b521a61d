//! Messages as strangers send them: decoded, split into parts, and bounded.

use super::*;

const WHOLE: &str = "Return-Path: <>\r\nFrom: =?utf-8?q?Karin_=C3=85berg?= <karin@example.org>, Nyheter <n@example.org>\r\n\
To: \"Press, list\" <media-subscribe@lists.example>\r\nReply-To: <redaktion@example.org>\r\n\
Subject: =?iso-8859-1?Q?Anm=E4lan?=\r\n till listan\r\nMessage-ID: <a1@example.org>\r\n\
In-Reply-To: <b2@lists.example>\r\nReferences: <c3@lists.example>\r\n <b2@lists.example>\r\n\
Received: from a.example\r\nReceived: from b.example\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"edge\"\r\n\r\n\
--edge\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n\
--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHej, =C3=A5 h=C3=\r\n=A4lsningar\r\n\
--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hej, <b>hälsningar</b></p>\r\n--inner--\r\n\
--edge\r\nContent-Type: text/calendar; method=reply; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\n\
--edge\r\nContent-Type: application/pdf; name=\"kort.pdf\"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\naGVq\r\n\
--edge\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nMessage-ID: <d4@lists.example>\r\n\r\nthe inner text\r\n--edge--\r\n";

#[test]
fn a_message_comes_apart() {
    let mail = Incoming::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(mail.from().unwrap().name, "Karin Åberg");
    assert_eq!(mail.from().unwrap().address, "karin@example.org");
    assert_eq!(mail.correspondents("from").len(), 2);
    assert_eq!(mail.reply_address().unwrap().address, "redaktion@example.org");
    assert_eq!(mail.correspondents("To")[0].address, "media-subscribe@lists.example");
    assert_eq!(mail.subject(), "Anmälan till listan");
    assert_eq!(mail.headers_named("subject").next().unwrap().raw, "=?iso-8859-1?Q?Anm=E4lan?=\r\n till listan");
    assert_eq!(mail.message_id(), Some("a1@example.org"));
    assert_eq!(mail.answered_ids(), ["b2@lists.example", "c3@lists.example", "b2@lists.example"]);
    assert_eq!(mail.headers_named("received").count(), 2);
    assert_eq!(mail.text().trim(), "Hej, å hälsningar");
    assert_eq!(mail.html().unwrap().trim(), "<p>Hej, <b>hälsningar</b></p>");
    let types: Vec<&str> = mail.parts().iter().map(|part| part.content_type.as_str()).collect();
    assert_eq!(types, ["text/plain", "text/html", "text/calendar", "application/pdf", "message/rfc822"]);
    assert_eq!(mail.part("text/calendar").unwrap().method().as_deref(), Some("REPLY"));
    let file = mail.part("application/pdf").unwrap();
    assert_eq!(
        (file.file_name.as_deref(), file.bytes.as_slice(), file.is_attachment),
        (Some("kort.pdf"), &b"hej"[..], true)
    );
    let inner = mail.embedded().unwrap();
    assert_eq!((inner.subject(), inner.text().trim()), ("inner", "the inner text"));
    assert!(mail.is_automatic());
}

#[test]
fn html_alone_becomes_text() {
    let html = "Subject: x\nContent-Type: text/html\n\n<html><head><style>p{}</style></head><div>prenumerera</div>\
        <p>Hej&nbsp;d&aring;<br>rad &lt;2&gt; <a@example.org></p><script>no</script><table><tr><td>a</td><td>b</td></tr></table>";
    let mail = Incoming::parse(html.as_bytes()).unwrap();
    let lines: Vec<&str> = mail.text().lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["prenumerera", "Hej då", "rad <2> <a@example.org>", "a b"]);
}

#[test]
fn nothing_is_too_odd_to_be_read() {
    assert_eq!(Incoming::parse(b"").unwrap().text(), "");
    assert!(Incoming::parse(b"\xff\xfe\x00no header").unwrap().text().contains("no header"));
    let headers = Incoming::parse_headers(b"To: a@example.org\r\nMessage-ID: <m@lists.example>").unwrap();
    assert_eq!(headers.message_id(), Some("m@lists.example"));
    let control = Incoming::parse(b"Subject: a\x1b[2Jb\x07\nFrom: \"x\x1by\" <a\x08@example.org>\n\nhej").unwrap();
    assert!(control.headers().iter().all(|header| !header.value.contains(char::is_control)));
    assert!(!control.from().unwrap().address.contains(char::is_control));
}

#[test]
fn parts_without_a_boundary_are_text() {
    let mail = Incoming::parse(b"Subject: x\nContent-Type: multipart/alternative;\nboundary=b\n\n--b\n\nhej\n--b--\n")
        .unwrap();
    assert!(mail.parts().iter().any(|part| part.text.as_deref().is_some_and(|text| text.contains("hej"))));
}

#[test]
fn what_is_nested_without_end_is_cut() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    let mut depth = 0;
    let mail = Incoming::parse(nested.as_bytes()).unwrap();
    let mut inner = Some(&mail);
    while let Some(one) = inner {
        depth += 1;
        inner = one.embedded();
    }
    assert!((50..=102).contains(&depth), "{depth}");
    let many = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: text/plain\n\nx\n".repeat(50_000)
    );
    let parts = Incoming::parse(many.as_bytes()).unwrap().parts().len();
    assert!((50..=1001).contains(&parts), "{parts}");
}

#[test]
fn a_part_says_whether_its_charset_is_known() {
    let known = |kind: &str| {
        let mail = Incoming::parse(format!("Subject: x\nContent-Type: {kind}\n\nNej\n").as_bytes()).unwrap();
        !mail.parts()[0].is_undecoded
    };
    for kind in
        ["text/plain", "text/plain; charset=utf-8", "text/plain; charset=\"\"", "application/pdf; charset=x-unknown"]
    {
        assert!(known(kind), "{kind}");
    }
    for kind in ["text/plain; charset=\"x-unknown\"", "text/html; charset=unknown-8bit", "TEXT/Plain; Charset=utf-32"] {
        assert!(!known(kind), "{kind}");
    }
}
