//! The mock SMTP server itself: it accepted exactly what it reports; other tests and the bench rely on that.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use depesch::mock_smtp::record::Keep;
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::transport::Outcome;

use crate::support::relay::{connect, envelope, message, mock};

/// Says all of `said` at once and gives the codes of as many replies, the greeting first.
fn codes(mock: &MockServer, said: &[u8], count: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(mock.address()).unwrap();
    stream.write_all(said).unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.filter(|line| line.as_bytes().get(3) == Some(&b' ')).take(count).map(|line| line[..3].to_owned()).collect()
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let said =
        b"EHLO a\r\nRCPT TO:<a@example.org>\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nRSET\r\nNOOP\r\nBOO\r\nQUIT\r\n";
    let expected = ["220", "250", "503", "250", "503", "503", "250", "250", "500", "221"];
    assert_eq!(codes(&mock(), said, 10), expected);
}

#[test]
fn only_crlf_dot_crlf_ends_a_message_and_bare_line_ends_are_refused() {
    let mock = mock();
    for smuggled in [&b"a\n.\nb"[..], b"a\n.\r\nb", b"a\r.\rb", b"a\r\n.\nb", b"a\r\n.\rb"] {
        let mut said = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n".to_vec();
        said.extend_from_slice(smuggled);
        said.extend_from_slice(b"\r\n.\r\nQUIT\r\n");
        assert_eq!(codes(&mock, &said, 7)[5..], ["550", "221"], "{:?}", String::from_utf8_lossy(smuggled));
    }
    let totals = mock.record().totals();
    assert_eq!((totals.accepted, totals.bare_line_ends), (0, 5));
    assert_eq!(codes(&mock, b"EHLO a\r\nNOOP\nMAIL FROM:<a@example.org>\r\nQUIT\r\n", 4), ["220", "250", "500", "221"]);
}

#[test]
fn what_is_too_big_is_refused() {
    let mock = MockServer::start(MockSettings { max_size: 100, ..MockSettings::default() }).unwrap();
    let begin = "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n";
    for (length, code) in [(98, "250"), (99, "552")] {
        let said = format!("{begin}{}\r\n.\r\n", "x".repeat(length));
        assert_eq!(codes(&mock, said.as_bytes(), 6)[5], code);
    }
}

#[tokio::test]
async fn its_log_and_maildir_contain_a_message_before_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (log, maildir) = (folder.path().join("log"), folder.path().join("mail"));
    let keep = Keep { log: Some(log.clone()), maildir: Some(maildir.clone()), ..Keep::default() };
    let mock = MockServer::start(MockSettings { threads: 2, keep, ..MockSettings::default() }).unwrap();
    let mut expected = String::new();
    for number in 0..10 {
        let id = format!("{number}@x");
        let outcome = connect(&mock).await.send(&envelope("a@example.org"), &message(&id)).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        expected.push_str(&format!("<{id}> a@example.org\n"));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
        assert_eq!(std::fs::read_dir(maildir.join("new")).unwrap().count(), number + 1);
    }
}

#[tokio::test]
async fn a_stopped_mock_server_ends_its_connections() {
    let mut mock = mock();
    let mut connection = connect(&mock).await;
    mock.stop();
    let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
}
