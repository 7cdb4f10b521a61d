use super::*;
use crate::mail::incoming::Incoming;

fn fitted(message: &[u8], eight_bit: bool) -> Result<Vec<u8>, Unfit> {
    let fitted = relayable(message, eight_bit)?.into_owned();
    assert!(fits(&fitted, eight_bit), "{}", String::from_utf8_lossy(&fitted));
    assert!(eight_bit || fitted.is_ascii());
    assert_eq!(relayable(&fitted, eight_bit).map(|again| again.into_owned()), Ok(fitted.clone()), "not the same again");
    Ok(fitted)
}

fn text(message: &[u8]) -> String {
    Incoming::parse(message).unwrap().text().replace("\r\n", "\n")
}

const TOP: &str = "From: eva@example.org\r\nMIME-Version: 1.0\r\n";

#[test]
fn what_fits_is_not_touched() {
    let message =
        format!("{TOP}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u{e5}\r\n");
    assert!(matches!(relayable(message.as_bytes(), true), Ok(Cow::Borrowed(_))));
    let signed = format!("{TOP}Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");
    assert!(matches!(relayable(signed.as_bytes(), false), Ok(Cow::Borrowed(_))));
}

#[test]
fn texts_keep_their_words_and_their_charset() {
    for (head, body, expected) in [
        (
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
            "R\u{e4}ksm\u{f6}rg\u{e5}s.\r\n".as_bytes(),
            "R\u{e4}ksm\u{f6}rg\u{e5}s.\n",
        ),
        ("Content-Type: text/plain; charset=iso-8859-1\r\n", b"R\xe4ka\r\n", "R\u{e4}ka\n"),
        ("", b"R\xe4ka\r\n", "R\u{e4}ka\n"),
        ("", "R\u{e4}ka\r\n".as_bytes(), "R\u{e4}ka\n"),
        ("Content-Type: text/plain; format=flowed\r\n", "R\u{e4}ka\r\n".as_bytes(), "R\u{e4}ka\n"),
        (
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
            "R\u{e4}k=C3=A5\r\n".as_bytes(),
            "R\u{e4}k\u{e5}\n",
        ),
    ] {
        let message = [format!("{TOP}{head}\r\n").as_bytes(), body].concat();
        assert_eq!(text(&fitted(&message, false).unwrap()), expected, "{head}");
    }
}

#[test]
fn long_lines_are_encoded_also_where_bytes_beyond_ascii_may_go() {
    let long = "x".repeat(3000);
    for (head, body, expected) in [
        ("", format!("{long}\r\n.\r\n"), format!("{long}\n.\n")),
        (
            "Content-Transfer-Encoding: quoted-printable\r\n",
            format!("{}=C3=A5\r\n", "-".repeat(1200)),
            format!("{}\u{e5}\n", "-".repeat(1200)),
        ),
        ("Content-Transfer-Encoding: base64\r\n", "eHh4".repeat(1000), long.clone()),
    ] {
        let message = format!("{TOP}Content-Type: text/plain; charset=utf-8\r\n{head}\r\n{body}");
        for eight_bit in [true, false] {
            assert_eq!(text(&fitted(message.as_bytes(), eight_bit).unwrap()).trim_end(), expected.trim_end(), "{head}");
        }
    }
}

#[test]
fn only_the_parts_concerned_are_encoded() {
    let message = format!(
        "{TOP}Content-Type: multipart/mixed; boundary=\"b 1\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npreamble \u{e5}\r\n\
        --b 1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u{c5}\u{e4}\u{f6}\r\n\
        --b 1\r\nContent-Type: text/html\r\n\r\n<p>plain</p>\r\n\
        --b 1\r\nContent-Type: application/pdf; name=\"\u{c5}r.pdf\"\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{e5}\0\r\n\
        --b 1\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
        Subject: \u{e5}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u{d6}\r\n--b 1--\r\nepilogue \u{e5}\r\n"
    );
    let fitted = fitted(message.as_bytes(), false).unwrap();
    let read = Incoming::parse(&fitted).unwrap();
    let shown = String::from_utf8_lossy(&fitted);
    assert_eq!(read.parts().len(), 4, "{shown}");
    assert_eq!(read.parts()[0].text.as_deref(), Some("\u{c5}\u{e4}\u{f6}"));
    assert!(shown.contains("Content-Type: text/html\r\n\r\n<p>plain</p>\r\n--b 1\r\n"), "{shown}");
    assert_eq!(read.parts()[2].bytes, "\u{e5}\0".as_bytes());
    assert_eq!(read.parts()[2].file_name.as_deref(), Some("\u{c5}r.pdf"));
    let inner = read.embedded().unwrap();
    assert_eq!((inner.subject(), inner.text()), ("\u{e5}", "\u{d6}"));
    assert!(shown.ends_with("--b 1--\r\n"), "{shown}");
}

#[test]
fn what_is_signed_or_encrypted_stays_whole() {
    for kind in ["signed", "encrypted"] {
        let message = format!(
            "{TOP}Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\
            Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\n\r\n\u{e5}\r\n--b--\r\n--a--\r\n"
        );
        assert_eq!(fitted(message.as_bytes(), false), Err(Unfit::Signed));
    }
    let odd = format!("{TOP}Content-Transfer-Encoding: x-uuencode\r\n\r\n\u{e5}\r\n");
    assert_eq!(fitted(odd.as_bytes(), false), Err(Unfit::Unreadable));
    let unbounded = format!("{TOP}Content-Type: multipart/mixed\r\n\r\n\u{e5}\r\n");
    assert_eq!(fitted(unbounded.as_bytes(), false), Err(Unfit::Unreadable));
}

#[test]
fn no_line_break_of_ours_makes_a_delimiter() {
    for filler in 60..80 {
        let line = format!("{}--b--{}\r\n", "x".repeat(filler), "y".repeat(1000));
        for encoding in ["8bit", "quoted-printable"] {
            let message = format!(
                "{TOP}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                Content-Transfer-Encoding: {encoding}\r\n\r\n{line}\r\n--b--\r\n"
            );
            let read = Incoming::parse(&fitted(message.as_bytes(), true).unwrap()).unwrap();
            assert_eq!(read.text().trim_end(), line.trim_end(), "{filler} {encoding}");
        }
    }
}

#[test]
fn depth_is_bounded() {
    let part = "Content-Type: message/rfc822\r\n\r\n".repeat(1000);
    assert_eq!(fitted(format!("{part}\u{e5}").as_bytes(), false), Err(Unfit::Unreadable));
}
