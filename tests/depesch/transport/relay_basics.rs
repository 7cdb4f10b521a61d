//! A message arrives unchanged over a relay, using the extensions the relay offers.

use depesch::mock_smtp::script::{Action, Point, Rules};
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::model::ledger::Stage;
use depesch::transport::relay::{Relay, RelaySettings};
use depesch::transport::{Outcome, Transport};

use crate::support::relay::{connect, envelope, message, mock, relay, scripted, send_one, settings};

fn offering(extensions: &[&str]) -> MockServer {
    let extensions = extensions.iter().map(|e| (*e).to_owned()).collect();
    MockServer::start(MockSettings { extensions, ..MockSettings::default() }).unwrap()
}

#[tokio::test]
async fn a_message_arrives_byte_for_byte() {
    for mock in [mock(), offering(&[])] {
        let mut connection = connect(&mock).await;
        let bodies: [&[u8]; 9] = [
            b"plain\r\n",
            b".\r\n",
            b"..\r\n.a\r\n",
            b"\r\n.\r\n\r\n..\r\n",
            b"a.\r\n.",
            b"",
            b"no line end",
            b"..",
            &b"0123456789\r\n.\r\n".repeat(20_000),
        ];
        for (number, body) in bodies.iter().enumerate() {
            let bytes = [format!("Message-ID: <{number}@x>\r\n\r\n").as_bytes(), body].concat();
            let outcome = connection.send(&envelope("a@example.org"), &bytes).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            let mut expected = bytes.clone();
            if !expected.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            let got = &mock.record().messages()[number];
            assert!(got.bytes == expected, "body {number} changed on its way");
        }
        assert_eq!(mock.record().totals().connections, 1);
        assert_eq!(mock.record().totals().bare_line_ends, 0);
    }
}

#[tokio::test]
async fn a_message_with_a_shared_end_arrives_byte_for_byte() {
    let plain = b"0123456789\r\n.\r\n".repeat(20_000);
    for (mock, end) in [(mock(), plain.as_slice()), (offering(&[]), &plain), (mock(), "å\r\n.".as_bytes())] {
        let mut connection = connect(&mock).await;
        for (number, tail) in ["", "\r", "\r\n", "\r\n."].into_iter().enumerate() {
            let beginning = format!("Message-ID: <{number}@x>\r\n\r\ntext{tail}");
            let end = [if tail == "\r" { b"\n".as_slice() } else { b"" }, end].concat();
            let outcome = connection.send_pieces(&envelope("a@example.org"), [beginning.as_bytes(), &end]).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            let mut expected = [beginning.as_bytes(), &end].concat();
            if !expected.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            assert!(mock.record().messages()[number].bytes == expected, "{number} changed on its way");
        }
        let outcome = connection.send_pieces(&envelope("a@example.org"), [b"A: b\r\n\r\nx\r", b"y\r\n"]).await;
        assert!(matches!(outcome, Outcome::Impossible(_)), "a bare CR where the pieces meet: {outcome:?}");
        assert_eq!(mock.record().totals().bare_line_ends, 0);
    }
}

#[tokio::test]
async fn content_that_begins_with_a_dot_is_stuffed() {
    let mock = mock();
    let mut connection = connect(&mock).await;
    let outcome = connection.send(&envelope("a@example.org"), b".\r\nrest\r\n").await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    assert_eq!(mock.record().messages()[0].bytes, b".\r\nrest\r\n");
}

#[tokio::test]
async fn a_bare_line_end_never_leaves() {
    let mock = mock();
    let mut connection = connect(&mock).await;
    for smuggled in [&b"a\r\n\n.\r\nMAIL FROM:<x@example.org>\r\n"[..], b"a\n.\n", b"a\r.\r\r\n", b"\r"] {
        let outcome = connection.send(&envelope("a@example.org"), smuggled).await;
        assert!(matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
    }
    assert_eq!(mock.record().totals().accepted, 0);
    let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "the connection goes on: {outcome:?}");
}

