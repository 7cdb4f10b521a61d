//! A relay for tests: a [`MockServer`], and connections to it with short timeouts.

use std::time::Duration;

use depesch::mock_smtp::script::Script;
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::transport::relay::{Encryption, Relay, RelaySettings, Timeouts};
use depesch::transport::{Connection, Envelope, Outcome, Transport};

/// A mock server that keeps whole messages and accepts everything.
pub fn mock() -> MockServer {
    MockServer::start(MockSettings::default()).unwrap()
}

/// A mock server that follows `script`.
pub fn scripted(script: impl Script) -> MockServer {
    let mock = mock();
    mock.follow(script);
    mock
}

/// Settings for a relay at `mock`, without TLS, with timeouts long enough for a busy machine.
pub fn settings(mock: &MockServer) -> RelaySettings {
    RelaySettings {
        host: "127.0.0.1".to_owned(),
        port: mock.address().port(),
        encryption: Encryption::None,
        hello_name: Some("depesch.example".to_owned()),
        timeouts: timeouts(Duration::from_secs(20)),
        ..RelaySettings::default()
    }
}

/// The same value for all timeouts.
pub fn timeouts(all: Duration) -> Timeouts {
    Timeouts { connect: all, greeting: all, command: all, data: all, block: all, message: all, quit: all }
}

/// A relay at `mock`.
pub fn relay(mock: &MockServer) -> Relay {
    Relay::new(settings(mock)).unwrap()
}

/// An open connection to `mock`.
pub async fn connect(mock: &MockServer) -> Box<dyn Connection> {
    relay(mock).connect().await.unwrap()
}

/// An envelope to `recipient`.
pub fn envelope(recipient: &str) -> Envelope {
    Envelope {
        sender: Some("media-bounces@lists.example.org".parse().unwrap()),
        recipient: recipient.parse().unwrap(),
        envelope_id: "m1-0".to_owned(),
    }
}

/// A small message with this Message-ID (without its angle brackets).
pub fn message(id: &str) -> Vec<u8> {
    format!("Message-ID: <{id}>\r\nFrom: press@example.org\r\nSubject: Invented\r\n\r\nGood morning.\r\n").into_bytes()
}

/// Sends one message over a new connection; `None` if no connection could be opened.
pub async fn send_one(relay: &Relay, recipient: &str, id: &str) -> Option<Outcome> {
    let mut connection = relay.connect().await.ok()?;
    let outcome = connection.send(&envelope(recipient), &message(id)).await;
    connection.close().await;
    Some(outcome)
}
