//! One connection to a relay: sends one message at a time and reports its exact outcome.
//!
//! The outcome of a broken connection depends on the count in [`super::wire`]: until the last byte of the final dot
//! has been passed to the kernel, the message was certainly not accepted; after that it is unknown.

use std::future::poll_fn;
use std::task::{Context, Waker};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use tokio::time::timeout;

use crate::model::ledger::Stage;
use crate::model::reply::Reply;

use super::extensions::Extensions;
use super::replies::{GARBLED, cause, refusal, reply};
use super::settings::Timeouts;
use super::stuffing::{Stuffing, has_bare_line_ends};
use super::wire::{Garbled, WireHandle};
use super::{Connection, Envelope, Outcome, Pieces, TransportFuture};

/// An open connection to a relay.
pub(super) struct RelayConnection {
    lettre: AsyncSmtpConnection,
    wire: WireHandle,
    offered: Extensions,
    timeouts: Timeouts,
    usable: bool,
    /// Number of messages it may still send.
    left: u32,
    /// A transaction was begun and not ended: RSET is sent before the next one.
    needs_reset: bool,
}

/// The answer to a command.
enum Answer {
    Positive(Reply),
    Refused(Reply),
    /// Not a valid SMTP reply, as a 451: temporarily refused. The connection must not be used any more, because the
    /// next reply may belong to the same command.
    Garbled {
        reply: Reply,
        /// Whether it has codes, all of them refusals.
        is_refusal: bool,
    },
    /// No usable answer; the text says why. The connection must not be used any more.
    Lost(String),
}

impl RelayConnection {
    pub(super) fn new(
        lettre: AsyncSmtpConnection,
        wire: WireHandle,
        offered: Extensions,
        timeouts: Timeouts,
        left: u32,
    ) -> Self {
        Self { lettre, wire, offered, timeouts, usable: true, left, needs_reset: false }
    }

    async fn transact(&mut self, envelope: &Envelope, message: Pieces<'_>) -> Outcome {
        if !self.usable {
            return Outcome::NotSent("the connection cannot be used any more".to_owned());
        }
        if has_bare_line_ends(message) {
            let text = "the message has a CR or LF of its own (RFC 5321 §2.3.8): this is an error in Depesch";
            return Outcome::Impossible(text.to_owned());
        }
        let fitted = self.offered.fitted(message);
        let message = fitted.as_deref().map_or(message, |fitted| [fitted, &[]]);
        if let Some(obstacle) = self.offered.obstacle(envelope, message) {
            return Outcome::Impossible(obstacle);
        }
        if let Some(said) = self.said_unasked() {
            self.usable = false;
            return Outcome::NotSent(said);
        }
        self.left = self.left.saturating_sub(1);
        let commands = self.offered.envelope_commands(envelope, message);
        let began = match self.offered.pipelining {
            true => self.begin_at_once(commands).await,
            false => self.begin_step_by_step(commands).await,
        };
        match began {
            Err(outcome) => outcome,
            Ok(()) => self.content(message).await,
        }
    }

    /// What the relay said since the last message, e.g. 421 or the end of the connection; never waits.
    fn said_unasked(&self) -> Option<String> {
        // No task waits for the wire between messages, so there is none to wake.
        self.wire.lock().poll_unasked(&mut Context::from_waker(Waker::noop()))
    }

