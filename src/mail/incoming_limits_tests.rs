use super::*;
use crate::mail::incoming::Incoming;

fn excess(message: &str) -> Option<Excess> {
    readable(message.as_bytes()).excess
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";

#[test]
fn what_people_and_programs_send_is_whole() {
    let part = "--x\r\nContent-Type: text/plain\r\n\r\nHej!\r\n";
    let inner = "--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n";
    let forwarded = "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ntext\r\n";
    let dashes = format!("{}\r\n", "-".repeat(70)).repeat(20_000);
    let many: String = (0..600).map(|number| format!("Anna Ek {number} <anna.ek{number}@example.org>,\r\n ")).collect();
    for message in [
        format!("Subject: x\r\n\r\n{}", "text\r\n\r\n".repeat(100_000)),
        format!("{MIXED}{}--x--\r\n", part.repeat(300)),
        format!("{MIXED}{}--x--\r\n", inner.repeat(90)),
        format!("{MIXED}{}--x--\r\n", forwarded.repeat(90)),
        format!("Content-Type: multipart/mixed; boundary=\"----=_x\"\r\n\r\n------=_x\r\n\r\n{dashes}------=_x--\r\n"),
        format!("To: {many}last@example.org\r\n\r\nHej\r\n"),
        format!("Subject:{}\r\n\r\nHej\r\n", "\r\n =?utf-8?q?r=C3=A5d?=".repeat(400)),
        // A boundary that never occurs, as in a truncated message.
        format!("{MIXED}{}", "text\r\n".repeat(100_000)),
        format!("{}\r\n", "X-Field: value\r\n".repeat(900)),
    ] {
        assert_eq!(excess(&message), None, "{}", &message[..60]);
    }
}

#[test]
fn what_the_parser_would_build_is_counted_before() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(500);
    let searches: String =
        (0..150).map(|number| format!("--x\r\nContent-Type: multipart/mixed; boundary=b{number}\r\n\r\n")).collect();
    let boundaries: String = (0..300)
        .map(|number| format!("--x\r\nContent-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n"))
        .collect();
    for (message, why) in [
        (format!("{MIXED}{}", "--x\r\n\r\n\r\n".repeat(5000)), Excess::Parts),
        (format!("{MIXED}{}", "text --x\r\n\r\n".repeat(5000)), Excess::Parts),
        // The first delimiter begins a part, even if it looks like the last.
        (format!("{MIXED}--x--\r\n{}", "a:\r\n".repeat(5000)), Excess::Header),
        ("a:\n".repeat(5000), Excess::Header),
        // A line of spaces continues a field: it does not end the header.
        (format!("a:\n \n{}", "a:\n".repeat(5000)), Excess::Header),
        (format!("{MIXED}{}", format!("--x\r\n{}\r\n", "a:\r\n".repeat(900)).repeat(20)), Excess::Header),
        (format!("a: {}\r\n\r\n", "x".repeat(70_000)), Excess::Field),
        (format!("a: {}\r\n\r\n", "x\r\n ".repeat(20_000)), Excess::Field),
        (format!("To: {}\r\n\r\n", "g:a@b;".repeat(3000)), Excess::Field),
        (format!("References: {}\r\n\r\n", "<a>".repeat(5000)), Excess::Field),
        (format!("Subject: {}\r\n\r\n", "=?aa?q?x".repeat(3000)), Excess::Field),
        (format!("Content-Type: text/plain{}\r\n\r\n", ";a*1=b".repeat(5000)), Excess::Field),
        (nested.clone(), Excess::Messages),
        (format!("{MIXED}{searches}{}", "text\r\n".repeat(1_000_000)), Excess::Searches),
        (format!("{MIXED}{boundaries}"), Excess::Parts),
        (format!("Content-Type: multipart/mixed; boundary={}\r\n\r\n", "x".repeat(300)), Excess::Parts),
        // Names with spaces, boundaries in pieces: as the parser reads them.
        (
            format!(
                "C ontent-Ty pe : multipart/mixed; boundary*0=a;\r\n boundary*1=b\r\n\r\n{}",
                "--ab\r\n\r\n\r\n".repeat(5000)
            ),
            Excess::Parts,
        ),
    ] {
        let read = readable(message.as_bytes());
        assert_eq!(read.excess, Some(why), "{}", &message[..60]);
        assert!(read.length < message.len());
    }
}

#[test]
fn a_message_inside_an_encoding_is_counted_too() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let header =
        |encoding: &str| format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let inner = format!("Subject: x\r\n{}", "a:\r\n".repeat(5000));
    let once = format!("{}{}", header("base64"), STANDARD.encode(&inner));
    let twice = format!("{}{}", header("base64"), STANDARD.encode(&once));
    for message in [
        once,
        twice,
        format!("{}{}", header("Quoted-Printable"), inner.replace(':', "=3A")),
        format!("{}{}", header("=?us-ascii?q?base64?="), STANDARD.encode(&inner)),
    ] {
        assert_eq!(excess(&message), Some(Excess::Header), "{}", &message[..80]);
    }
    let harmless = format!("{}{}", header("base64"), STANDARD.encode("Subject: x\r\n\r\nHej\r\n"));
    assert_eq!(excess(&harmless), None);
    let unclear = format!("{MIXED}--x\r\n{}", header("base64").replace("\r\n\r\n", "\r\n--x\r\n\r\n"));
    assert_eq!(excess(&unclear), Some(Excess::Searches));
}

#[test]
fn what_is_read_is_within_the_limits_and_says_that_it_is_not_whole() {
    for message in [
        format!("Subject: x\r\n{MIXED}{}", "--x\r\n\r\n\r\n".repeat(150_000)),
        format!("Subject: x\r\n{}\r\n", "a:\n".repeat(500_000)),
        format!("Subject: x\r\nTo: {}\r\n\r\n", "g:a@b;".repeat(500_000)),
        format!("Subject: x\r\nContent-Type: multipart/digest; boundary=x\r\n\r\n{}", "--x\r\n\r\n\r\n".repeat(5000)),
    ] {
        let read = Incoming::parse(message.as_bytes()).unwrap();
        assert!(!read.is_whole());
        assert_eq!(read.subject(), "x");
        assert!(read.parts().len() <= 2 * MAX_PARTS + 1, "{}", read.parts().len());
        assert!(read.headers().len() <= MAX_FIELDS);
        assert!(read.correspondents("To").len() <= MAX_SEPARATORS);
    }
    let headers = Incoming::parse_headers("a: b\n".repeat(5000).as_bytes()).unwrap();
    assert_eq!((headers.headers().len(), headers.is_whole()), (MAX_FIELDS, false));
}
