//! One connection: moves bytes between a peer and its [`Session`], passes the session's questions to the ingest, and
//! enforces timeouts.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::watch;

use crate::base::clock::Clock;
use crate::inbound::recipients::{Ingest, Recipient, Refusal};

use super::counters::Counters;
use super::memory::{GivenUp, MessageMemory};
use super::reply::Dismissal;
use super::session::{Message, Peer, Protocol, Session, SessionSettings, Step};
use super::settings::Limits;
use super::stream::Stream;
use super::timeouts::{Alarm, Timeouts};
use super::tls::Tls;

/// Initial capacity for a peer's input, in bytes: there may be thousands who send next to nothing.
const FIRST_ROOM: usize = 1024;
/// Maximum capacity, for peers who fill it.
const MOST_ROOM: usize = 64 * 1024;
/// Capacity above this is released between messages.
const KEPT_ROOM: usize = 4096;
/// Maximum time in seconds, and maximum bytes, for which a peer is read after the last reply: if the connection were
/// closed at once with unread bytes on the way, it would be reset and the reply lost.
const LINGER_SECONDS: i64 = 2;
const LINGER_BYTES: usize = 256 * 1024;

/// The state shared by all connections of a listener.
pub(crate) struct Shared {
    pub session: Arc<SessionSettings>,
    pub limits: Limits,
    pub memory: Arc<MessageMemory>,
    pub tls: Option<Arc<Tls>>,
    pub ingest: Arc<dyn Ingest>,
    pub clock: Arc<dyn Clock>,
    pub counters: Arc<Counters>,
}

/// Waits until a message's memory is given to another one; for ever if no message is coming in.
async fn wait_for(given_up: Option<Arc<GivenUp>>) {
    match given_up {
        Some(given_up) => given_up.wait().await,
        None => std::future::pending().await,
    }
}

/// How a connection ended, for the log.
enum Ending {
    /// The session ended it.
    Said,
    /// The peer went away.
    PeerLeft,
    /// The peer accepted no more output, or TLS failed.
    Broken(io::Error),
}

struct Connection<'a> {
    shared: &'a Shared,
    id: String,
    peer: Option<IpAddr>,
    stream: Option<Stream>,
    session: Session,
    room: Vec<u8>,
    timeouts: Timeouts,
    alarm: Alarm,
    stopping: watch::Receiver<bool>,
}

/// Serves one connection until it ends.
pub(crate) async fn run(
    stream: Stream,
    protocol: Protocol,
    address: Option<IpAddr>,
    id: String,
    shared: &Shared,
    stopping: watch::Receiver<bool>,
) {
    let offers_tls = shared.tls.is_some() && matches!(stream, Stream::Tcp(_));
    let peer = Peer { protocol, address, offers_tls, id: id.clone() };
    let mut connection = Connection {
        shared,
        id,
        peer: address,
        stream: Some(stream),
        session: Session::new(shared.session.clone(), shared.memory.clone(), peer),
        room: Vec::new(),
        timeouts: Timeouts::new(shared.clock.steady(), &shared.limits),
        alarm: Alarm::default(),
        stopping,
    };
    let ending = connection.serve().await;
    let how = match &ending {
        Ending::Said => "ended",
        Ending::PeerLeft => "the peer left",
        Ending::Broken(_) => "broken",
    };
    let error = if let Ending::Broken(error) = &ending { Some(error) } else { None };
    let messages = connection.session.messages();
    tracing::debug!(connection = connection.id, peer = ?connection.peer, messages, ?error, "connection {how}");
    if let Ending::Said = ending {
        connection.linger().await;
    }
}

