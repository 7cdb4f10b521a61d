//! Reads the peer's input: command lines, lines that are too long, and the end of a message.

use memchr::memmem;

use crate::base::clock::Timestamp;
use crate::model::inbound::{Arrival, Via};

use super::super::reply;
use super::{MAX_COMMAND, Message, Protocol, Session, State, Step};

/// Maximum bytes read of a line that is too long, to find its end.
const MAX_SKIPPED: usize = 64 * 1024;

impl Session {
    /// The next command, if it is complete.
    pub(super) fn command(&mut self, now: Timestamp) -> Option<Step> {
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
        // RFC 5321 §2.3.8: neither may occur alone, anywhere.
        if memchr::memchr2(b'\r', b'\n', &line).is_some() {
            self.say(reply::BARE_IN_COMMAND);
            return None;
        }
        self.carry_out(&line, now)
    }

    /// Searches for the end of a line that is too long.
    pub(super) fn skip(&mut self) -> Option<Step> {
        let State::Skipping(gone) = &mut self.state else { return None };
        let waiting = &self.input[self.used..];
        let found = memmem::find(waiting, b"\r\n");
        let length = match found {
            Some(end) => end + 2,
            // A CR at the end may be the first half of the line end.
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

    /// Handles the final dot.
    pub(super) fn content_ended(&mut self, now: Timestamp) -> Option<Step> {
        let State::Content(content) = std::mem::replace(&mut self.state, State::Command) else { return None };
        let transaction = self.transaction.take().unwrap_or_default();
        let replies = match self.peer.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => transaction.accepted,
        };
        // It would continue our own field.
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
            Ok((bytes, share)) => {
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
                Some(Step::Take(Box::new(Message { arrival, recipients: transaction.recipients, bytes })))
            }
        }
    }
}
