//! Whatever a relay does, the outcome states exactly what is known: a message certainly not accepted is never reported
//! as accepted or in doubt, and one that may have been accepted is never reported as not sent.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;

use depesch::mock_smtp::script::{Action, Cut, Event, Point, Rules, Script};
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::model::ledger::Stage;
use depesch::transport::relay::{Encryption, Relay, RelaySettings, Timeouts};
use depesch::transport::{ConnectError, Outcome, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::relay::{connect, envelope, message, mock, relay, scripted, settings, timeouts};

const SHORT: Duration = Duration::from_millis(80);
const LONG: Duration = Duration::from_secs(20);

fn without_pipelining() -> MockServer {
    MockServer::start(MockSettings { extensions: vec!["SIZE".to_owned()], ..MockSettings::default() }).unwrap()
}

#[tokio::test]
async fn every_code_at_every_command_is_reported_with_its_stage() {
    let stages = [
        (Point::Mail, Stage::Mail),
        (Point::Recipient, Stage::Recipient),
        (Point::Data, Stage::Data),
        (Point::Message, Stage::Message),
    ];
    for code in [421, 450, 550, 554] {
        for (point, stage) in stages {
            for mock in [mock(), without_pipelining()] {
                mock.follow(Rules::new().once_at(point, Action::Reply(format!("{code} 9.9.9 so it is"))));
                let mut connection = connect(&mock).await;
                match connection.send(&envelope("a@example.org"), &message("1@x")).await {
                    Outcome::Refused { stage: told, reply } => assert_eq!((told, reply.code), (stage, code)),
                    other => panic!("{code} at {point:?}: {other:?}"),
                }
                assert_eq!(mock.record().totals().accepted, 0, "{code} at {point:?}");
                assert_eq!(connection.is_usable(), code != 421, "{code} at {point:?}");
                if connection.is_usable() {
                    let next = connection.send(&envelope("b@example.org"), &message("2@x")).await;
                    assert!(matches!(next, Outcome::Accepted(_)), "after {code} at {point:?}: {next:?}");
                }
            }
        }
        for point in [Point::Greeting, Point::Ehlo] {
            let mock = scripted(Rules::new().at(point, Action::Reply(format!("{code} no"))));
            match relay(&mock).connect().await.err() {
                Some(ConnectError::TurnedAway(reply)) => assert_eq!(reply.code, code),
                other => panic!("{code} at {point:?}: {other:?}"),
            }
        }
    }
}

/// Cuts the n-th connection after n bytes.
struct CutAtNumber(fn(usize) -> Cut);

impl Script for CutAtNumber {
    fn decide(&self, _event: &Event<'_>) -> Action {
        Action::Proceed
    }

    fn cut(&self, connection: u64) -> Option<Cut> {
        Some(self.0(connection as usize))
    }
}

/// Sends over connections that the relay cuts at each byte in turn; gives the outcomes there were.
async fn cut_everywhere(mock: &MockServer, cut: fn(usize) -> Cut) -> Vec<(Option<Outcome>, u64)> {
    mock.follow(CutAtNumber(cut));
    let relay = relay(mock);
    let mut outcomes = Vec::new();
    loop {
        let before = mock.record().totals().accepted;
        let outcome = match relay.connect().await {
            Ok(mut connection) => Some(connection.send(&envelope("a@example.org"), &message("1@x")).await),
            Err(_) => None,
        };
        let taken = mock.record().totals().accepted - before;
        let done = matches!(outcome, Some(Outcome::Accepted(_)));
        outcomes.push((outcome, taken));
        if done {
            return outcomes;
        }
        assert!(outcomes.len() < 2000, "no message ever went through");
    }
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_has_a_definite_outcome() {
    for mock in [mock(), without_pipelining()] {
        for (number, (outcome, taken)) in cut_everywhere(&mock, Cut::AfterReceived).await.into_iter().enumerate() {
            match outcome {
                None | Some(Outcome::NotSent(_)) => assert_eq!(taken, 0, "cut after {number} received"),
                // The bytes left here, and were never read there.
                Some(Outcome::Unknown(_)) => {}
                Some(Outcome::Accepted(_)) => assert_eq!(taken, 1, "cut after {number} received"),
                Some(other) => panic!("cut after {number} received: {other:?}"),
            }
        }
    }
    for mock in [mock(), without_pipelining()] {
        let outcomes = cut_everywhere(&mock, Cut::AfterSent).await;
        let unknown = outcomes.iter().filter(|(outcome, _)| matches!(outcome, Some(Outcome::Unknown(_)))).count();
        assert!(unknown > 10, "each byte of the last reply leaves a doubt, not only {unknown}");
        for (number, (outcome, taken)) in outcomes.into_iter().enumerate() {
            match outcome {
                None | Some(Outcome::NotSent(_)) => assert_eq!(taken, 0, "cut after {number} sent"),
                Some(Outcome::Unknown(_) | Outcome::Accepted(_)) => assert_eq!(taken, 1, "cut after {number} sent"),
                Some(other) => panic!("cut after {number} sent: {other:?}"),
            }
        }
    }
}

#[test]
fn a_client_that_vanishes_at_any_byte_leaves_no_half_message() {
    let mock = mock();
    let dialogue =
        b"EHLO a\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nA: b\r\n\r\n..c\r\n.\r\n";
    for length in 0..=dialogue.len() {
        let before = mock.record().totals().accepted;
        let mut stream = std::net::TcpStream::connect(mock.address()).unwrap();
        stream.write_all(&dialogue[..length]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        let taken = mock.record().totals().accepted - before;
        assert_eq!(taken, u64::from(length == dialogue.len()), "after {length} bytes: {answers}");
    }
    assert_eq!(mock.record().messages()[0].bytes, b"A: b\r\n\r\n.c\r\n");
}

#[tokio::test]
async fn a_silent_relay_is_not_waited_for_without_end() {
    for (mock, pipelining) in [(mock(), true), (without_pipelining(), false)] {
        // Only what is tried is impatient, so that a busy machine changes nothing.
        let impatient = |timeouts| Relay::new(RelaySettings { timeouts, ..settings(&mock) }).unwrap();
        let relay = impatient(Timeouts { command: SHORT, data: SHORT, ..timeouts(LONG) });
        for point in [Point::Mail, Point::Recipient, Point::Data] {
            mock.follow(Rules::new().at(point, Action::Silence));
            let mut connection = relay.connect().await.unwrap();
            let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
            assert!(matches!(outcome, Outcome::NotSent(_)), "{point:?}, pipelining {pipelining}: {outcome:?}");
            assert!(!connection.is_usable());
        }
        let relay = impatient(Timeouts { message: SHORT, ..timeouts(LONG) });
        for (silence, taken) in [(Action::Silence, 0), (Action::AcceptThenSilence, 1), (Action::AcceptThenClose, 2)] {
            mock.follow(Rules::new().at(Point::Message, silence));
            let mut connection = relay.connect().await.unwrap();
            let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            assert_eq!(mock.record().totals().accepted, taken);
        }
        let relay = impatient(Timeouts { greeting: SHORT, ..timeouts(LONG) });
        for point in [Point::Greeting, Point::Ehlo] {
            mock.follow(Rules::new().at(point, Action::Silence));
            let error = relay.connect().await.err();
            assert!(matches!(error, Some(ConnectError::Unreachable(_))), "{point:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_relay_is_waited_for() {
    let mut rules = Rules::new();
    for point in Point::ALL {
        rules = rules.at(point, Action::Delay(Duration::from_millis(5)));
    }
    let mock = scripted(rules);
    let outcome = connect(&mock).await.send(&envelope("a@example.org"), &message("1@x")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
}

/// A relay by hand: says `lines` one after the other, each after some input; then `end` decides.
async fn by_hand(
    lines: &'static [&'static str],
    reads_on: bool,
    timeouts: Timeouts,
) -> (Relay, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut space = vec![0; 4096];
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                assert!(stream.read(&mut space).await.unwrap() > 0);
            }
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        while reads_on && stream.read(&mut space).await.is_ok_and(|count| count > 0) {}
        if !reads_on {
            std::future::pending::<()>().await;
        }
    });
    let settings = RelaySettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::None,
        timeouts,
        ..RelaySettings::default()
    };
    (Relay::new(settings).unwrap(), task)
}

const READY: &str = "220 by hand\r\n";
const HELLO: &str = "250-by hand\r\n250 PIPELINING\r\n";
const BEGUN: &str = "250 ok\r\n250 ok\r\n354 go\r\n";

#[tokio::test]
async fn a_relay_that_stops_reading_midway_has_not_accepted_it() {
    let (relay, task) =
        by_hand(&[READY, HELLO, HELLO, BEGUN], false, Timeouts { block: SHORT * 4, ..timeouts(LONG) }).await;
    let mut connection = relay.connect().await.unwrap();
    let outcome = connection.send(&envelope("a@example.org"), &b"0123456789\r\n".repeat(1_300_000)).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    task.abort();
}

#[tokio::test]
async fn an_answer_before_the_content_is_through_is_believed() {
    let (relay, task) = by_hand(
        &[READY, HELLO, HELLO, BEGUN, "552 5.3.4 enough\r\n"],
        false,
        Timeouts { block: SHORT * 4, ..timeouts(LONG) },
    )
    .await;
    let mut connection = relay.connect().await.unwrap();
    match connection.send(&envelope("a@example.org"), &b"0123456789\r\n".repeat(1_300_000)).await {
        Outcome::Refused { stage: Stage::Message, reply } => assert_eq!(reply.code, 552),
        other => panic!("{other:?}"),
    }
    assert!(!connection.is_usable());
    task.abort();
}

#[tokio::test]
async fn a_server_without_smtp_is_not_a_relay() {
    let greetings: [&'static [&'static str]; 4] = [
        &["HTTP/1.1 400 Bad Request\r\n\r\n"],
        &["\r\n"],
        &["999 what\r\n"],
        &["220 well\r\n", "250-half a reply\r\n"],
    ];
    for lines in greetings {
        let (relay, task) = by_hand(lines, true, Timeouts { greeting: SHORT * 4, ..timeouts(LONG) }).await;
        let error = relay.connect().await.err();
        assert!(matches!(error, Some(ConnectError::Unreachable(_))), "{lines:?}: {error:?}");
        task.abort();
    }
    // An endless line is cut off before it fills the memory.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.write_all(&[b'2'; 65_536]).await.is_ok() {}
    });
    let endless = RelaySettings { port, timeouts: timeouts(LONG), ..settings(&mock()) };
    let error = Relay::new(endless).unwrap().connect().await.err();
    assert!(matches!(&error, Some(ConnectError::Unreachable(text)) if text.contains("endless line")), "{error:?}");
    task.abort();
}

