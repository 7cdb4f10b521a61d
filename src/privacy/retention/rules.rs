//! All retention rules: what is deleted, after how long, and why. They run automatically once a day, and can be
//! tried: then everything is examined and nothing is deleted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::AuditLog;
use crate::base::address::Address;
use crate::base::clock::{Clock, Timestamp};
use crate::base::token::Key;
use crate::inbound::post::SEEN_DAYS;
use crate::model::present::{Cutoff, Present};
use crate::privacy::retention::notices::drop_notices;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::spool::Spool;

use super::files::{drop_aside, drop_captured};
use super::former::{Needed, erase_former};
use super::people::{drop_answers, forget_words};
use super::{
    KEY_DAYS, RetentionError, drop_attachments, drop_mail, drop_posts, forget_keys, forget_requests, forget_seen,
    old_attachments, old_segments,
};

/// How long data is kept. `None`: for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Unreferenced attachments, after they were received.
    pub attachments: Duration,
    /// Incoming mail, posts and notices: after they were handled, decided or settled.
    pub mail: Duration,
    /// Subscribers who are on no list any more.
    pub former_subscribers: Option<Duration>,
    /// Server replies about deliveries, after the mailing ended.
    pub server_replies: Option<Duration>,
    /// Answers to invitations, after the event.
    pub answers: Option<Duration>,
    /// Entries of the audit log.
    pub audit: Option<Duration>,
    /// Captured mails.
    pub captured: Option<Duration>,
    /// What a recovery of the store set aside.
    pub set_aside: Option<Duration>,
}

impl Default for Periods {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            attachments: days(30),
            mail: days(90),
            former_subscribers: Some(days(365)),
            server_replies: Some(days(180)),
            answers: Some(days(90)),
            audit: Some(days(730)),
            captured: Some(days(30)),
            set_aside: Some(days(30)),
        }
    }
}

/// The data that the rules are applied to.
#[derive(Clone)]
pub struct Rules {
    /// The records.
    pub store: Store,
    /// The installation's key.
    pub key: Key,
    /// The clock, for audit log entries.
    pub clock: Arc<dyn Clock>,
    /// Incoming mail.
    pub spool: Spool,
    /// Attachments and posts.
    pub blobs: Blobs,
    /// The maildir of the capture transport, if it belongs to us.
    pub capture: Option<PathBuf>,
    /// People in the configuration: they are not erased by age.
    pub configured: Vec<Address>,
    /// The directory of the store.
    pub store_directory: PathBuf,
    /// The periods.
    pub periods: Periods,
}

/// The result of one rule, or what it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// Its name: the configuration key, or a description if absent.
    pub rule: &'static str,
    /// What is deleted.
    pub what: &'static str,
    /// The period; `None`: never.
    pub after: Option<Duration>,
    /// Number of deleted items, or of those that would be deleted now.
    pub dropped: u64,
}

impl Rules {
    /// Applies all rules; with `dry`, only counts what they would delete. A rule that cannot tell what is needed,
    /// because a record cannot be read, deletes nothing, and the other rules continue.
    ///
    /// # Errors
    /// The first [`RetentionError`]: what was deleted stays deleted.
    pub async fn apply(&self, now: Timestamp, dry: bool) -> Result<Vec<Ruled>, RetentionError> {
        let present = &self.store.present(now).await?;
        let (people, mail) = (self.people(present, dry).await, self.mail(present, dry).await);
        let rest = self.rest(present, dry).await;
        let mut ruled = people?;
        ruled.extend(mail?);
        ruled.extend(rest?);
        Ok(ruled)
    }

    /// The store, or one that ignores writes.
    fn store(&self, dry: bool) -> Store {
        match dry {
            true => self.store.dry_run(),
            false => self.store.clone(),
        }
    }

