//! Composing a message: a reader decodes what was put in, and the bytes keep the limits of the standards.

use chrono::{TimeZone, Utc};
use depesch::mail::compose::{Attachment, Body, CalendarPart, Frame, Individual, ListFields, Sender, compose};
use depesch::mail::headers::Mailbox;
use mail_parser::{MessageParser, MimeHeaders};

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: Some(name.to_owned()), address: address.parse().unwrap() }
}

struct Case {
    from: String,
    to: String,
    subject: String,
    title: String,
    text: String,
    html: String,
    file_name: String,
    media_type: String,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            from: "Förbundet Exempel".into(),
            to: "Åsa Öberg".into(),
            subject: "Pressinbjudan: nationell träff om välfärd".into(),
            title: "Medier".into(),
            text: "Hej!\n\nVälkommen till träffen. \nSlut.\n".into(),
            html: "<p>Välkommen till träffen.</p>\n".into(),
            file_name: "Program åäö.pdf".into(),
            media_type: "application/pdf".into(),
        }
    }
}

const FILE: &[u8] = b"%PDF-1.4 \x00\x01\xff a file\r\n.\r\n";

fn make(case: &Case) -> Vec<u8> {
    let sender = Sender {
        from: mailbox(&case.from, "press@example.org"),
        reply_to: Some(mailbox(&case.from, "karin.ek@example.org")),
        feedback_id: "m7:r3:depesch:example".into(),
    };
    let list = ListFields {
        title: case.title.clone(),
        id: "media.lists.example.org".into(),
        owner: "mailto:media-owner@lists.example.org".into(),
        help: "mailto:media-request@lists.example.org?subject=help".into(),
    };
    let calendar = CalendarPart {
        method: "PUBLISH",
        text: "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".into(),
        file_name: "inbjudan.ics".into(),
    };
    let attachment =
        Attachment { file_name: case.file_name.clone(), media_type: case.media_type.clone(), bytes: FILE.to_vec() };
    let frame = Frame::new("sv", "abc123", Some(&calendar), &[attachment]);
    let to = mailbox(&case.to, "asa@example.com");
    let one = Individual {
        to: &to,
        reply_to: None,
        subject: &case.subject,
        date: Utc.with_ymd_and_hms(2017, 3, 16, 8, 30, 0).unwrap(),
        message_id: "m7.abcdefgh@lists.example.org",
        references: &[],
        unsubscribe_https: Some("https://press.example.org/u/token"),
        unsubscribe_mailto: "mailto:media-unsubscribe+token@lists.example.org",
        text_values: &[],
        html_values: &[],
    };
    compose(&sender, &list, &frame, (&Body::whole(&case.text), &Body::whole(&case.html)), &one).unwrap()
}

/// Names of the fields at the top of a message, unfolded, in order.
fn field_names(message: &[u8]) -> Vec<String> {
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    String::from_utf8(message[..end].to_vec())
        .unwrap()
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').unwrap().0.to_owned())
        .collect()
}

#[test]
fn a_reader_gets_what_was_put_in() {
    let case = Case::default();
    let bytes = make(&case);
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.subject(), Some(case.subject.as_str()));
    let from = message.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some(case.from.as_str()), Some("press@example.org")));
    assert_eq!(message.to().unwrap().first().unwrap().name(), Some(case.to.as_str()));
    assert_eq!(message.message_id(), Some("m7.abcdefgh@lists.example.org"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2017-03-16T08:30:00Z");
    assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n"), case.text);
    assert_eq!(message.body_html(0).unwrap().replace("\r\n", "\n"), case.html);
    let files: Vec<_> = message.attachments().filter(|p| p.attachment_name() == Some("Program åäö.pdf")).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].contents(), FILE);
    let calendar = message.parts.iter().find(|p| p.is_content_type("text", "calendar")).unwrap();
    assert_eq!(calendar.content_type().unwrap().attribute("method"), Some("PUBLISH"));
    assert_eq!(calendar.contents(), b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
}

#[test]
fn every_field_occurs_once() {
    let names = field_names(&make(&Case::default()));
    for name in [
        "From",
        "Reply-To",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "List-Owner",
        "List-Help",
        "Feedback-ID",
        "MIME-Version",
        "Content-Type",
    ] {
        assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{name} in {names:?}");
    }
}