    /// Sends MAIL, RCPT and DATA in one write (RFC 2920 §3.1); `Ok` when the content may follow.
    async fn begin_at_once(&mut self, [mail, recipient]: [String; 2]) -> Result<(), Outcome> {
        let reset = if self.needs_reset { "RSET\r\n" } else { "" };
        let resetting = self.needs_reset;
        let batch = format!("{reset}{mail}\r\n{recipient}\r\nDATA\r\n");
        self.wire.lock().output().extend_from_slice(batch.as_bytes());
        if resetting {
            self.reset_answer().await?;
        }
        let mut refused = None;
        for stage in [Stage::Mail, Stage::Recipient] {
            match self.command_answer(stage).await {
                Answer::Positive(_) => {}
                Answer::Refused(reply) if reply.code == 421 => return Err(Outcome::Refused { stage, reply }),
                Answer::Garbled { reply, .. } => return Err(refused.unwrap_or(Outcome::Refused { stage, reply })),
                // The first refusal is the reason for those after it.
                Answer::Refused(reply) => refused = refused.or(Some(Outcome::Refused { stage, reply })),
                Answer::Lost(why) => return Err(refused.unwrap_or(Outcome::NotSent(why))),
            }
        }
        self.needs_reset = true;
        match (self.answer(self.timeouts.data).await, refused) {
            (Answer::Positive(reply), None) if reply.code == 354 => Ok(()),
            (Answer::Positive(reply), Some(refused)) if reply.code == 354 => {
                self.end_empty().await;
                Err(refused)
            }
            (_, Some(refused)) => Err(refused),
            (other, None) => Err(self.data_refused(other)),
        }
    }

    async fn begin_step_by_step(&mut self, [mail, recipient]: [String; 2]) -> Result<(), Outcome> {
        if self.needs_reset {
            self.wire.lock().output().extend_from_slice(b"RSET\r\n");
            self.reset_answer().await?;
        }
        for (stage, command) in [(Stage::Mail, mail), (Stage::Recipient, recipient)] {
            self.wire.lock().output().extend_from_slice(format!("{command}\r\n").as_bytes());
            match self.command_answer(stage).await {
                Answer::Positive(_) => self.needs_reset = true,
                Answer::Refused(reply) | Answer::Garbled { reply, .. } => {
                    return Err(Outcome::Refused { stage, reply });
                }
                Answer::Lost(why) => return Err(Outcome::NotSent(why)),
            }
        }
        self.wire.lock().output().extend_from_slice(b"DATA\r\n");
        match self.answer(self.timeouts.data).await {
            Answer::Positive(reply) if reply.code == 354 => Ok(()),
            other => Err(self.data_refused(other)),
        }
    }

    /// Reads the answer to RSET. After any other than 2xx the connection cannot be trusted: after 354 the server is
    /// out of step (RFC 5321 §4.3.2).
    async fn reset_answer(&mut self) -> Result<(), Outcome> {
        match self.answer(self.timeouts.command).await {
            Answer::Positive(reply) if reply.is_positive() => {
                self.needs_reset = false;
                Ok(())
            }
            Answer::Positive(reply) => {
                self.usable = false;
                Err(Outcome::NotSent(format!("the relay answered {reply} to RSET, where 250 is expected")))
            }
            Answer::Refused(reply) | Answer::Garbled { reply, .. } => {
                self.usable = false;
                Err(Outcome::NotSent(format!("the relay refused RSET: {reply}")))
            }
            Answer::Lost(why) => Err(Outcome::NotSent(why)),
        }
    }

    fn data_refused(&mut self, answer: Answer) -> Outcome {
        match answer {
            Answer::Refused(reply) | Answer::Garbled { reply, .. } => Outcome::Refused { stage: Stage::Data, reply },
            Answer::Lost(why) => Outcome::NotSent(why),
            Answer::Positive(reply) => {
                self.usable = false;
                Outcome::NotSent(format!("the relay answered {reply} to DATA, where 354 is expected"))
            }
        }
    }

    /// Ends a DATA that the relay accepted although it refused the recipient: the content is empty (RFC 2920 §3.1),
    /// and the answer changes nothing.
    async fn end_empty(&mut self) {
        self.wire.lock().output().extend_from_slice(b".\r\n");
        if let Answer::Positive(_) | Answer::Refused(_) = self.answer(self.timeouts.message).await {
            self.needs_reset = false;
        }
    }

