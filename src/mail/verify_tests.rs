//! The self-check finds what is wrong with the pictures of a message.

use std::sync::Arc;

use super::super::compose::{Body, Individual, ListFields, Sender, compose};
use super::super::frame::{Frame, InlinePicture, Parts};
use super::super::headers::Mailbox;
use super::{Expected, verify};

const HTML: &str = "<p><img src=\"cid:a@pictures.depesch\" alt=\"Ett torg\"></p>\n";

fn picture(content_id: &str, bytes: &[u8]) -> InlinePicture {
    InlinePicture {
        content_id: content_id.to_owned(),
        file_name: "Åskådare.jpg".to_owned(),
        media_type: "image/jpeg",
        bytes: Arc::new(bytes.to_vec()),
    }
}

/// Checks a message with this HTML and these pictures, after a change to its bytes.
fn check(html: &str, pictures: &[InlinePicture], change: impl Fn(String) -> String) -> Result<(), String> {
    let parts = Parts { pictures, ..Parts::default() };
    let to = Mailbox::bare("kim@example.org".parse().unwrap());
    let sender = Sender { from: to.clone(), reply_to: None, feedback_id: "a:b:c:d".to_owned() };
    let list = ListFields {
        title: String::new(),
        id: "media.example.org".to_owned(),
        owner: "mailto:a@example.org".to_owned(),
        help: "mailto:b@example.org".to_owned(),
    };
    let one = Individual {
        to: &to,
        subject: "Prov",
        date: crate::base::clock::Timestamp::UNIX_EPOCH,
        message_id: "1@example.org",
        reply_to: None,
        references: &[],
        unsubscribe_https: None,
        unsubscribe_mailto: "mailto:c@example.org",
        text_values: &[],
        html_values: &[],
    };
    let frame = Frame::new("sv", "abc", parts);
    let bytes = compose(&sender, &list, &frame, (&Body::whole("Text.\n"), &Body::whole(html)), &one).unwrap();
    let changed = change(String::from_utf8(bytes).unwrap());
    let expected = Expected { subject: "Prov", text: "Text.\n", html, parts, one_click: false };
    verify(changed.as_bytes(), &expected)
}

fn unchanged(message: String) -> String {
    message
}

#[test]
fn a_picture_is_read_back_as_it_was_written() {
    assert_eq!(check(HTML, &[picture("a@pictures.depesch", b"JPEG")], unchanged), Ok(()));
    // Two pictures, and none.
    let both = format!("{HTML}<img src=\"cid:b@pictures.depesch\">");
    let two = [picture("a@pictures.depesch", b"JPEG"), picture("b@pictures.depesch", b"more")];
    assert_eq!(check(&both, &two, unchanged), Ok(()));
    assert_eq!(check("<p>Text.</p>\n", &[], unchanged), Ok(()));
}

#[test]
fn a_reference_without_its_picture_is_found() {
    for pictures in [&[][..], &[picture("b@pictures.depesch", b"JPEG")]] {
        let wrong = check(HTML, pictures, unchanged).unwrap_err();
        assert!(wrong.contains("shows the pictures"), "{wrong}");
    }
}

#[test]
fn every_change_to_a_picture_part_is_found() {
    for (from, to) in [
        ("SlBFRw==", "SlBFSA=="),
        ("Content-ID: <a@", "Content-ID: <b@"),
        ("Content-Disposition: inline", "Content-Disposition: attachment"),
        ("Content-Type: image/jpeg", "Content-Type: image/png"),
        ("multipart/related; type=\"text/html\"", "multipart/related"),
        ("multipart/related", "multipart/mixed"),
        ("%C3%85sk", "%C3%84sk"),
    ] {
        let changed = |message: String| {
            assert!(message.contains(from), "{from} is not in {message}");
            message.replace(from, to)
        };
        assert!(check(HTML, &[picture("a@pictures.depesch", b"JPEG")], changed).is_err(), "{from}");
    }
}