    async fn people(&self, present: &Present, dry: bool) -> Result<Vec<Ruled>, RetentionError> {
        let (store, periods) = (self.store(dry), &self.periods);
        let former = match old(present, periods.former_subscribers) {
            Some(old) => {
                let answers = self::old(present, periods.answers).map(|old| old.instant());
                let needed = Needed::now(&store, &self.configured, answers).await?;
                erase_former(&store, &self.key, &needed, old, present.now).await?
            }
            None => 0,
        };
        let words = match old(present, periods.server_replies) {
            Some(old) => forget_words(&store, old).await?,
            None => 0,
        };
        let answers = match old(present, periods.answers) {
            Some(old) => drop_answers(&store, old.instant()).await?,
            None => 0,
        };
        let pending_requests = forget_requests(&store, present).await?;
        Ok(vec![
            said("retention.former_subscribers", "subscribers on no list, erased", periods.former_subscribers, former),
            said(
                "retention.server_replies",
                "server replies about deliveries and bounces",
                periods.server_replies,
                words,
            ),
            said("retention.answers", "answers to invitations, after the event", periods.answers, answers),
            said("inbound.confirmation", "unconfirmed requests, used tokens", Some(Duration::ZERO), pending_requests),
        ])
    }

    async fn mail(&self, present: &Present, dry: bool) -> Result<Vec<Ruled>, RetentionError> {
        let (store, keep) = (self.store(dry), self.periods.mail);
        let old = older(present, keep);
        let notices = drop_notices(&store, present.now, old).await? as u64;
        let posts = drop_posts(&store, old).await?;
        let segments = match dry {
            true => old_segments(&store, &self.spool, old).await?.0.len(),
            false => {
                let dropped = drop_mail(&store, &self.spool, old).await?;
                for (segment, messages) in dropped.held {
                    let first: Vec<String> = messages.iter().take(10).map(ToString::to_string).collect();
                    tracing::warn!(
                        segment,
                        messages = messages.len(),
                        inbound = first.join(" "),
                        "old mail is kept because it is not handled; see \u{201c}depesch inbound list\u{201d}"
                    );
                }
                dropped.segments
            }
        };
        let keep = Some(keep);
        Ok(vec![
            said("inbound.keep", "notices, after they were settled", keep, notices),
            said("inbound.keep", "posts, after they were decided", keep, posts),
            said("inbound.keep", "segments of incoming mail, with their records", keep, segments as u64),
        ])
    }

    async fn rest(&self, present: &Present, dry: bool) -> Result<Vec<Ruled>, RetentionError> {
        let (store, periods) = (self.store(dry), &self.periods);
        let audit = match old(present, periods.audit) {
            Some(old) if dry => store.audit_entries_before(old).await?,
            Some(old) => AuditLog::new(store.clone(), self.clock.clone(), self.key.clone()).drop_before(old).await?,
            None => 0,
        };
        let captured = match (old(present, periods.captured), &self.capture) {
            (Some(old), Some(folder)) => drop_captured(folder.clone(), old, dry).await.map_err(failed(folder))?,
            _ => 0,
        };
        let aside = match old(present, periods.set_aside) {
            Some(old) => {
                drop_aside(self.store_directory.clone(), old, dry).await.map_err(failed(&self.store_directory))?
            }
            None => 0,
        };
        let (keys, seen) = (forget_keys(&store, present).await?, forget_seen(&store, present).await?);
        // Last: with a single unreadable record it is unknown which are needed.
        let old = older(present, periods.attachments);
        let attachments = match dry {
            true => old_attachments(&store, &self.blobs, old).await?.len(),
            false => drop_attachments(&store, &self.blobs, old).await?,
        };
        let days = |days: i64| Some(Duration::from_secs(days.unsigned_abs() * 86_400));
        Ok(vec![
            said("retention.attachments", "unreferenced attachments", Some(periods.attachments), attachments as u64),
            said("retention.audit", "entries of the audit log", periods.audit, audit),
            said("retention.captured", "captured mails", periods.captured, captured),
            said("retention.set_aside", "files set aside by recoveries", periods.set_aside, aside),
            said("fixed", "keys of repeated requests", days(KEY_DAYS), keys),
            said("fixed", "Message-IDs that identify second copies of posts", days(SEEN_DAYS), seen),
        ])
    }
}

fn old(present: &Present, after: Option<Duration>) -> Option<Cutoff> {
    Some(older(present, after?))
}

fn older(present: &Present, keep: Duration) -> Cutoff {
    present.older_than(chrono::Duration::from_std(keep).unwrap_or(chrono::Duration::MAX))
}

fn said(rule: &'static str, what: &'static str, after: Option<Duration>, dropped: u64) -> Ruled {
    Ruled { rule, what, after, dropped }
}

fn failed(path: &std::path::Path) -> impl FnOnce(io::Error) -> RetentionError {
    let path = path.to_owned();
    move |error| RetentionError::Files { path, error }
}
