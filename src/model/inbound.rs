//! A message that came in, and what became of it.
//!
//! One record for each recipient of a message: each is handled on its own, and one that cannot be handled holds back no
//! other. The message itself lies in the spool; the record says where.

use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::base::id::InboundId;

/// What is known of a message that came in, outside its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When its last byte had come.
    pub at: Timestamp,
    /// By which way.
    pub via: Via,
    /// From which machine, where one is known.
    pub peer: Option<IpAddr>,
    /// What that machine called itself in EHLO or LHLO; a stranger's word, for people to read.
    pub helo: String,
    /// Whether it came inside TLS.
    pub encrypted: bool,
    /// The envelope sender as given; `None` is the null reverse-path `<>` (RFC 5321 §4.5.5).
    pub sender: Option<String>,
}

/// By which way a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// From another mail server straight to us (RFC 5321).
    Smtp,
    /// From a mail server of our own that took it in (RFC 2033).
    Lmtp,
    /// From a file or standard input.
    File,
}

impl Via {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::File => "file",
        }
    }
}

/// Where a message lies in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolPlace {
    /// The segment's number.
    pub segment: u64,
    /// Where in it the message's record begins, in bytes.
    pub offset: u64,
    /// How long the message is, in bytes.
    pub length: u32,
}

/// One message to one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its name.
    pub id: InboundId,
    /// How it came.
    pub arrival: Arrival,
    /// The address it came to, as given in RCPT; its local part keeps its case (RFC 5321 §2.4).
    pub recipient: String,
    /// Where its bytes lie. They are dropped with their segment after the set time.
    pub place: SpoolPlace,
    /// How far it has come.
    pub state: InboundState,
}

/// How far a message that came in has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboundState {
    /// To be handled.
    Waiting,
    /// Handled; its effects are in the store.
    Handled {
        /// When.
        at: Timestamp,
        /// What it was taken for.
        kind: InboundKind,
        /// What was done, for people to read: no address in it, for it outlives erasure.
        note: String,
    },
    /// Handling it failed again and again, or made the code panic: it lies here until a person looks.
    Stuck {
        /// Since when.
        at: Timestamp,
        /// What went wrong.
        what: String,
    },
}

/// What a message that came in was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundKind {
    /// Subscribe, unsubscribe, confirm, help and their like.
    Command,
    /// A delivery failed, or may fail.
    Bounce,
    /// A reader complained to their provider (RFC 5965).
    Complaint,
    /// Written by a machine on behalf of an absent reader.
    AutoReply,
    /// A report that says nothing against anybody: delays, receipts.
    Notice,
    /// Written to a list.
    Post,
    /// The author's or a moderator's word on a held post.
    Decision,
    /// An answer to an invitation.
    Rsvp,
    /// Passed on to the person who answers for the list.
    Forwarded,
    /// Dropped because it had been here before, with the reason in the note (RFC 5321 §6.3).
    Loop,
}

impl InboundKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
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

    /// The word used everywhere.
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
