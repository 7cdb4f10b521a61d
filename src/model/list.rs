//! A list: a named audience with an address, and the rules for posts to it.

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
    /// The title shown to people.
    pub title: String,
    /// The address for posts, from which the List-Id is derived, e.g. `media@lists.example.org`.
    pub address: Address,
    /// Who may post to it.
    pub kind: ListKind,
    /// The join policy.
    pub joining: Joining,
    /// The person responsible for it.
    pub owner: Address,
    /// The default language, used when neither release nor subscriber has one.
    pub language: Language,
    /// Whether membership is sensitive (e.g. a union's members: GDPR Article 9).
    pub privacy: Privacy,
    /// Whether a mailing to it needs the approval of a second person.
    pub approval: bool,
    /// By how many other people, 1 or 2, if it needs approval.
    pub approvals: u8,
    /// Whether a test mail of a release must be sent before it is queued.
    pub test_mail: TestMailRule,
    /// How posts to it are treated.
    pub posting: Posting,
    /// When it was created.
    pub created: Timestamp,
}

/// Whether a test mail of exactly a release's content must be sent before a mailing of it is queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestMailRule {
    /// It may be queued without one.
    #[default]
    Optional,
    /// It is refused without one.
    Required,
}

/// How a post, a mail written to a list, is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// Addresses allowed to post to an announce list; empty: none.
    pub senders: BTreeSet<Address>,
    /// Addresses that decide about held posts; empty: the owner.
    pub moderators: BTreeSet<Address>,
    /// Which posts to a discussion list are held.
    pub moderation: Moderation,
    /// Where replies to a post go.
    pub reply_to: ReplyTo,
    /// Whether a post keeps its author's address in From.
    pub from: FromPolicy,
    /// How a member's post is treated that its author's domain does not vouch for.
    pub unproven: Unproven,
}

/// How a member's post is treated when its author's domain has published who may send for it (SPF, DKIM) and the post
/// is not from there. Where that domain asks receivers to refuse such mail (DMARC), it is always held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unproven {
    /// A moderator decides.
    #[default]
    Hold,
    /// Treated as any other post.
    Send,
}

/// Which posts to a discussion list wait for a moderator. Posts to an announce list always wait for their sender's
/// confirmation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moderation {
    /// None: members' posts are sent at once, posts by others are forwarded to the owner.
    None,
    /// Posts by non-members; members' posts are sent at once.
    #[default]
    NonMembers,
    /// All posts.
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
    /// Always, whatever receivers do with it.
    Keep,
    /// Never: From has the list's address, with the author's name.
    Rewrite,
    /// Unless the author's domain asks receivers to refuse or quarantine mail that it did not send itself.
    #[default]
    ByDmarc,
}

/// Who may post to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Only its authorised senders.
    Announce,
    /// Its subscribers.
    Discussion,
}

/// The join policy of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// At once.
    Open,
    /// After confirming by mail.
    Confirmed,
    /// Only by an operator.
    Closed,
}

/// Whether membership may be visible in logs and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// It may, e.g. for a list of media.
    Ordinary,
    /// It may not: membership itself is sensitive.
    Sensitive,
}

impl List {
    /// The addresses that decide about held posts.
    pub(crate) fn moderators(&self) -> Vec<&Address> {
        match self.posting.moderators.is_empty() {
            true => vec![&self.owner],
            false => self.posting.moderators.iter().collect(),
        }
    }

    /// An unambiguous name, e.g. `Pressmeddelanden (media)`: for notices to the people responsible, and only in the
    /// text, because servers on the way see the header.
    pub(crate) fn naming(&self) -> String {
        match self.title == self.name.as_str() {
            true => self.title.clone(),
            false => format!("{} ({})", self.title, self.name),
        }
    }

    /// All addresses in its settings: owner, senders, moderators.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Address> {
        [&self.owner].into_iter().chain(&self.posting.senders).chain(&self.posting.moderators)
    }

    /// Whether mail from this address may go to an announce list, once its owner has confirmed it.
    pub(crate) fn is_sender(&self, address: &Address) -> bool {
        self.sender(address).is_some()
    }

    /// The authorised sender with this address, as the list spells it.
    pub(crate) fn sender(&self, address: &Address) -> Option<&Address> {
        self.posting.senders.iter().find(|sender| sender.key() == address.key())
    }
}

/// An unknown word. The text lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\u{201c}{given}\u{201d} is unknown; known are {known}")]
pub struct UnknownWord {
    given: String,
    known: String,
}

macro_rules! words {
    ($kind:ident, $($word:literal => $variant:ident),+) => {
        impl $kind {
            /// All words, in the order in which they are explained.
            pub(crate) const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it in commands, API and records.
            pub(crate) fn word(self) -> &'static str {
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

words!(TestMailRule, "optional" => Optional, "required" => Required);
words!(Moderation, "none" => None, "non-members" => NonMembers, "all" => All);
words!(ReplyTo, "author" => Author, "list" => List, "both" => Both);
words!(Unproven, "hold" => Hold, "send" => Send);
words!(FromPolicy, "keep" => Keep, "rewrite" => Rewrite, "by-dmarc" => ByDmarc);
