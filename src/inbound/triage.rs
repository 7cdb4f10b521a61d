//! Which handler a message belongs to: by its destination address, then by its content.
//!
//! A handler that does not understand a message returns `None`, and the message is forwarded to the list's owner: no
//! message is dropped unread (RFC 5321 §6.1).

use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::id::NoticeId;
use crate::bounce::{Kind, Reader, Reading};
use crate::composition::notices::{Forwarded, NoticeError, Notices, is_of_program};
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::store::Read;
use crate::store::later::{LaterForward, put_forward};
use crate::subscribers::rulebook::Rulebook;

use super::bounce::BounceHandler;
use super::command::CommandService;
use super::destination::{Destination, Role};
use super::post::{PostService, Received};
use super::rsvp::RsvpHandler;
use super::{Effects, HandleError, Handler, HandlerFuture, Item};
use super::{complaint, returned, rsvp};

/// How many messages of one sender to a plain envelope sender are forwarded a day.
const UNSIGNED_A_DAY: u32 = 10;

/// Routes each message to its handler. Each handler holds its own dependencies; this holds only what routing needs.
pub struct Triage {
    /// Decides what is allowed; holds the store, and the key that signs and verifies tokens.
    pub rulebook: Rulebook,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Distinguishes bounces, complaints and automatic replies from mail written by people.
    pub reader: Reader,
    /// Forwards messages.
    pub notices: Notices,
    /// Handles bounces.
    pub bounces: BounceHandler,
    /// Handles commands.
    pub commands: CommandService,
    /// Handles posts and the decisions about them.
    pub posts: PostService,
    /// Handles answers to invitations.
    pub rsvps: RsvpHandler,
    /// Who receives mail that came to no list; if absent, the owner of the first list.
    pub postmaster: Option<Address>,
}

impl From<NoticeError> for HandleError {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::Store(error) => Self::Store(error),
            error => Self::Broken(error.to_string()),
        }
    }
}

impl Handler for Triage {
    fn handle<'a>(&'a self, item: &'a Item) -> HandlerFuture<'a> {
        Box::pin(self.see(item))
    }
}

impl Triage {
    /// Reads a message that came to an address for reports.
    fn read(&self, item: &Item) -> Reading {
        self.reader.read_from(&item.message, item.inbound.arrival.sender.is_none())
    }

    async fn see(&self, item: &Item) -> Result<Effects, HandleError> {
        // At any of our addresses: providers send complaints to various ones.
        if item.message.is_whole() && complaint::is_complaint(&item.message) {
            let reading = self.read(item);
            if let Some(effects) = complaint::handle(&self.rulebook, item, &reading).await? {
                return Ok(effects);
            }
        }
        let handled = match &item.destination {
            Some(Destination::List { list, role }) => self.see_for_list(item, list, role).await?,
            Some(Destination::Rsvp) if item.message.is_whole() => self.rsvps.handle(item, None, None).await?,
            Some(Destination::Rsvp | Destination::Postmaster) | None => None,
        };
        match handled {
            Some(effects) => Ok(effects),
            None => self.forward(item).await,
        }
    }

    async fn returned(&self, item: &Item, notice: NoticeId) -> Result<Option<Effects>, HandleError> {
        let (store, now) = (&self.rulebook.store, self.clock.now());
        returned::handle(store, &self.read(item), notice, now).await
    }

