//! One dialogue, SMTP (RFC 5321) or LMTP (RFC 2033), as a state machine without I/O and without a clock.
//!
//! The driver gives it octets with [`Session::receive`] and calls [`Session::step`] until that says [`Step::More`]; it sends
//! what [`Session::take_output`] gives before it reads again, and answers the questions among the steps. In between the
//! session never holds more than one unfinished line, and a message within its limits.

mod commands;

use std::net::IpAddr;
use std::sync::Arc;

use memchr::memmem;

use crate::base::clock::Timestamp;
use crate::inbound::recipients::{Recipient, Refusal};
use crate::model::inbound::{Arrival, Via};

use super::content::Content;
use super::memory::{GivenUp, MessageMemory, Share};
pub use super::reply::Dismissal;
use super::reply::{self, Reply};

/// RFC 5321 §4.5.3.1.4: 512 octets with the CRLF, and what the extensions add: SIZE 26 (RFC 1870 §3), 8BITMIME 17
/// (RFC 6152 §2), SMTPUTF8 10 (RFC 6531 §3.1).
pub const MAX_COMMAND: usize = 512 + 26 + 17 + 10;
/// How much of a line that is too long is read to find its end.
const MAX_SKIPPED: usize = 64 * 1024;
/// How often more than the allowed recipients one may try in one transaction.
const RECIPIENT_PATIENCE: usize = 10;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Mail servers of strangers.
    Smtp,
    /// A mail server of our own (RFC 2033): one reply for each recipient after DATA.
    Lmtp,
}

/// What a session allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Our own name, as in the greeting and in Received.
    pub host_name: String,
    /// The largest message, in octets, announced by SIZE (RFC 1870). 20 MiB.
    pub max_message_octets: usize,
    /// Recipients of one message; at least 100 (RFC 5321 §4.5.3.1.8). 100.
    pub max_recipients: usize,
    /// Messages on one connection; after the last one it is closed. 1,000.
    pub max_messages: usize,
    /// Errors, refused recipients among them, since the last message taken; then 421. 50.
    pub max_errors: usize,
    /// Commands other than RCPT since the last message taken; then 421. 200.
    pub max_commands: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            max_message_octets: 20 * 1024 * 1024,
            max_recipients: 100,
            max_messages: 1000,
            max_errors: 50,
            max_commands: 200,
        }
    }
}

/// Who is on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What is spoken with it.
    pub protocol: Protocol,
    /// Its address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// Whether STARTTLS is offered to it.
    pub offers_tls: bool,
    /// Names the connection in Received fields and in the log: letters, digits and hyphens.
    pub id: String,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Step {
    /// Send the output, read more, and [`Session::receive`] it.
    More,
    /// Ask whether mail to this address is taken in; tell it to [`Session::recipient`].
    Recipient(String),
    /// Have this message taken in; tell the end to [`Session::taken`].
    Take(Box<Message>),
    /// Send the output, begin TLS, then [`Session::encrypted`]. Nothing read before it may be given to the session.
    StartTls,
    /// Send the output and close.
    Close,
}

/// A whole message with its envelope.
#[derive(Debug)]
pub struct Message {
    /// How it came.
    pub arrival: Arrival,
    /// To whom: all were welcome, none comes twice.
    pub recipients: Vec<String>,
    /// The message: CRLF line ends, dots unstuffed, our Received field first.
    pub octets: Vec<u8>,
}

/// One dialogue.
#[derive(Debug)]
pub struct Session {
    settings: Arc<SessionSettings>,
    memory: Arc<MessageMemory>,
    peer: Peer,
    encrypted: bool,
    input: Vec<u8>,
    used: usize,
    output: Vec<u8>,
    hello: Option<Name>,
    transaction: Option<Transaction>,
    state: State,
    errors: usize,
    commands: usize,
    messages: usize,
}

/// What the peer calls itself, and whether it knows extensions.
#[derive(Clone, Debug)]
struct Name {
    text: String,
    extended: bool,
}

/// Between MAIL and the end of its DATA.
#[derive(Debug, Default)]
struct Transaction {
    sender: Option<String>,
    smtputf8: bool,
    recipients: Vec<String>,
    /// RCPT commands answered with 250, repeated ones too: LMTP owes each of them a reply.
    accepted: usize,
    tried: usize,
}