#[tokio::test]
async fn only_offered_extensions_are_used() {
    let cases: [(&[&str], &str, &str); 3] = [
        (&[], "", ""),
        (&["PIPELINING", "SIZE"], "SIZE=88", ""),
        (
            &["8BITMIME", "SIZE 1000", "DSN", "PIPELINING"],
            "SIZE=88 RET=HDRS ENVID=m1-0",
            "NOTIFY=FAILURE ORCPT=rfc822;a+2Bb@example.org",
        ),
    ];
    for (offers, sender, recipient) in cases {
        let sender = sender.replace("88", &message("1@x").len().to_string());
        let mock = offering(offers);
        let outcome = connect(&mock).await.send(&envelope("a+b@example.org"), &message("1@x")).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        let got = &mock.record().messages()[0];
        assert_eq!((&got.sender_parameters, got.recipient_parameters[0].as_str()), (&sender, recipient));
        assert_eq!(got.sender, "media-bounces@lists.example.org");
        assert_eq!(got.recipients, ["a+b@example.org"]);
    }
}

#[tokio::test]
async fn a_message_that_a_relay_cannot_carry_fails_alone() {
    let mock = offering(&["PIPELINING", "SIZE 200"]);
    let mut connection = connect(&mock).await;
    let big = [b'a'; 300];
    let signed = "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nå\r\n--b--\r\n";
    let cases = [
        (envelope("åsa@example.org"), message("1@x"), "SMTPUTF8"),
        (envelope("a@example.org"), signed.as_bytes().to_vec(), "8BITMIME (RFC 6152): a part of the message is signed"),
        (envelope("a@example.org"), big.to_vec(), "200"),
    ];
    for (envelope, message, why) in cases {
        match connection.send(&envelope, &message).await {
            Outcome::Impossible(text) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    let outcome = connection.send(&envelope("a@example.org"), &message("2@x")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    assert_eq!(mock.record().totals().accepted, 1);
}

#[tokio::test]
async fn a_relay_that_carries_only_ascii_gets_ascii() {
    let mock = offering(&["PIPELINING"]);
    let bytes = "Subject: å\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nRäka\r\n".as_bytes();
    let outcome = connect(&mock).await.send(&envelope("a@example.org"), bytes).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let got = mock.record().messages()[0].bytes.clone();
    let read = depesch::mail::incoming::Incoming::parse(&got).unwrap();
    assert!(got.is_ascii());
    assert_eq!((read.subject(), read.text().trim_end()), ("å", "Räka"));
}

#[tokio::test]
async fn letters_beyond_ascii_travel_where_smtputf8_is_offered() {
    let mock = mock();
    let bytes = "To: åsa@example.org\r\n\r\n".as_bytes();
    let outcome = connect(&mock).await.send(&envelope("åsa@example.org"), bytes).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let got = &mock.record().messages()[0];
    assert_eq!(got.recipients, ["åsa@example.org"]);
    assert!(got.sender_parameters.contains("BODY=8BITMIME SMTPUTF8"), "{}", got.sender_parameters);
}

#[tokio::test]
async fn a_refused_recipient_keeps_the_connection() {
    for offers in [&["PIPELINING"][..], &[]] {
        let mock = offering(offers);
        mock.follow(Rules::new().refuse("gone", "550 5.1.1 no such user"));
        let mut connection = connect(&mock).await;
        for round in 0..3 {
            match connection.send(&envelope("gone@example.org"), &message("1@x")).await {
                Outcome::Refused { stage: Stage::Recipient, reply } => assert_eq!(reply.enhanced(), Some("5.1.1")),
                other => panic!("{other:?}"),
            }
            assert!(connection.is_usable());
            let outcome = connection.send(&envelope("here@example.org"), &message(&format!("{round}@x"))).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        }
        connection.close().await;
        let totals = mock.record().totals();
        assert_eq!((totals.connections, totals.accepted, totals.without_recipient), (1, 3, 0));
    }
}

#[tokio::test]
async fn a_data_accepted_without_recipients_is_ended_empty() {
    // RFC 2920 §3.1: some servers say 354 although they took no recipient.
    for last in ["554 5.5.1 no valid recipients", "250 2.0.0 thank you for nothing"] {
        let rules = Rules::new()
            .refuse("gone", "550 5.1.1 no such user")
            .once_at(Point::Data, Action::Reply("354 go on".to_owned()))
            .once_at(Point::Message, Action::Reply(last.to_owned()));
        let mock = scripted(rules);
        let mut connection = connect(&mock).await;
        match connection.send(&envelope("gone@example.org"), &message("1@x")).await {
            Outcome::Refused { stage: Stage::Recipient, reply } => assert_eq!(reply.code, 550),
            other => panic!("{other:?}"),
        }
        assert_eq!(mock.record().totals().accepted, 0);
        let outcome = connection.send(&envelope("here@example.org"), &message("2@x")).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        assert_eq!(mock.record().totals().bytes as usize, message("2@x").len());
    }
}

#[tokio::test]
async fn no_settings_put_a_line_end_into_a_command() {
    let mock = mock();
    let mut hostile = settings(&mock);
    hostile.hello_name = Some("a\r\nMAIL FROM:<evil@example.org>".to_owned());
    let relay = Relay::new(hostile).unwrap();
    let mut connection = relay.connect().await.unwrap();
    let mut envelope = envelope("a@example.org");
    envelope.envelope_id = "1\r\nRCPT TO:<evil@example.org>\r\n".to_owned();
    let outcome = connection.send(&envelope, &message("1@x")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let got = &mock.record().messages()[0];
    assert_eq!(got.recipients, ["a@example.org"]);
    assert_eq!(got.sender, "media-bounces@lists.example.org");
}

#[tokio::test]
async fn unusual_replies_are_understood() {
    let cases = [
        ("250", 250, ""),
        ("250 2.0.0 sk\u{f6}nt", 250, "2.0.0 sk\u{f6}nt"),
        ("250-2.0.0 one\r\n250 2.0.0 two", 250, "2.0.0 one / 2.0.0 two"),
        ("571 5.7.1 not authorised", 550, "5.7.1 not authorised (571)"),
        ("550-5.7.1 one\r\n550 5.7.1 two", 550, "5.7.1 one two"),
        ("550 5.7.1 bell \u{7}", 550, "5.7.1 bell"),
    ];
    for (said, code, text) in cases {
        let mock = scripted(Rules::new().at(Point::Message, Action::Reply(said.to_owned())));
        let reply = match send_one(&relay(&mock), "a@example.org", "1@x").await.unwrap() {
            Outcome::Accepted(reply) | Outcome::Refused { stage: Stage::Message, reply } => reply,
            other => panic!("{said:?}: {other:?}"),
        };
        assert_eq!((reply.code, reply.text.trim_end()), (code, text), "{said:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_relay_ended_between_messages_loses_nothing() {
    let closing = |event: &depesch::mock_smtp::script::Event<'_>| match (event.point, event.connection) {
        (Point::Message, 0) => Action::ReplyThenClose("250 2.0.0 OK".to_owned()),
        _ => Action::Proceed,
    };
    let mock = scripted(closing);
    let mut connection = connect(&mock).await;
    let first = connection.send(&envelope("a@example.org"), &message("1@x")).await;
    assert!(matches!(first, Outcome::Accepted(_)), "{first:?}");
    // The dispatcher asks this before it commits an intent; a connection that says no costs no attempt.
    while connection.is_usable() {
        tokio::task::yield_now().await;
    }
    let second = connection.send(&envelope("a@example.org"), &message("2@x")).await;
    assert!(matches!(second, Outcome::NotSent(_)), "{second:?}");
    assert_eq!(mock.record().totals().accepted, 1);
}

#[tokio::test]
async fn a_connection_accepts_a_limited_number_of_messages() {
    let mock = mock();
    let relay = Relay::new(RelaySettings { messages_per_connection: 2, ..settings(&mock) }).unwrap();
    let mut connection = relay.connect().await.unwrap();
    for usable_after in [true, false] {
        connection.send(&envelope("a@example.org"), &message("1@x")).await;
        assert_eq!(connection.is_usable(), usable_after);
    }
}

#[test]
fn no_address_carries_what_an_smtp_line_must_not() {
    // Every byte in every place: what is taken as an address never ends its angle brackets, its line or its text.
    let templates = ["a{}b@example.org", "{}a@example.org", "a{}@example.org", "a@exa{}mple.org", "a@example.org{}"];
    for template in templates {
        for character in (0..=255u8).map(char::from).chain(['\u{2028}', '\u{ff1e}', '\u{200b}', '\u{feff}']) {
            let text = template.replace("{}", &character.to_string());
            if let Ok(address) = text.parse::<depesch::base::address::Address>() {
                let harmful = |c: char| c.is_control() || c.is_whitespace() || "<>\"\\,;:()[]".contains(c);
                assert!(!address.as_str().contains(harmful), "{text:?} became {:?}", address.as_str());
            }
        }
    }
}