    async fn see_for_list(&self, item: &Item, read: &Read<List>, role: &Role) -> Result<Option<Effects>, HandleError> {
        let list = &read.value;
        if self.notices.is_loop(&item.message, Some(list)) {
            return Ok(Some(Effects::none(InboundKind::Loop, "it was sent by this list before")));
        }
        // The token is the proof, whatever the mail contains.
        if matches!(role, Role::Unsubscribe { token: Some(_) })
            && let Some(effects) = self.commands.handle(item).await?
        {
            return Ok(Some(effects));
        }
        match role {
            // The owner's address is the last resort: all mail to it is for a person.
            Role::Owner => Ok(None),
            // Without a valid token a report changes nothing; a person reads it.
            Role::Bounces { token: None } => self.unsigned_bounce(item).await,
            Role::Bounces { token: Some(token) } => {
                let reading = self.read(item);
                self.bounces.handle(item, &reading, *token).await
            }
            Role::Returned { notice } => self.returned(item, *notice).await,
            // Reports carry their information at the beginning. Other messages are not handled if truncated.
            _ if !item.message.is_whole() => Ok(None),
            // Before the check for automatic replies: a calendar program answers on its owner's instruction.
            Role::Rsvp { token } => self.rsvps.handle(item, Some(list), *token).await,
            Role::Post if rsvp::is_answer(&item.message) => self.rsvps.handle(item, Some(list), None).await,
            // An automatic reply is not a request, a post or a decision. It is dropped only if it is marked as
            // automatic.
            _ => match (role, self.reader.read(&item.message).kind) {
                (_, Kind::AutoReply) if is_of_program(item.inbound.arrival.sender.as_deref(), &item.message) => {
                    Ok(Some(Effects::none(InboundKind::AutoReply, "an automatic answer")))
                }
                // What is meant for the list's commands or its owner must not be sent to the whole list.
                (Role::Post, _) if self.commands.is_request(item, list) => self.commands.pending(item, list).await,
                (Role::Post, _) => match self.posts.receive(item, read).await? {
                    Received::Done(effects) => Ok(Some(effects)),
                    Received::ForOwner(why) => {
                        let mut effects = self.forward(item).await?;
                        effects.note.push_str(&format!(": {why}"));
                        Ok(Some(effects))
                    }
                },
                // A report is not a request and decides nothing, whatever address it was sent to: a person reads it.
                (_, Kind::Bounce | Kind::Notice | Kind::Complaint) => Ok(None),
                (Role::Decide { token }, _) => self.posts.decide(item, read, token).await,
                (Role::Confirm { .. }, _) | (_, Kind::Other) => self.commands.handle(item).await,
                // Not marked as automatic, but its subject looks so: no reply is sent, and a person reads it.
                (_, Kind::AutoReply) => Ok(None),
            },
        }
    }

    /// Only programs write to the plain envelope sender. A program that replies to a forwarded message would have its
    /// reply forwarded too, and reply again, so the number per day is limited.
    async fn unsigned_bounce(&self, item: &Item) -> Result<Option<Effects>, HandleError> {
        let sender = item.inbound.arrival.sender.as_deref().and_then(|sender| sender.parse::<Address>().ok());
        let Some(sender) = sender else { return Ok(None) };
        let mut effects = self.forward(item).await?;
        if self.notices.at_most(&mut effects.batch, &sender, "passed-on", UNSIGNED_A_DAY).await? {
            return Ok(Some(effects));
        }
        tracing::warn!(inbound = %item.inbound.id, "a message waits for the next digest: too many of one sender came to an address for programs today");
        let list = match &item.destination {
            Some(Destination::List { list, .. }) => Some(list.value.name.clone()),
            _ => None,
        };
        let note = "in the next digest: too many today from one sender to an address for programs";
        let mut effects = Effects::none(InboundKind::Forwarded, note);
        put_forward(&mut effects.batch, &LaterForward { inbound: item.inbound.id, list });
        Ok(Some(effects))
    }

    /// Forwards a message to the list's owner, or to the installation's postmaster.
    async fn forward(&self, item: &Item) -> Result<Effects, HandleError> {
        let list = match &item.destination {
            Some(Destination::List { list, .. }) => Some(&list.value),
            Some(Destination::Rsvp | Destination::Postmaster) | None => None,
        };
        let to = match list {
            Some(list) => list.owner.clone(),
            None => self.postmaster().await?,
        };
        let mut effects = Effects::none(InboundKind::Forwarded, "");
        let passed = self.notices.forward(&mut effects.batch, &item.inbound, &item.message, &to, list).await?;
        if passed == Forwarded::Loop {
            return Ok(Effects::none(InboundKind::Loop, "it was forwarded before"));
        }
        effects.note = format!("passed on to the person responsible, {}", passed.words());
        if let Some(excess) = item.message.excess() {
            effects.note.push_str(&format!("; not read completely: {excess}"));
            tracing::warn!(inbound = %item.inbound.id, %excess, "a message was not read completely");
        }
        effects.notify = matches!(passed, Forwarded::As(_));
        Ok(effects)
    }

    async fn postmaster(&self) -> Result<Address, HandleError> {
        if let Some(postmaster) = &self.postmaster {
            return Ok(postmaster.clone());
        }
        let lists = self.rulebook.store.lists().await?;
        let owner = lists.into_iter().next().map(|list| list.value.owner);
        let unset = "no list has an owner to write to; set inbound.postmaster";
        owner.ok_or_else(|| HandleError::Broken(unset.to_owned()))
    }
}
