//! One dialogue, SMTP (RFC 5321) or LMTP (RFC 2033), as a state machine without I/O and without a clock.
//!
//! The driver gives it bytes with [`Session::receive`] and calls [`Session::step`] until that says [`Step::More`]; it sends
//! what [`Session::take_output`] gives before it reads again, and answers the questions among the steps. In between the
//! session never holds more than one unfinished line, and a message within its limits.

mod commands;
mod driver;
mod reading;

use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::inbound::recipients::{Recipient, Refusal};

use super::content::Content;
use super::memory::{GivenUp, MessageMemory, Share};
pub use super::reply::Dismissal;
use super::reply::{self, Reply};
pub use driver::{Message, Peer, Protocol, SessionSettings, Step};

/// RFC 5321 §4.5.3.1.4: 512 octets with the CRLF, and what the extensions add: SIZE 26 (RFC 1870 §3), 8BITMIME 17
/// (RFC 6152 §2), SMTPUTF8 10 (RFC 6531 §3.1).
pub const MAX_COMMAND: usize = 512 + 26 + 17 + 10;
/// How often more than the allowed recipients one may try in one transaction.
const RECIPIENT_PATIENCE: usize = 10;

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
    /// A line that is too long, of which so many bytes are gone.
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

    /// Takes bytes from the peer.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.input.drain(..self.used);
            self.used = 0;
            self.input.extend_from_slice(bytes);
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
}
