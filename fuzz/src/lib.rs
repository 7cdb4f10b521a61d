//! What the fuzz targets share.

use std::sync::LazyLock;

use depesch::bounce::{Reader, Reading};
use depesch::mail::incoming::Incoming;
use depesch::model::bounce::Verdict;
use depesch::model::classify::Classifier;

pub mod work;

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Classifier::shipped().unwrap()).unwrap());

/// Reads a message that came back, and checks what is promised of every reading.
pub fn read_bounce(bytes: &[u8]) {
    let Ok(message) = Incoming::parse(bytes) else { return };
    let reading: Reading = READER.read(&message);
    for one in &reading.recipients {
        for address in one.address.iter().chain(&one.also) {
            assert!(!address.contains(|c: char| c.is_control()), "{one:?}");
        }
        assert!(!one.evidence.contains(|c: char| c.is_control()), "{one:?}");
        assert!(one.evidence.len() <= 500, "{one:?}");
        assert!(!one.counts || one.verdict == Verdict::Permanent || one.verdict == Verdict::Temporary, "{one:?}");
        assert!(!one.counts || !one.waits, "{one:?}");
    }
}

/// A report (RFC 6522) of `kind` whose second part, of `content_type`, is `part`.
pub fn report(kind: &str, content_type: &str, part: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: MAILER-DAEMON@mx.example.com\r\nSubject: report\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
         Content-Type: {content_type}\r\n\r\n"
    );
    let end = b"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nTo: karin@example.com\r\n\r\n--b--\r\n";
    [head.as_bytes(), part, end].concat()
}
