//! The peers of the SMTP server: a dialogue without sockets, and a scripted ingest.

use std::sync::{Arc, Mutex};

use depesch::base::clock::Timestamp;
use depesch::base::id::InboundId;
use depesch::inbound::recipients::{Ingest, IngestFuture, Recipient, Refusal};
use depesch::model::inbound::Arrival;
use depesch::smtp::memory::MessageMemory;
use depesch::smtp::session::{Message, Peer, Protocol, Session, SessionSettings, Step};

/// An instant for tests in which time does not matter.
pub fn now() -> Timestamp {
    "2026-11-02T08:05:09Z".parse().unwrap()
}

/// The decision of the scripted ingest about an address.
pub fn welcome(address: &str) -> Recipient {
    match address {
        "forged@lists.example.org" => Recipient::Forged,
        "later@lists.example.org" => Recipient::Later("the store is away".to_owned()),
        "postmaster" => Recipient::Welcome,
        _ if address.starts_with("unknown") => Recipient::Unknown,
        _ if address.to_lowercase().ends_with("@lists.example.org") => Recipient::Welcome,
        _ => Recipient::Foreign,
    }
}

/// A dialogue with a session.
pub struct Dialogue {
    pub session: Session,
    pub memory: Arc<MessageMemory>,
    /// The ingest's replies to messages, in order; `Ok` when the list is empty.
    pub endings: Vec<Result<(), Refusal>>,
    /// The messages passed to the ingest.
    pub messages: Vec<Message>,
    /// The recipients the ingest was asked about.
    pub asked: Vec<String>,
    pub closed: bool,
    pub handshake: bool,
}

pub fn settings() -> SessionSettings {
    SessionSettings { host_name: "mx.example.org".to_owned(), ..SessionSettings::default() }
}

pub fn peer(protocol: Protocol) -> Peer {
    Peer { protocol, address: Some("192.0.2.25".parse().unwrap()), offers_tls: true, id: "c1".to_owned() }
}

impl Dialogue {
    pub fn with(settings: SessionSettings, protocol: Protocol) -> Self {
        let memory = MessageMemory::new(64 * 1024 * 1024);
        let session = Session::new(Arc::new(settings), memory.clone(), peer(protocol));
        let (endings, messages, asked) = (Vec::new(), Vec::new(), Vec::new());
        Self { session, memory, endings, messages, asked, closed: false, handshake: false }
    }

    pub fn smtp() -> Self {
        Self::with(settings(), Protocol::Smtp)
    }

    pub fn lmtp() -> Self {
        Self::with(settings(), Protocol::Lmtp)
    }

    /// A dialogue after EHLO, with the replies discarded.
    pub fn greeted() -> Self {
        let mut dialogue = Self::smtp();
        dialogue.say("EHLO peer.example");
        dialogue
    }

    /// Sends bytes and returns all replies. Bytes after the end, or before TLS is on, are not read.
    pub fn send(&mut self, bytes: &[u8]) -> String {
        if !self.closed && !self.handshake {
            self.session.receive(bytes);
        }
        while !self.closed && !self.handshake {
            match self.session.step(now()) {
                Step::More => break,
                Step::Recipient(address) => {
                    self.session.recipient(&welcome(&address));
                    self.asked.push(address);
                }
                Step::Take(message) => {
                    let ending = if self.endings.is_empty() { Ok(()) } else { self.endings.remove(0) };
                    self.session.taken(ending.as_ref().copied());
                    self.messages.push(*message);
                }
                Step::StartTls => self.handshake = true,
                Step::Close => self.closed = true,
            }
        }
        String::from_utf8(self.session.take_output()).unwrap()
    }

    /// Sends lines, each with its CRLF.
    pub fn say(&mut self, lines: &str) -> String {
        let bytes: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
        self.send(bytes.as_bytes())
    }

    /// Switches TLS on.
    pub fn encrypt(&mut self) {
        assert!(self.handshake);
        self.handshake = false;
        self.session.encrypted();
    }

    /// The content of the only message, after the Received field.
    pub fn content(&self) -> &[u8] {
        assert_eq!(self.messages.len(), 1);
        after_received(&self.messages[0].bytes)
    }
}

/// The message without its first field, Received.
pub fn after_received(bytes: &[u8]) -> &[u8] {
    assert!(bytes.starts_with(b"Received: from "));
    let mut at = 0;
    loop {
        at += bytes[at..].windows(2).position(|two| two == b"\r\n").unwrap() + 2;
        if !bytes[at..].starts_with(b"\t") {
            return &bytes[at..];
        }
    }
}

/// The codes of replies, e.g. `250 2.1.0`; of a multi-line reply only that of the last line.
pub fn codes(replies: &str) -> Vec<String> {
    let ends = replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    let code = |line: &str| {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let enhanced = words[1].split('.').filter(|part| part.parse::<u16>().is_ok()).count() == 3;
        if enhanced { format!("{} {}", words[0], words[1]) } else { words[0].to_owned() }
    };
    ends.map(code).collect()
}

/// The messages that a scripted ingest accepted.
#[derive(Clone, Debug)]
pub struct Taken {
    pub arrival: Arrival,
    pub recipients: Vec<String>,
    pub bytes: Vec<u8>,
}

/// An ingest that decides about recipients with [`welcome`] and keeps messages in memory.
#[derive(Default)]
pub struct TestIngest {
    pub taken: Mutex<Vec<Taken>>,
    /// The refusal of messages, if set.
    pub refusal: Mutex<Option<Refusal>>,
}

impl Ingest for TestIngest {
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient> {
        Box::pin(async move { welcome(recipient) })
    }

    fn take<'a>(
        &'a self,
        arrival: Arrival,
        recipients: Vec<String>,
        bytes: Vec<u8>,
    ) -> IngestFuture<'a, Result<Vec<InboundId>, Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusal.lock().unwrap().clone() {
                return Err(refusal);
            }
            self.taken.lock().unwrap().push(Taken { arrival, recipients, bytes });
            Ok(Vec::new())
        })
    }
}