#[derive(Debug)]
enum State {
    Command,
    /// A line that is too long, of which so many octets are gone.
    Skipping(usize),
    Content(Box<Content>),
    /// Waits to be told of this recipient.
    Asking(String),
    /// Waits for the end of a message, with so many replies to give; until then its memory counts.
    Taking {
        replies: usize,
        _share: Share,
    },
    Handshake,
    Closed,
}

impl Session {
    /// Begins with the greeting in the output.
    pub fn new(settings: Arc<SessionSettings>, memory: Arc<MessageMemory>, peer: Peer) -> Self {
        let word = if peer.protocol == Protocol::Lmtp { "LMTP" } else { "ESMTP" };
        let greeting = format!("220 {} {word} Depesch\r\n", settings.host_name);
        Self {
            settings,
            memory,
            peer,
            encrypted: false,
            input: Vec::new(),
            used: 0,
            output: greeting.into_bytes(),
            hello: None,
            transaction: None,
            state: State::Command,
            errors: 0,
            commands: 0,
            messages: 0,
        }
    }

    /// Takes octets from the peer.
    pub fn receive(&mut self, octets: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.input.drain(..self.used);
            self.used = 0;
            self.input.extend_from_slice(octets);
        }
    }

    /// Goes on as far as it can without the driver. `now` goes into Received fields and arrivals.
    ///
    /// While a question is open this is [`Step::More`], and nothing is done.
    pub fn step(&mut self, now: Timestamp) -> Step {
        loop {
            let step = match &mut self.state {
                State::Command => self.command(now),
                State::Skipping(_) => self.skip(),
                State::Content(content) => {
                    let (used, end) = content.take(&self.input[self.used..]);
                    self.used += used;
                    if end { self.content_ended(now) } else { Some(Step::More) }
                }
                State::Asking(_) | State::Taking { .. } | State::Handshake => Some(Step::More),
                State::Closed => Some(Step::Close),
            };
            match step {
                None => {}
                Some(step) => {
                    if self.used == self.input.len() {
                        // An idle connection holds as little as possible: there may be thousands.
                        self.input = Vec::new();
                        self.used = 0;
                    }
                    return step;
                }
            }
        }
    }

    /// What to send; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The answer to [`Step::Recipient`].
    pub fn recipient(&mut self, answer: &Recipient) {
        let State::Asking(address) = std::mem::replace(&mut self.state, State::Command) else { return };
        let Some(transaction) = &mut self.transaction else { return };
        let reply = reply::to_recipient(answer);
        if *answer == Recipient::Welcome {
            transaction.accepted += 1;
            if !transaction.recipients.contains(&address) {
                transaction.recipients.push(address);
            }
        }
        match self.peer.protocol {
            // A stranger who guesses at addresses is sent away; our own mail server passes on what it was given.
            Protocol::Smtp => self.say(reply),
            Protocol::Lmtp => self.output.extend_from_slice(reply.line().as_bytes()),
        }
    }

    /// The end of [`Step::Take`].
    pub fn taken(&mut self, result: Result<(), &Refusal>) {
        let State::Taking { replies, .. } = std::mem::replace(&mut self.state, State::Command) else { return };
        if result.is_ok() {
            self.errors = 0;
            self.commands = 0;
        }
        self.messages += 1;
        self.say_to_each(replies, result.map_or_else(reply::to_refusal, |()| reply::TAKEN));
        if self.messages >= self.settings.max_messages {
            self.end(reply::TOO_MANY_MESSAGES);
        }
    }

    /// TLS is on. RFC 3207 §4.2: nothing that was said before counts, and nothing that came before is read.
    pub fn encrypted(&mut self) {
        if matches!(self.state, State::Handshake) {
            self.state = State::Command;
            self.encrypted = true;
            self.hello = None;
            self.transaction = None;
            self.forget_input();
        }
    }

    /// Ends the dialogue from our side, with 421.
    pub fn dismiss(&mut self, dismissal: Dismissal) {
        if !matches!(self.state, State::Closed | State::Handshake) {
            self.end(reply::to_dismissed(dismissal));
        }
    }

    /// Whether a message is coming in, so that its end ought to be awaited.
    pub fn is_in_content(&self) -> bool {
        matches!(self.state, State::Content(_))
    }

    /// Tells when the memory of the message that is coming in goes to another one; then [`Session::let_go`].
    pub fn given_up(&self) -> Option<Arc<GivenUp>> {
        match &self.state {
            State::Content(content) => Some(content.given_up()),
            _ => None,
        }
    }

    /// The message that is coming in comes slowly, or no longer does.
    pub fn set_slow(&mut self, is_slow: bool) {
        if let State::Content(content) = &mut self.state {
            content.set_slow(is_slow);
        }
    }

    /// Frees the memory of a message that is coming in, if it went to another one.
    pub fn let_go(&mut self) {
        if let State::Content(content) = &mut self.state {
            content.let_go();
        }
    }

    /// How much of a message has come in; 0 where none is coming.
    pub fn content_length(&self) -> usize {
        match &self.state {
            State::Content(content) => content.theirs().len(),
            _ => 0,
        }
    }

    /// Whether the dialogue is inside TLS.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// How many messages were decided on.
    pub fn messages(&self) -> usize {
        self.messages
    }

    fn forget_input(&mut self) {
        self.input = Vec::new();
        self.used = 0;
    }

    fn say(&mut self, reply: Reply) {
        self.output.extend_from_slice(reply.line().as_bytes());
        if reply.code >= 500 {
            self.errors += 1;
            if self.errors >= self.settings.max_errors {
                self.end(reply::TOO_MANY_ERRORS);
            }
        }
    }

    /// RFC 2033 §4.2: after DATA, LMTP gives one reply for each RCPT that was accepted.
    fn say_to_each(&mut self, replies: usize, reply: Reply) {
        let line = reply.line();
        (1..replies).for_each(|_| self.output.extend_from_slice(line.as_bytes()));
        self.say(reply);
    }

    fn end(&mut self, reply: Reply) {
        if !matches!(self.state, State::Closed) {
            self.output.extend_from_slice(reply.line().as_bytes());
            self.close();
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.transaction = None;
        self.forget_input();
    }

    /// The next command, if it is all there.
    fn command(&mut self, now: Timestamp) -> Option<Step> {
        let waiting = &self.input[self.used..];
        let Some(end) = memmem::find(waiting, b"\r\n") else {
            if waiting.len() >= MAX_COMMAND {
                self.state = State::Skipping(0);
                return None;
            }
            return Some(Step::More);
        };
        if end + 2 > MAX_COMMAND {
            self.state = State::Skipping(0);
            return None;
        }
        let line = waiting[..end].to_vec();
        self.used += end + 2;
        // RFC 5321 §2.3.8: neither may stand alone, anywhere.
        if memchr::memchr2(b'\r', b'\n', &line).is_some() {
            self.say(reply::BARE_IN_COMMAND);
            return None;
        }
        self.carry_out(&line, now)
    }

    /// Looks for the end of a line that is too long.
    fn skip(&mut self) -> Option<Step> {
        let State::Skipping(gone) = &mut self.state else { return None };
        let waiting = &self.input[self.used..];
        let found = memmem::find(waiting, b"\r\n");
        let length = match found {
            Some(end) => end + 2,
            // A CR at the end may be the first half of the line's end.
            None => waiting.len() - usize::from(waiting.ends_with(b"\r")),
        };
        self.used += length;
        *gone += length;
        if *gone > MAX_SKIPPED {
            self.end(reply::ENDLESS_LINE);
            return None;
        }
        if found.is_none() {
            return Some(Step::More);
        }
        self.state = State::Command;
        self.say(reply::TOO_LONG);
        None
    }

    /// The final dot has come.
    fn content_ended(&mut self, now: Timestamp) -> Option<Step> {
        let State::Content(content) = std::mem::replace(&mut self.state, State::Command) else { return None };
        let transaction = self.transaction.take().unwrap_or_default();
        let replies = match self.peer.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => transaction.accepted,
        };
        // It would go on with our own field.
        let refused = content.theirs().starts_with(b" ") || content.theirs().starts_with(b"\t");
        let finished = content.finish().map_err(reply::to_fault);
        match finished {
            Err(reply) => {
                self.say_to_each(replies, reply);
                None
            }
            Ok(_) if refused => {
                self.say_to_each(replies, reply::BEGINS_FOLDED);
                None
            }
            Ok((octets, share)) => {
                self.state = State::Taking { replies, _share: share };
                let arrival = Arrival {
                    at: now,
                    via: match self.peer.protocol {
                        Protocol::Smtp => Via::Smtp,
                        Protocol::Lmtp => Via::Lmtp,
                    },
                    peer: self.peer.address,
                    helo: self.hello.as_ref().map(|name| name.text.clone()).unwrap_or_default(),
                    encrypted: self.encrypted,
                    sender: transaction.sender,
                };
                Some(Step::Take(Box::new(Message { arrival, recipients: transaction.recipients, octets })))
            }
        }
    }
}
