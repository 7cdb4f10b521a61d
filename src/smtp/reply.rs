//! All replies of a session, with enhanced codes (RFC 5321 §4.2, RFC 2034, RFC 3463). None repeats text from the
//! peer.

use crate::inbound::recipients::{Recipient, Refusal};

use super::content::Fault;
use super::grammar::Wrong;

/// A reply of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The code, three digits.
    pub code: u16,
    /// The enhanced code; empty where RFC 2034 §4 requires none.
    pub enhanced: &'static str,
    /// Text for people.
    pub text: &'static str,
}

const fn reply(code: u16, enhanced: &'static str, text: &'static str) -> Reply {
    Reply { code, enhanced, text }
}

pub(crate) const SENDER_OK: Reply = reply(250, "2.1.0", "sender OK");
pub(crate) const RECIPIENT_OK: Reply = reply(250, "2.1.5", "recipient OK");
pub(crate) const GO_ON: Reply = reply(354, "", "send the message, end with CRLF.CRLF");
pub(crate) const TAKEN: Reply = reply(250, "2.6.0", "message accepted");
pub(crate) const RESET: Reply = reply(250, "2.0.0", "reset");
pub(crate) const NOTHING: Reply = reply(250, "2.0.0", "OK");
pub(crate) const BYE: Reply = reply(221, "2.0.0", "goodbye");
pub(crate) const HELP: Reply = reply(214, "2.0.0", "see RFC 5321; write to postmaster");
/// RFC 5321 §3.5.3: does not reveal which mailboxes exist.
pub(crate) const CANNOT_VERIFY: Reply = reply(252, "2.0.0", "cannot verify, will take mail and try");
pub(crate) const START_TLS: Reply = reply(220, "2.0.0", "ready for TLS");

pub(crate) const TOO_LONG: Reply = reply(500, "5.5.2", "line too long");
pub(crate) const BARE_IN_COMMAND: Reply = reply(500, "5.5.2", "bare CR or LF; lines end with CRLF");
pub(crate) const NOT_OFFERED: Reply = reply(502, "5.5.1", "not offered");
pub(crate) const WRONG_HELLO_LMTP: Reply = reply(500, "5.5.1", "this is LMTP: say LHLO");
pub(crate) const WRONG_HELLO_SMTP: Reply = reply(500, "5.5.1", "this is SMTP: say EHLO");
pub(crate) const HELLO_FIRST: Reply = reply(503, "5.5.1", "say hello first");
pub(crate) const NESTED_MAIL: Reply = reply(503, "5.5.1", "there is already a sender");
pub(crate) const MAIL_FIRST: Reply = reply(503, "5.5.1", "MAIL first");
/// RFC 5321 §3.3 for SMTP; RFC 2033 §4.2 requires 503 for LMTP.
pub(crate) const NO_RECIPIENTS: Reply = reply(554, "5.5.1", "no valid recipients");
pub(crate) const NO_RECIPIENTS_LMTP: Reply = reply(503, "5.5.1", "no valid recipients");
pub(crate) const ENCRYPTED_ALREADY: Reply = reply(503, "5.5.1", "TLS is already on");
/// RFC 1870 §6.1.
pub(crate) const TOO_LARGE: Reply = reply(552, "5.3.4", "message too large");
/// RFC 6531 §3.5.
pub(crate) const NOT_ASCII: Reply = reply(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8");
/// RFC 5321 §4.5.3.1.10: earlier recipients are kept.
pub(crate) const TOO_MANY_RECIPIENTS: Reply = reply(452, "4.5.3", "too many recipients; send to these first");
pub(crate) const BEGINS_FOLDED: Reply = reply(554, "5.6.0", "the message begins with a continued line");

pub(crate) const TOO_MANY_ERRORS: Reply = reply(421, "4.7.0", "too many errors");
pub(crate) const TOO_MANY_COMMANDS: Reply = reply(421, "4.7.0", "too many commands without a message");
pub(crate) const TOO_MANY_MESSAGES: Reply = reply(421, "4.7.0", "enough messages on this connection; connect again");
pub(crate) const ENDLESS_LINE: Reply = reply(421, "4.7.0", "the line is too long");

/// The reply to an invalid command.
pub(crate) fn to_wrong(wrong: Wrong) -> Reply {
    match wrong {
        Wrong::Unknown => reply(500, "5.5.1", "no such command"),
        Wrong::Arguments(form) => reply(501, "5.5.4", form),
        Wrong::Sender => reply(501, "5.1.7", "the sender is not a valid address"),
        Wrong::Recipient => reply(501, "5.1.3", "the recipient is not a valid address"),
        // RFC 5321 §4.1.1.11.
        Wrong::Parameter => reply(555, "5.5.4", "parameter not offered"),
    }
}

/// The reply to RCPT.
pub(crate) fn to_recipient(answer: &Recipient) -> Reply {
    match answer {
        Recipient::Welcome => RECIPIENT_OK,
        // The same text, so that a forger learns nothing.
        Recipient::Unknown | Recipient::Forged => reply(550, "5.1.1", "no such address here"),
        Recipient::Foreign => reply(550, "5.7.1", "not one of our domains; no relaying"),
        Recipient::Later(_) => reply(451, "4.3.0", "cannot be checked now; try again later"),
    }
}

/// The reply to a message that the ingest refused.
pub(crate) fn to_refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Full => reply(452, "4.3.1", "no space for messages now; try again later"),
        Refusal::Later(_) => reply(451, "4.3.0", "cannot be stored now; try again later"),
        // RFC 5321 §6.3.
        Refusal::Loop => reply(554, "5.4.6", "too many Received fields: this mail is in a loop"),
    }
}

/// The reply to content that was refused.
pub(crate) fn to_fault(fault: Fault) -> Reply {
    match fault {
        Fault::BareLineEnd => reply(554, "5.6.0", "bare CR or LF in the message; lines end with CRLF"),
        Fault::TooLarge => TOO_LARGE,
        Fault::NoMemory => reply(452, "4.3.1", "too many messages at once; try again later"),
    }
}

/// Why the listener ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissal {
    /// No command in time (RFC 5321 §4.5.3.2.7).
    Idle,
    /// The message comes too slowly.
    Slow,
    /// The daemon is about to stop.
    Stopping,
}

/// The reply to a dismissed peer.
pub(crate) fn to_dismissed(dismissal: Dismissal) -> Reply {
    match dismissal {
        Dismissal::Idle => reply(421, "4.4.2", "waited too long for a command"),
        Dismissal::Slow => reply(421, "4.4.2", "the message comes too slowly"),
        Dismissal::Stopping => reply(421, "4.3.2", "stopping; try again later"),
    }
}

/// Why a connection gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// Too many connections in total.
    TooMany,
    /// Too many connections from its address.
    TooManyFromThere,
}

/// The reply to a refused connection.
pub(crate) fn to_turned_away(why: TurnedAway) -> Reply {
    match why {
        TurnedAway::TooMany => reply(421, "4.7.0", "too many connections; try again later"),
        TurnedAway::TooManyFromThere => reply(421, "4.7.0", "too many connections from your address"),
    }
}

impl Reply {
    /// The whole line with its CRLF.
    pub(crate) fn line(&self) -> String {
        let Reply { code, enhanced, text } = self;
        match enhanced.is_empty() {
            true => format!("{code} {text}\r\n"),
            false => format!("{code} {enhanced} {text}\r\n"),
        }
    }
}
