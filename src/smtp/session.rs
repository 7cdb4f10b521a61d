//! One SMTP (RFC 5321) or LMTP (RFC 2033) dialogue, as a state machine without I/O and without a clock.
//!
//! The driver passes it bytes with [`Session::receive`] and calls [`Session::step`] until that returns
//! [`Step::More`]; it sends the result of [`Session::take_output`] before it reads again, and answers the questions
//! among the steps. In between the session never holds more than one unfinished line, and a message within its
//! limits.

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

/// RFC 5321 §4.5.3.1.4: 512 bytes with the CRLF, plus what the extensions add: SIZE 26 (RFC 1870 §3), 8BITMIME 17
/// (RFC 6152 §2), SMTPUTF8 10 (RFC 6531 §3.1).
pub const MAX_COMMAND: usize = 512 + 26 + 17 + 10;
/// Recipients that may be tried in one transaction, as a multiple of the maximum.
const RECIPIENT_TRIES: usize = 10;

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

/// The name given by the peer, and whether it knows extensions.
#[derive(Clone, Debug)]
struct Name {
    text: String,
    extended: bool,
}

/// The state between MAIL and the end of its DATA.
#[derive(Debug, Default)]
struct Transaction {
    sender: Option<String>,
    smtputf8: bool,
    recipients: Vec<String>,
    /// Number of RCPT commands answered with 250, including repeated ones: LMTP owes each a reply.
    accepted: usize,
    tried: usize,
}

#[derive(Debug)]
enum State {
    Command,
    /// Skipping a line that is too long; the number of bytes skipped.
    Skipping(usize),
    Content(Box<Content>),
    /// Waiting for the answer about this recipient.
    Asking(String),
    /// Waiting for a message to be stored, with the number of replies to give; until then its memory counts.
    Taking {
        replies: usize,
        _share: Share,
    },
    Handshake,
    Closed,
}

impl Session {
    /// Starts a dialogue with the greeting in the output.
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

    /// Receives bytes from the peer.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.input.drain(..self.used);
            self.used = 0;
            self.input.extend_from_slice(bytes);
        }
    }

    /// Continues as far as possible without the driver. `now` goes into Received fields and arrivals.
    ///
    /// While a question is open this returns [`Step::More`], and does nothing.
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
                        // An idle connection uses as little memory as possible: there may be thousands.
                        self.input = Vec::new();
                        self.used = 0;
                    }
                    return step;
                }
            }
        }
    }

    /// The output to send; may be empty.
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
            // A stranger who guesses addresses is disconnected; our own mail server only forwards what it was given.
            Protocol::Smtp => self.say(reply),
            Protocol::Lmtp => self.output.extend_from_slice(reply.line().as_bytes()),
        }
    }

    /// The result of [`Step::Take`].
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

    /// TLS has begun. RFC 3207 §4.2: what was said before is forgotten, and input received before is not read.
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

    /// Whether a message is being received, so that its end should be awaited.
    pub(crate) fn is_in_content(&self) -> bool {
        matches!(self.state, State::Content(_))
    }

    /// A signal that the memory of the message being received was given to another one; then call
    /// [`Session::let_go`].
    pub(crate) fn given_up(&self) -> Option<Arc<GivenUp>> {
        match &self.state {
            State::Content(content) => Some(content.given_up()),
            _ => None,
        }
    }

    /// Marks whether the message being received arrives slowly.
    pub(crate) fn set_slow(&mut self, is_slow: bool) {
        if let State::Content(content) = &mut self.state {
            content.set_slow(is_slow);
        }
    }

    /// Frees the memory of a message being received, if it was given to another one.
    pub(crate) fn let_go(&mut self) {
        if let State::Content(content) = &mut self.state {
            content.let_go();
        }
    }

    /// Bytes received of the current message; 0 without one.
    pub(crate) fn content_length(&self) -> usize {
        match &self.state {
            State::Content(content) => content.theirs().len(),
            _ => 0,
        }
    }

    /// Number of messages accepted or refused.
    pub(crate) fn messages(&self) -> usize {
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

    /// RFC 2033 §4.2: after DATA, LMTP sends one reply for each accepted RCPT.
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