impl Connection<'_> {
    async fn serve(&mut self) -> Ending {
        loop {
            match self.session.step(self.shared.clock.now()) {
                Step::More => match self.more().await {
                    Ok(true) => {}
                    Ok(false) => return Ending::PeerLeft,
                    Err(error) => return Ending::Broken(error),
                },
                Step::Recipient(address) => {
                    let answer = self.shared.ingest.recipient(&address).await;
                    self.note_recipient(&address, &answer);
                    self.session.recipient(&answer);
                }
                Step::Take(message) => self.take(*message).await,
                Step::StartTls => {
                    if let Err(error) = self.encrypt().await {
                        return Ending::Broken(error);
                    }
                }
                Step::Close => {
                    let output = self.session.take_output();
                    return match self.send(&output).await {
                        Ok(()) => Ending::Said,
                        Err(error) => Ending::Broken(error),
                    };
                }
            }
        }
    }

    /// Sends the pending output and waits for input; `false` when the peer has closed.
    async fn more(&mut self) -> io::Result<bool> {
        let in_content = self.session.is_in_content();
        if *self.stopping.borrow() && !in_content {
            self.session.dismiss(Dismissal::Stopping);
            return Ok(true);
        }
        let output = self.session.take_output();
        // Before the output is sent: a peer who has read a reply can rely on what the reply started.
        self.timeouts.update(self.shared.clock.steady(), &self.shared.limits, !output.is_empty(), in_content);
        self.send(&output).await?;
        drop(output);
        self.make_room(in_content);
        let until = self.timeouts.until();
        let given_up = self.session.given_up();
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        tokio::select! {
            biased;
            came = stream.read(&mut self.room) => {
                let came = came?;
                self.timeouts.came(came);
                self.timeouts.holds(self.session.content_length());
                self.session.receive(&self.room);
                return Ok(came > 0);
            }
            () = self.alarm.until(self.shared.clock.as_ref(), until) => {}
            () = wait_for(given_up) => {
                self.session.let_go();
                return Ok(true);
            }
            // The next round sends the reply.
            _ = self.stopping.wait_for(|stopping| *stopping), if !in_content => return Ok(true),
        }
        if self.timeouts.is_over(self.shared.clock.steady(), &self.shared.limits) {
            self.session.dismiss(if in_content { Dismissal::Slow } else { Dismissal::Idle });
        } else {
            self.session.set_slow(self.timeouts.is_slow());
        }
        Ok(true)
    }

    /// Adjusts the capacity for the next input: more for a peer who filled it, little for one who waits.
    fn make_room(&mut self, in_content: bool) {
        let filled = self.room.capacity() > 0 && self.room.len() == self.room.capacity();
        self.room.clear();
        if filled && self.room.capacity() < MOST_ROOM {
            self.room.reserve_exact((self.room.capacity() * 4).min(MOST_ROOM));
        } else if !in_content && !filled && self.room.capacity() > KEPT_ROOM {
            self.room = Vec::new();
        }
        if self.room.capacity() == 0 {
            self.room.reserve_exact(FIRST_ROOM);
        }
    }

    async fn send(&mut self, output: &[u8]) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let until = self.shared.clock.steady() + self.shared.limits.idle;
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        tokio::select! {
            // The usual case first: it needs no timer.
            biased;
            sent = stream.write(output) => sent,
            () = self.alarm.until(self.shared.clock.as_ref(), until) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn take(&mut self, message: Message) {
        let Message { arrival, recipients, bytes } = message;
        let (count, size) = (recipients.len(), bytes.len());
        let result = self.shared.ingest.take(arrival, recipients, bytes).await;
        match &result {
            Ok(ids) => {
                self.shared.counters.messages.fetch_add(1, Relaxed);
                let inbound = ids.first().map(ToString::to_string);
                tracing::info!(connection = self.id, peer = ?self.peer, recipients = count, bytes = size, inbound, "message accepted");
            }
            Err(refusal @ Refusal::Loop) => {
                tracing::info!(connection = self.id, peer = ?self.peer, bytes = size, %refusal, "message refused");
            }
            Err(refusal) => {
                tracing::warn!(connection = self.id, peer = ?self.peer, bytes = size, %refusal, "message not accepted");
            }
        }
        self.session.taken(result.as_ref().map(|_| ()));
    }

    fn note_recipient(&self, address: &str, answer: &Recipient) {
        match answer {
            Recipient::Welcome => {}
            Recipient::Unknown | Recipient::Foreign => {
                tracing::debug!(connection = self.id, peer = ?self.peer, ?address, ?answer, "recipient refused");
            }
            Recipient::Forged => {
                tracing::info!(connection = self.id, peer = ?self.peer, ?address, "recipient refused: its token is forged");
            }
            Recipient::Later(why) => {
                tracing::warn!(connection = self.id, peer = ?self.peer, why, "recipient deferred");
            }
        }
    }

    async fn encrypt(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        self.send(&output).await?;
        let (Some(tls), Some(stream)) = (&self.shared.tls, self.stream.take()) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let until = self.shared.clock.steady() + self.shared.limits.handshake;
        let stream = tokio::select! {
            stream = stream.encrypt(tls.acceptor()) => stream?,
            () = self.alarm.until(self.shared.clock.as_ref(), until) => return Err(io::ErrorKind::TimedOut.into()),
        };
        self.stream = Some(stream);
        self.room = Vec::new();
        self.session.encrypted();
        Ok(())
    }

    /// Gives the peer time to read the last reply.
    async fn linger(&mut self) {
        let until = self.shared.clock.steady() + chrono::Duration::seconds(LINGER_SECONDS);
        let Some(stream) = &mut self.stream else { return };
        let heard = async {
            stream.shutdown().await?;
            let mut bytes = 0;
            while bytes < LINGER_BYTES {
                let mut room = Vec::with_capacity(KEPT_ROOM);
                match stream.read(&mut room).await? {
                    0 => break,
                    came => bytes += came,
                }
            }
            io::Result::Ok(())
        };
        tokio::select! {
            // The result does not matter: the connection is closed anyway.
            _ = heard => {}
            () = self.alarm.until(self.shared.clock.as_ref(), until) => {}
        }
    }
}
