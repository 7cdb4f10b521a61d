//! A running listener with a scripted ingest, and a plain client.

use std::net::SocketAddr;
use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::smtp::counters::Counters;
use depesch::smtp::listener::{Inherited, Listener};
use depesch::smtp::memory::MessageMemory;
use depesch::smtp::settings::ListenerSettings;
use depesch::smtp::tls::Tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::smtp::{TestIngest, now, settings};

/// Settings for SMTP on a free port of the loopback interface.
pub fn on_loopback() -> ListenerSettings {
    ListenerSettings { session: settings(), smtp: vec!["127.0.0.1:0".parse().unwrap()], ..ListenerSettings::default() }
}

pub struct Running {
    pub addresses: Vec<SocketAddr>,
    pub ingest: Arc<TestIngest>,
    pub clock: Arc<FakeClock>,
    pub counters: Arc<Counters>,
    pub memory: Arc<MessageMemory>,
    pub tls: Option<Arc<Tls>>,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<()>,
}

pub async fn start(settings: ListenerSettings) -> Running {
    start_with(settings, Vec::new()).await
}

pub async fn start_with(settings: ListenerSettings, inherited: Vec<Inherited>) -> Running {
    let listener = Listener::bind(settings, inherited).await.unwrap();
    let addresses = listener.addresses().into_iter().map(|(_, address)| address).collect();
    let (counters, tls, memory) = (listener.counters(), listener.tls(), listener.memory());
    let (ingest, clock) = (Arc::new(TestIngest::default()), FakeClock::at(now()));
    let (stop, stopped) = oneshot::channel();
    let run = listener.run(ingest.clone(), Arc::new(clock.clone()), async { drop(stopped.await) });
    Running { addresses, ingest, clock, counters, memory, tls, stop, task: tokio::spawn(run) }
}

impl Running {
    /// A client that has read the greeting.
    pub async fn client(&self) -> Client<TcpStream> {
        let mut client = self.connect().await;
        assert!(client.reply().await.starts_with("220 "));
        client
    }

    /// A client that has not read anything yet.
    pub async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.addresses[0]).await.unwrap())
    }
}

/// Sends lines and reads whole replies.
pub struct Client<S> {
    pub stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next reply with all its lines; empty at the end of the connection.
    pub async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            while let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                reply.push_str(std::str::from_utf8(&line).unwrap());
                if line[3] == b' ' {
                    return reply;
                }
            }
            if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                assert!(self.read.is_empty(), "half a reply: {:?}", self.read);
                return reply;
            }
        }
    }

    /// Sends a line and returns the reply.
    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Sends EHLO and begins a message, up to the reply 354.
    pub async fn begin(&mut self) {
        for (line, code) in [
            ("EHLO peer.example", "250"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<media@lists.example.org>", "250"),
            ("DATA", "354"),
        ] {
            let reply = self.say(line).await;
            assert!(reply.starts_with(code), "{line}: {reply}");
        }
    }

    /// Sends a whole message and returns the reply.
    pub async fn message(&mut self, text: &str) -> String {
        self.begin().await;
        self.say(&format!("Subject: {text}\r\n\r\n{text}\r\n.")).await
    }
}
