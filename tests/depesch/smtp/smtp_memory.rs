//! Clients that fill the memory for messages and then send very slowly do not cause refusals of other clients' mail.

use chrono::Duration;
use depesch::smtp::session::SessionSettings;
use depesch::smtp::settings::{Limits, ListenerSettings};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::listener::{Client, Running, on_loopback, start};
use crate::support::smtp::settings;

/// Bytes of a line of text with its end.
const LINE: usize = 1000;

async fn small_memory() -> Running {
    let session = SessionSettings { max_message_bytes: 2_000_000, ..settings() };
    let limits = Limits { message_memory: 4_000_000, ..Limits::default() };
    start(ListenerSettings { session, limits, ..on_loopback() }).await
}

/// A client at another address of this machine, which has read the greeting.
async fn client_at(running: &Running, address: &str) -> Client<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let mut client = Client::new(socket.connect(running.addresses[0]).await.unwrap());
    assert!(client.reply().await.starts_with("220 "));
    client
}

/// Lines with this total of bytes; `Client::message` sends them twice.
fn text(bytes: usize) -> String {
    format!("{}\r\n", "x".repeat(LINE - 2)).repeat(bytes / LINE)
}

/// Four clients, each of which sent `bytes` of a message and now waits; the server has read everything.
async fn slow(running: &Running, bytes: usize, address: impl Fn(usize) -> String) -> Vec<Client<TcpStream>> {
    let mut all = Vec::new();
    for number in 0..4 {
        let mut client = client_at(running, &address(number)).await;
        client.begin().await;
        send(running, &mut client, bytes).await;
        all.push(client);
    }
    all
}

/// Sends this many bytes and waits until the server holds them.
async fn send(running: &Running, client: &mut Client<TcpStream>, bytes: usize) {
    let before = running.memory.free();
    client.send(text(bytes).as_bytes()).await;
    while running.memory.free() + bytes > before + 8192 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn mail_of_others_continues_beside_a_peer_with_many_connections() {
    let running = small_memory().await;
    let slow = slow(&running, 700_000, |_| "127.0.0.2".to_owned()).await;
    let mut other = client_at(&running, "127.0.0.9").await;
    assert!(other.message(&text(700_000)).await.starts_with("250"));
    assert!(other.message("small").await.starts_with("250"));
    let mut same = client_at(&running, "127.0.0.2").await;
    assert!(same.message("small").await.starts_with("250"), "small mail has a part of its own");
    drop(slow);
}

#[tokio::test]
async fn slow_peers_give_way_and_are_told_to_retry() {
    let running = small_memory().await;
    let mut slow = slow(&running, 700_000, |number| format!("127.0.0.{}", number + 2)).await;
    running.clock.advance(Duration::seconds(60));
    let mut other = client_at(&running, "127.0.0.9").await;
    assert!(other.message(&text(950_000)).await.starts_with("250"), "the slow ones give way");
    let mut refused = 0;
    for client in &mut slow {
        client.send(b"\r\n.\r\n").await;
        let reply = client.reply().await;
        assert!(reply.starts_with("250") || reply.starts_with("452 4.3.1"), "{reply}");
        refused += usize::from(reply.starts_with("452"));
    }
    assert!((1..4).contains(&refused), "{refused}");
    assert_eq!(running.memory.free(), 4_000_000);
}

/// Memory of a message that is given up is free at once, not only when its sender continues.
#[tokio::test]
async fn memory_of_a_message_given_up_is_freed_while_its_sender_is_silent() {
    let running = small_memory().await;
    let slow = slow(&running, 700_000, |_| "127.0.0.2".to_owned()).await;
    let mut other = client_at(&running, "127.0.0.9").await;
    other.begin().await;
    send(&running, &mut other, 1_000).await;
    other.send(text(1_500_000).as_bytes()).await;
    // Two of the four are gone: 1.4 MB and 1.5 MB are held.
    while running.memory.free() > 4_000_000 - 2_890_000 {
        tokio::task::yield_now().await;
    }
    assert!(running.memory.free() >= 4_000_000 - 2_950_000, "{}", running.memory.free());
    drop(slow);
}

#[tokio::test]
async fn a_large_message_that_arrives_too_slowly_is_cut_off() {
    let running = small_memory().await;
    let mut slow = slow(&running, 600_000, |number| format!("127.0.0.{}", number + 2)).await;
    running.clock.advance(Duration::seconds(60));
    for client in &mut slow {
        send(&running, client, 100_000).await;
    }
    running.clock.advance(Duration::seconds(60));
    for client in &mut slow {
        assert!(client.reply().await.starts_with("421 4.4.2"));
    }
}