#[test]
fn no_text_can_begin_a_header_line() {
    let usual = field_names(&make(&Case::default()));
    for poison in
        ["\r\nBcc: eve@example.com\r\n\r\nBody", "\nX: y", "\rX: y", "a\0b\r\n\tfolded", "\u{2028}X: y", "\u{85}X: y"]
    {
        let text = format!("Åh{poison}");
        let plain = format!("Oh{poison}");
        for text in [text, plain] {
            for case in [
                Case { from: text.clone(), ..Case::default() },
                Case { to: text.clone(), ..Case::default() },
                Case { subject: text.clone(), ..Case::default() },
                Case { title: text.clone(), ..Case::default() },
                Case { file_name: text.clone(), ..Case::default() },
                Case { media_type: format!("text/{text}"), ..Case::default() },
            ] {
                let bytes = make(&case);
                assert_eq!(field_names(&bytes), usual, "{text:?}");
                let message = MessageParser::default().parse(&bytes).unwrap();
                assert!(message.bcc().is_none(), "{text:?}");
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert!(!text.contains('\0'), "{text:?}");
                assert!(!text.contains("\r\nX:") && !text.contains("\r\nBcc"), "{text}");
            }
        }
    }
}

#[test]
fn lines_end_in_crlf_and_keep_their_limits() {
    let case = Case {
        subject: "Räksmörgås och välfärd i hela landet ".repeat(6),
        from: "Förbundet för Åländska, Östgötska och Ångermanländska Exempel ".repeat(3),
        text: format!("{}\n{}\nFrom here\n.\nsp \n\ttab\t\n", "ä".repeat(3000), "x".repeat(3000)),
        file_name: format!("{}.pdf", "Åtgärdsprogram ".repeat(12)),
        ..Case::default()
    };
    let bytes = make(&case);
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(bytes[place + 1], b'\n'),
            b'\n' => assert_eq!(bytes[place - 1], b'\r'),
            _ => {}
        }
    }
    let text = String::from_utf8(bytes.clone()).unwrap();
    for line in text.split("\r\n") {
        assert!(line.len() <= 78, "{line}");
        for word in line.split(' ').filter(|w| w.starts_with("=?")) {
            assert!(word.trim_end_matches(',').len() <= 75 && word.ends_with("?="), "{word}");
        }
    }
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert!(body.split("\r\n").filter(|l| !l.contains(':')).all(|l| l.len() <= 76));
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.subject().unwrap(), case.subject.trim());
    assert_eq!(message.from().unwrap().first().unwrap().name().unwrap(), case.from.trim());
    assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n"), case.text);
    assert!(message.attachments().any(|p| p.attachment_name() == Some(case.file_name.as_str())));
}

#[test]
fn encoded_words_split_no_character() {
    for length in 1..80 {
        let subject = format!("{}{}", "a".repeat(length), "å漢🎉".repeat(20));
        let bytes = make(&Case { subject: subject.clone(), ..Case::default() });
        let text = String::from_utf8(bytes.clone()).unwrap();
        for word in text.split_once("MIME-Version").unwrap().0.split_whitespace().filter(|w| w.starts_with("=?")) {
            let single = format!("Subject: {word}\r\n\r\n");
            let decoded = MessageParser::default().parse(single.as_bytes()).unwrap().subject().unwrap().to_owned();
            assert!(!decoded.contains('\u{fffd}'), "{word}");
        }
        assert_eq!(MessageParser::default().parse(&bytes).unwrap().subject(), Some(subject.as_str()));
    }
}

#[test]
fn a_file_name_keeps_no_folder() {
    for (given, expected) in [
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\bild.png", "bild.png"),
        ("..", "file"),
        ("a\"b;c.pdf", "a\"b;c.pdf"),
    ] {
        let bytes = make(&Case { file_name: given.into(), ..Case::default() });
        let message = MessageParser::default().parse(&bytes).unwrap();
        let names: Vec<_> = message.attachments().filter_map(|p| p.attachment_name()).collect();
        assert!(names.contains(&expected), "{given}: {names:?}");
    }
}

#[test]
fn pieces_make_the_same_text_as_the_whole() {
    let (one, two) = ("Hej ä".repeat(9), " slut \n. Ö=\n".to_owned());
    let mut body = Body::default();
    body.push_open(0);
    body.push_shared(&one);
    body.push_open(1);
    body.push_shared(&two);
    let values = ["Åsa = ".to_owned(), "  ".to_owned()];
    let case = Case::default();
    let sender = Sender { from: mailbox(&case.from, "press@example.org"), reply_to: None, feedback_id: "a".into() };
    let frame = Frame::new("sv", "abc", None, &[]);
    let to = mailbox("", "asa@example.com");
    let individual = Individual {
        to: &to,
        reply_to: None,
        subject: "s",
        date: Utc.with_ymd_and_hms(2017, 3, 16, 8, 30, 0).unwrap(),
        message_id: "a@example.org",
        references: &[],
        unsubscribe_https: None,
        unsubscribe_mailto: "mailto:a@example.org",
        text_values: &values,
        html_values: &[],
    };
    let html = Body::whole("<p>\n");
    let bytes = compose(&sender, &ListFields::default(), &frame, (&body, &html), &individual).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    let whole = format!("{}{one}{}{two}", values[0], values[1]);
    assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n"), whole);
    assert!(!String::from_utf8(bytes).unwrap().contains("List-Unsubscribe-Post"));
}