    async fn content(&mut self, message: Pieces<'_>) -> Outcome {
        let mut content = Stuffing::new(message);
        let mut sent = Ok(());
        while sent.is_ok() && !content.is_over() {
            content.fill(self.wire.lock().output());
            sent = self.write_out().await;
        }
        if let Err(why) = &sent {
            self.usable = false;
            // The relay may have said why; that text has arrived already, or is not waited for.
            self.wire.lock().give_up(why);
        }
        let answer = self.answer(self.timeouts.message).await;
        let unsent = !content.is_over() || self.wire.lock().unsent() > 0;
        self.needs_reset = false;
        match answer {
            Answer::Positive(reply) if reply.is_positive() && !unsent => Outcome::Accepted(reply),
            Answer::Refused(reply) | Answer::Garbled { reply, is_refusal: true } => {
                Outcome::Refused { stage: Stage::Message, reply }
            }
            Answer::Garbled { reply, .. } if unsent => Outcome::NotSent(reply.text),
            // Without a code it may have been accepted.
            Answer::Garbled { reply, .. } => Outcome::Unknown(reply.text),
            Answer::Positive(reply) => {
                self.usable = false;
                let text = format!("the relay answered {reply} to the message");
                if unsent { Outcome::NotSent(text) } else { Outcome::Unknown(text) }
            }
            Answer::Lost(why) if unsent => Outcome::NotSent(sent.err().unwrap_or(why)),
            Answer::Lost(why) => Outcome::Unknown(why),
        }
    }

    /// Sends all pending output; each block must be accepted within its timeout.
    async fn write_out(&mut self) -> Result<(), String> {
        loop {
            let wire = self.wire.clone();
            let part = poll_fn(move |context| wire.poll_write_out(context));
            match timeout(self.timeouts.block, part).await {
                Err(_) => return Err(in_time("accepted no more content", self.timeouts.block)),
                Ok(Err(error)) => return Err(error.to_string()),
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
            }
        }
    }

    /// Reads the answer to MAIL or RCPT. Only 2xx is positive (RFC 5321 §4.3.2): a server that answers 354 is out of
    /// step, so its next reply belongs to another command. That counts as a temporary refusal, and the connection
    /// must not be used any more.
    async fn command_answer(&mut self, stage: Stage) -> Answer {
        match self.answer(self.timeouts.command).await {
            Answer::Positive(reply) if !reply.is_positive() => {
                self.usable = false;
                let text = format!("{GARBLED}: {reply} to {}, where 250 is expected", stage.word());
                Answer::Garbled { reply: Reply::new(451, &text), is_refusal: true }
            }
            answer => answer,
        }
    }

    /// Sends pending output and reads one reply.
    async fn answer(&mut self, wait: Duration) -> Answer {
        let answer = match timeout(wait, self.lettre.read_response()).await {
            Err(_) => Answer::Lost(in_time("did not answer", wait)),
            Ok(Ok(response)) => Answer::Positive(reply(&response)),
            Ok(Err(error)) => match refusal(&error) {
                Some(reply) => match self.wire.lock().take_garbled() {
                    Some(Garbled { is_refusal }) => Answer::Garbled { reply, is_refusal },
                    None => Answer::Refused(reply),
                },
                None => Answer::Lost(cause(&error)),
            },
        };
        match &answer {
            // RFC 5321 §3.8: after 421 the relay closes.
            Answer::Refused(reply) if reply.code == 421 => self.usable = false,
            Answer::Lost(_) | Answer::Garbled { .. } => self.usable = false,
            Answer::Positive(_) | Answer::Refused(_) => {}
        }
        answer
    }
}

impl Connection for RelayConnection {
    fn send_pieces<'a>(&'a mut self, envelope: &'a Envelope, message: Pieces<'a>) -> TransportFuture<'a, Outcome> {
        Box::pin(self.transact(envelope, message))
    }

    fn is_usable(&self) -> bool {
        self.usable && self.left > 0 && self.said_unasked().is_none()
    }

    fn close(mut self: Box<Self>) -> TransportFuture<'static, ()> {
        Box::pin(async move {
            if self.usable {
                // Nothing depends on the answer.
                drop(timeout(self.timeouts.quit, self.lettre.quit()).await);
            }
        })
    }
}

fn in_time(what: &str, wait: Duration) -> String {
    format!("the relay {what} within {} s", wait.as_secs_f32())
}
