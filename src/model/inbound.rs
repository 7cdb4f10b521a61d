//! An incoming message and its handling.
//!
//! There is one record for each recipient of a message: each is handled separately, and one that cannot be handled
//! delays no other. The record points to the message in the spool.

use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::base::id::InboundId;

/// Metadata of an incoming message: what its own bytes do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When its last byte was received.
    pub at: Timestamp,
    /// How it arrived.
    pub via: Via,
    /// The sending machine, if known.
    pub peer: Option<IpAddr>,
    /// The name given in EHLO or LHLO: unverified, for people to read.
    pub helo: String,
    /// Whether it was received over TLS.
    pub encrypted: bool,
    /// The envelope sender as given; `None` is the null reverse-path `<>` (RFC 5321 §4.5.5).
    pub sender: Option<String>,
}

/// How a message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// From another mail server directly (RFC 5321).
    Smtp,
    /// From a mail server of our own (RFC 2033).
    Lmtp,
    /// From a file or standard input.
    File,
}

impl Via {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::File => "file",
        }
    }
}

/// Location of a message in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolPlace {
    /// The segment's number.
    pub segment: u64,
    /// Offset of the message's record in the segment, in bytes.
    pub offset: u64,
    /// Length of the message, in bytes.
    pub length: u32,
}

/// One incoming message for one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its id.
    pub id: InboundId,
    /// How it arrived.
    pub arrival: Arrival,
    /// The address as given in RCPT; its local part keeps its case (RFC 5321 §2.4).
    pub recipient: String,
    /// Location of its bytes. They are dropped with their segment after the configured time.
    pub place: SpoolPlace,
    /// How far it has been handled.
    pub state: InboundState,
}

/// How far an incoming message has been handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboundState {
    /// Not handled yet.
    Waiting,
    /// Handled; its effects are in the store.
    Handled {
        /// When.
        at: Timestamp,
        /// What it was classified as.
        kind: InboundKind,
        /// What was done, for people to read: without addresses, because it outlives erasure.
        note: String,
    },
    /// Handling failed repeatedly, or the code panicked: it stays here until a person acts.
    Stuck {
        /// Since when.
        at: Timestamp,
        /// What went wrong.
        what: String,
    },
}

/// What an incoming message was classified as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundKind {
    /// A command: subscribe, unsubscribe, confirm, help and so on.
    Command,
    /// A delivery failed, or may fail.
    Bounce,
    /// A reader complained to their provider (RFC 5965).
    Complaint,
    /// Sent automatically on behalf of an absent reader.
    AutoReply,
    /// A report without a failure: delays, receipts.
    Notice,
    /// A post to a list.
    Post,
    /// The author's or a moderator's decision on a held post.
    Decision,
    /// An answer to an invitation.
    Rsvp,
    /// Forwarded to the list's owner.
    Forwarded,
    /// Dropped because it has been here before, with the reason in the note (RFC 5321 §6.3).
    Loop,
}

impl InboundKind {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Command,
        Self::Bounce,
        Self::Complaint,
        Self::AutoReply,
        Self::Notice,
        Self::Post,
        Self::Decision,
        Self::Rsvp,
        Self::Forwarded,
        Self::Loop,
    ];

    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::AutoReply => "auto-reply",
            Self::Notice => "notice",
            Self::Post => "post",
            Self::Decision => "decision",
            Self::Rsvp => "rsvp",
            Self::Forwarded => "forwarded",
            Self::Loop => "loop",
        }
    }
}
