//! A list: a named audience with an address, and the rules for what is written to it.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;

/// A named audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The local part of its address.
    pub name: ListName,
    /// What people call it.
    pub title: String,
    /// Where posts to it go and what its List-Id is made of, e.g. `media@lists.example.org`.
    pub address: Address,
    /// Who may write to it.
    pub kind: ListKind,
    /// How one gets on it.
    pub joining: Joining,
    /// The person who answers for it.
    pub owner: Address,
    /// Its language where neither release nor subscriber says another.
    pub language: Language,
    /// Whether being on it is sensitive (a union's members: GDPR Article 9).
    pub privacy: Privacy,
    /// Whether a mailing to it must be approved by a second person.
    pub approval: bool,
    /// What becomes of mail that is written to it.
    pub posting: Posting,
    /// When it was made.
    pub created: Timestamp,
}

/// What becomes of a post: a mail that somebody writes to a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// Who may send to an announce list by mail: nobody while it is empty.
    pub senders: BTreeSet<Address>,
    /// Who decides about posts that are held; the owner while it is empty.
    pub moderators: BTreeSet<Address>,
    /// Which posts to a discussion list are held.
    pub moderation: Moderation,
    /// Where replies to a post go.
    pub reply_to: ReplyTo,
    /// Whether a post keeps its author's address in From.
    pub from: FromPolicy,
    /// What becomes of a member's post that its author's domain does not stand by.
    pub unproven: Unproven,
}

/// What becomes of a member's post whose author's domain has published who may send for it (SPF, DKIM), when the post is not
/// from there. Where that domain asks receivers to refuse such mail (DMARC), it is held in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unproven {
    /// A moderator decides.
    #[default]
    Hold,
    /// It is treated as any other.
    Send,
}

/// Which posts to a discussion list wait for a moderator. Posts to an announce list always wait for their sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moderation {
    /// None: members' posts go out at once, those of others are passed on to the owner.
    None,
    /// Those of who is not a member; members' posts go out at once.
    #[default]
    NonMembers,
    /// All.
    All,
}

/// Where replies to a post go (the field Reply-To).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyTo {
    /// To its author.
    #[default]
    Author,
    /// To the list.
    List,
    /// To both.
    Both,
}

/// Whether a post keeps its author's address in From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FromPolicy {
    /// Always, whatever receivers think of it.
    Keep,
    /// Never: the list's address stands there, with the author's name.
    Rewrite,
    /// Unless the author's domain asks receivers to refuse or set aside mail that it did not send itself.
    #[default]
    ByDmarc,
}

/// Who may write to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Only its authorised senders.
    Announce,
    /// Its subscribers.
    Discussion,
}

/// How one gets on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// At once.
    Open,
    /// After confirming by mail.
    Confirmed,
    /// Only by an operator.
    Closed,
}

/// Whether being on a list may be shown in logs and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// A list of media, say.
    Ordinary,
    /// Membership itself is sensitive.
    Sensitive,
}

impl List {
    /// Who decides about held posts.
    pub fn moderators(&self) -> Vec<&Address> {
        match self.posting.moderators.is_empty() {
            true => vec![&self.owner],
            false => self.posting.moderators.iter().collect(),
        }
    }

    /// What it is called where it must be told from all others, e.g. `Pressmeddelanden (media)`: for letters to those who answer
    /// for it, and in their text only, because servers on the way see the header.
    pub fn naming(&self) -> String {
        match self.title == self.name.as_str() {
            true => self.title.clone(),
            false => format!("{} ({})", self.title, self.name),
        }
    }

    /// Whom it names: its owner, its senders, its moderators.
    pub fn named(&self) -> impl Iterator<Item = &Address> {
        [&self.owner].into_iter().chain(&self.posting.senders).chain(&self.posting.moderators)
    }

    /// Whether mail from this address may go to an announce list, once its owner has confirmed it.
    pub fn is_sender(&self, address: &Address) -> bool {
        self.sender(address).is_some()
    }

    /// The authorised sender with this address, as the list has it.
    pub fn sender(&self, address: &Address) -> Option<&Address> {
        self.posting.senders.iter().find(|sender| sender.key() == address.key())
    }
}

/// A word that is not among those known. The text names them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\u{201c}{given}\u{201d} is none of {known}")]
pub struct UnknownWord {
    given: String,
    known: String,
}

macro_rules! words {
    ($kind:ident, $($word:literal => $variant:ident),+) => {
        impl $kind {
            /// All words, in the order in which they are explained.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word used everywhere.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $kind {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { given: text.to_owned(), known: Self::WORDS.join(", ") }),
                }
            }
        }
    };
}

words!(Moderation, "none" => None, "non-members" => NonMembers, "all" => All);
words!(ReplyTo, "author" => Author, "list" => List, "both" => Both);
words!(Unproven, "hold" => Hold, "send" => Send);
words!(FromPolicy, "keep" => Keep, "rewrite" => Rewrite, "by-dmarc" => ByDmarc);
