//! The listener over real sockets: ingest, limits, timeouts, an orderly stop. The dialogue is tested without sockets.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::atomic::Ordering::Relaxed;

use chrono::Duration;
use depesch::inbound::recipients::Refusal;
use depesch::model::inbound::Via;
use depesch::smtp::listener::{Inherited, ListenError, Listener};
use depesch::smtp::session::Protocol;
use depesch::smtp::settings::{Limits, ListenerSettings, SocketFile};
use depesch::socket::SocketError;
use tokio::net::{TcpStream, UnixStream};

use crate::support::listener::{Client, on_loopback, start, start_with};

#[tokio::test]
async fn a_message_reaches_the_ingest() {
    let running = start(on_loopback()).await;
    let mut client = running.client().await;
    assert_eq!(client.message("first").await, "250 2.6.0 message accepted\r\n");
    // Larger than any buffer on the way.
    let large = "0123456789\r\n".repeat(100_000);
    assert!(client.message(&large).await.starts_with("250 2.6.0"));
    *running.ingest.refusal.lock().unwrap() = Some(Refusal::Full);
    assert!(client.message("third").await.starts_with("452 4.3.1"));
    assert_eq!(client.say("QUIT").await, "221 2.0.0 goodbye\r\n");
    assert_eq!(client.reply().await, "");
    let taken = running.ingest.taken.lock().unwrap();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].arrival.peer, Some("127.0.0.1".parse().unwrap()));
    assert!(taken[1].bytes.ends_with(format!("{large}\r\n").as_bytes()));
    assert_eq!(running.counters.messages.load(Relaxed), 2);
}

/// RFC 5321 §4.5.3.2.7: at least five minutes for a command, even if it arrives byte by byte.
#[tokio::test]
async fn an_idle_peer_is_dismissed_after_five_minutes() {
    let running = start(on_loopback()).await;
    let mut idle = running.client().await;
    let mut trickling = running.client().await;
    running.clock.advance(Duration::seconds(299));
    trickling.send(b"NO").await;
    assert!(running.client().await.say("NOOP").await.starts_with("250"), "others are served");
    running.clock.advance(Duration::seconds(1));
    assert!(idle.reply().await.starts_with("421 4.4.2"));
    assert_eq!(idle.reply().await, "");
    assert!(trickling.reply().await.starts_with("421 4.4.2"));
}

#[tokio::test]
async fn a_message_that_comes_a_byte_at_a_time_is_cut_off() {
    let running = start(on_loopback()).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = running.client().await;
        client.begin().await;
        client.send(b"x").await;
        slow.push(client);
    }
    assert!(running.client().await.message("meanwhile").await.starts_with("250"), "others are served");
    running.clock.advance(Duration::seconds(60));
    for mut client in slow {
        assert!(client.reply().await.starts_with("421 4.4.2"));
        assert_eq!(client.reply().await, "");
    }
    assert_eq!(running.ingest.taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_total_of_connections_is_limited() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let running = start(ListenerSettings { limits, ..on_loopback() }).await;
    let mut first = running.client().await;
    let _second = running.client().await;
    let mut third = running.connect().await;
    assert_eq!(third.reply().await, "421 4.7.0 too many connections; try again later\r\n");
    assert_eq!(third.reply().await, "");
    assert_eq!(running.counters.turned_away.load(Relaxed), 1);
    first.say("QUIT").await;
    drop(first);
    // The slot is free as soon as the server sees that the peer is gone.
    while !running.connect().await.reply().await.starts_with("220") {}
}

#[tokio::test]
async fn a_stop_completes_messages_and_closes_other_connections() {
    let running = start(on_loopback()).await;
    let mut idle = running.client().await;
    let mut between = running.client().await;
    between.say("EHLO peer.example").await;
    between.say("MAIL FROM:<>").await;
    let mut sending = running.client().await;
    sending.begin().await;
    running.stop.send(()).unwrap();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert!(between.reply().await.starts_with("421 4.3.2"));
    drop((idle, between));
    assert!(sending.say("Subject: last\r\n\r\nlast\r\n.").await.starts_with("250 2.6.0"));
    assert!(sending.reply().await.starts_with("421 4.3.2"));
    drop(sending);
    running.task.await.unwrap();
    assert!(TcpStream::connect(running.addresses[0]).await.is_err());
    assert_eq!(running.ingest.taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let running = start(on_loopback()).await;
    let mut idle = running.client().await;
    let mut sending = running.client().await;
    sending.begin().await;
    running.stop.send(()).unwrap();
    // When the idle connection is closed, the stop has begun.
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    while !running.task.is_finished() {
        running.clock.advance(Duration::seconds(20));
        tokio::task::yield_now().await;
    }
    assert!(running.ingest.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn lmtp_is_spoken_on_a_unix_socket_with_its_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    // A socket left by a killed daemon.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let file = SocketFile { path: path.clone(), mode: 0o620, group: None };
    let settings = ListenerSettings { smtp: Vec::new(), lmtp_socket: Some(file), ..on_loopback() };
    let running = start(settings.clone()).await;
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o620);
    assert!(matches!(
        Listener::bind(settings, Vec::new()).await.err(),
        Some(ListenError::Socket(SocketError::Taken(_)))
    ));
    let mut client = Client::new(UnixStream::connect(&path).await.unwrap());
    assert!(client.reply().await.contains(" LMTP "));
    assert!(!client.say("LHLO postfix.example").await.contains("STARTTLS"));
    client.say("MAIL FROM:<>").await;
    client.say("RCPT TO:<media@lists.example.org>").await;
    client.say("RCPT TO:<members@lists.example.org>").await;
    client.say("DATA").await;
    assert!(client.say("A: b\r\n\r\n.").await.starts_with("250 2.6.0"));
    assert!(client.reply().await.starts_with("250 2.6.0"), "one reply for each recipient");
    client.say("QUIT").await;
    drop(client);
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert!(!path.exists());
    let arrival = running.ingest.taken.lock().unwrap()[0].arrival.clone();
    assert_eq!((arrival.via, arrival.peer), (Via::Lmtp, None));
}

/// RFC 2033 §5.
#[tokio::test]
async fn lmtp_is_never_spoken_on_port_25() {
    let settings = ListenerSettings { lmtp: vec!["127.0.0.1:25".parse().unwrap()], ..on_loopback() };
    let error = Listener::bind(settings, Vec::new()).await.err().unwrap();
    assert!(matches!(error, ListenError::LmtpOnSmtpPort(_)));
    assert!(error.to_string().contains("127.0.0.1:25"), "{error}");
}

#[tokio::test]
async fn sockets_may_be_inherited() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = ListenerSettings { smtp: Vec::new(), ..on_loopback() };
    let running = start_with(settings, vec![Inherited::Tcp(Protocol::Smtp, socket)]).await;
    assert!(running.client().await.message("inherited").await.starts_with("250"));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let mut nameless = on_loopback();
    nameless.session.host_name = "my host\r\n".to_owned();
    let mut narrow = on_loopback();
    narrow.limits.message_memory = narrow.session.max_message_bytes;
    let mut few = on_loopback();
    few.session.max_recipients = 99;
    for settings in [nameless, narrow, few] {
        assert!(matches!(Listener::bind(settings, Vec::new()).await.err(), Some(ListenError::Settings(_))));
    }
}
