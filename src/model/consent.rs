//! The consent ledger: when, how, from where and on what words a subscription changed.

use crate::base::clock::Timestamp;

use super::subscriber::SubscriptionState;

/// One change of one subscription. Events are only ever added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentEvent {
    /// When it took effect.
    pub at: Timestamp,
    /// What the subscription became.
    pub became: SubscriptionState,
    /// By which way the change came.
    pub source: ConsentSource,
    /// The exact words agreed to, or the reason given.
    pub words: String,
}

/// By which way a change of a subscription came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentSource {
    /// A row of an imported file.
    Import {
        /// The file's name, without its folder.
        file: String,
        /// The line in it, from 1.
        line: u64,
    },
    /// A person at the control API or the command line.
    Operator {
        /// Who, as the system knows them.
        who: String,
    },
    /// A mail from the subscriber.
    Mail {
        /// Its Message-ID.
        message_id: String,
        /// SHA-256 of the mail as it came, where it is kept as evidence (among the attachments, by this name).
        evidence: Option<[u8; 32]>,
    },
    /// A bounce, a complaint or a rule of the system.
    System {
        /// Which rule.
        rule: String,
    },
}