#[tokio::test]
async fn a_strange_answer_to_data_or_message_ends_the_connection() {
    let cases = [
        (Point::Data, "250 2.0.0 done already", true),
        (Point::Data, "220 hm", true),
        (Point::Message, "354 more", false),
    ];
    for (point, said, surely_not) in cases {
        let mock = scripted(Rules::new().at(point, Action::ReplyThenClose(said.to_owned())));
        let mut connection = connect(&mock).await;
        let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
        assert_eq!(matches!(outcome, Outcome::NotSent(_)), surely_not, "{said}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), !surely_not, "{said}: {outcome:?}");
        assert!(!connection.is_usable());
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let mut mock = mock();
    let relay = relay(&mock);
    mock.stop();
    let error = relay.connect().await.err();
    assert!(matches!(error, Some(ConnectError::Unreachable(_))), "{error:?}");
}

#[tokio::test]
async fn a_refused_reset_ends_the_connection_without_an_attempt() {
    let rules = Rules::new().refuse("gone", "550 5.1.1 no").at(Point::Reset, Action::Reply("500 no".to_owned()));
    let mock = scripted(rules);
    let mut connection = connect(&mock).await;
    connection.send(&envelope("gone@example.org"), &message("1@x")).await;
    let outcome = connection.send(&envelope("a@example.org"), &message("2@x")).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    assert!(!connection.is_usable());
    assert_eq!(mock.record().totals().accepted, 0);
}

#[tokio::test]
async fn a_mock_server_keeps_order_and_counts_over_many_connections() {
    let seen = Mutex::new(Vec::new());
    let mock = scripted(move |event: &Event<'_>| {
        seen.lock().unwrap().push(event.point);
        Action::Proceed
    });
    for connection_number in 0..5 {
        let mut connection = connect(&mock).await;
        for number in 0..20 {
            let id = format!("{connection_number}.{number}@x");
            let outcome = connection.send(&envelope("a@example.org"), &message(&id)).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        }
    }
    let again = connect(&mock).await.send(&envelope("a@example.org"), &message("0.0@x")).await;
    assert!(matches!(again, Outcome::Accepted(_)), "{again:?}");
    let copies = mock.record().copies();
    assert_eq!((copies.distinct, copies.doubled, mock.record().times("<0.0@x>")), (100, 1, 2));
}
