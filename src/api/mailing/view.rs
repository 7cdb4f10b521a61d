//! Mailings and deliveries in JSON.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::SubscriberId;
use crate::base::spreadsheet::Sheet;
use crate::composition::message_id::MessageIds;
use crate::mailings::report::{Account, Row, masked, shown_address};
use crate::model::ledger::Tally;
use crate::model::mailing::{Mailing, MailingContent, Stage, UncertainPolicy};
use crate::store::{Store, StoreError};

use super::super::ApiState;
use super::super::error::ApiError;

/// A mailing with its counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailingView {
    /// Its id.
    pub id: String,
    /// The release it sends, if it sends a release.
    pub release: Option<String>,
    /// The post it sends, if it sends a post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The release's headline, or the post's subject.
    pub headline: Option<String>,
    /// `scheduled`, `freezing`, `sending`, `finished`, `cancelled` or `expired`.
    pub stage: String,
    /// Set while it is paused.
    pub pause: Option<PauseView>,
    /// Its audience.
    pub audience: AudienceView,
    /// The scheduled time.
    pub at: Timestamp,
    /// The scheduled time in the author's time zone.
    pub local_time: String,
    /// The author's time zone.
    pub zone: String,
    /// What to do if the time is missed: `send`, `ask` or `expire`.
    pub missed: String,
    /// The delay that still counts as on time, in seconds.
    pub grace_seconds: u32,
    /// What to do with deliveries left in doubt by a crash: `resend` or `hold`.
    pub uncertain: String,
    /// Whether it requires an approval.
    pub approval_required: bool,
    /// Whether it has the approval it requires.
    pub approved: bool,
    /// Who approved it; with two approvals, the second person.
    pub approved_by: Option<String>,
    /// How many other people must approve it: 0, 1 or 2.
    #[serde(default)]
    pub approvals_needed: u8,
    /// Who gave the first of two approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_approved_by: Option<String>,
    /// The hash of the content, to which an approval is bound.
    pub content_hash: String,
    /// When it was queued.
    pub created: Timestamp,
    /// Who queued it.
    pub created_by: String,
    /// When it was finished, cancelled or expired.
    pub ended: Option<Timestamp>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// Seconds between "send now" and the first message, in which it can be cancelled or edited; 0 for a time of its own.
    #[serde(default)]
    pub undo_seconds: u32,
    /// Who edited it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<String>,
    /// The counts, once the audience is frozen.
    pub counts: Option<Counts>,
}

/// Why a mailing is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// `person`, `breaker`, `missed` or `broken`.
    pub reason: String,
    /// A description of the reason.
    pub why: String,
    /// When it was paused.
    pub since: Timestamp,
}

/// The audience of a mailing. Empty fields do not restrict it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudienceView {
    /// Subscribers of any of these lists.
    pub lists: Vec<String>,
    /// Subscribers who cover any of these beats.
    #[serde(default)]
    pub beats: Vec<String>,
    /// Subscribers who cover any of these regions.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Subscribers with any of these languages.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Only subscribers whom this earlier mailing reached.
    #[serde(default)]
    pub reached_by: Option<String>,
}

/// The number of deliveries by state: all but `resent` add up to `audience`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Deliveries in the frozen audience.
    pub audience: u64,
    /// Accepted by the relay.
    pub accepted: u64,
    /// Failed for good.
    pub failed: u64,
    /// Suppressed.
    pub suppressed: u64,
    /// Cancelled before sending.
    pub cancelled: u64,
    /// Uncertain: a person must decide.
    pub uncertain: u64,
    /// Being sent now.
    pub in_doubt: u64,
    /// To be retried.
    pub deferred: u64,
    /// Not yet tried.
    pub waiting: u64,
    /// Resent after an uncertain attempt, so that a second copy may have arrived. Not part of the sum.
    pub resent: u64,
}

/// A delivery and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// The subscriber.
    pub subscriber: String,
    /// The address, masked unless requested in full; `erased` if the person was erased.
    pub address: String,
    /// `waiting`, `in-doubt`, `accepted`, `deferred`, `failed`, `suppressed`, `cancelled` or `uncertain`.
    pub state: String,
    /// When it entered that state; for a deferred delivery, when it is retried.
    pub at: Option<Timestamp>,
    /// The number of attempts.
    pub attempts: u16,
    /// The number of attempts with an uncertain outcome that were followed by another.
    pub resent: u16,
    /// The SMTP command that the reply was for, or `connection`, `content`, `stopped`.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The reply, or what failed.
    pub reply: String,
    /// A bounce or complaint after it was accepted.
    pub later: Option<LaterBounce>,
    /// The Message-ID of its mail, without angle brackets.
    #[serde(default)]
    pub message_id: String,
}

/// A bounce or complaint about an accepted delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterBounce {
    /// When it was reported.
    pub at: Timestamp,
    /// The cause: `address`, `mailbox`, `content`, `policy`, `network`, `complaint` or `other`.
    pub class: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The text of the report.
    pub words: String,
}

impl MailingView {
    /// The id of the release or post.
    pub(crate) fn content(&self) -> &str {
        self.release.as_deref().or(self.post.as_deref()).unwrap_or_default()
    }

    /// The scheduled time of day in the author's zone, with seconds.
    pub(crate) fn sent_at(&self) -> String {
        let zone: Tz = self.zone.parse().unwrap_or(Tz::UTC);
        self.at.with_timezone(&zone).format("%H:%M:%S %Z").to_string()
    }

    /// A mailing in JSON.
    pub(crate) fn new(mailing: &Mailing, headline: Option<String>, tally: Option<&Tally>) -> Self {
        let (ended, cancelled_by) = match &mailing.stage {
            Stage::Finished { at, .. } | Stage::Expired { at } => (Some(*at), None),
            Stage::Cancelled { at, by, .. } => (Some(*at), Some(by.clone())),
            Stage::Scheduled | Stage::Freezing { .. } | Stage::Sending(_) => (None, None),
        };
        let uncertain = match mailing.uncertain {
            UncertainPolicy::Resend => "resend",
            UncertainPolicy::Hold => "hold",
        };
        Self {
            id: mailing.id.to_string(),
            release: mailing.content.release().map(|id| id.to_string()),
            post: mailing.content.post().map(|id| id.to_string()),
            headline,
            stage: mailing.stage.word().to_owned(),
            pause: mailing.pause.as_ref().map(|pause| PauseView {
                reason: pause.reason.word().to_owned(),
                why: pause.reason.words(),
                since: pause.since,
            }),
            audience: audience(mailing),
            at: mailing.schedule.at,
            local_time: local_time(mailing.schedule.at, &mailing.schedule.zone),
            zone: mailing.schedule.zone.clone(),
            missed: mailing.schedule.missed.word().to_owned(),
            grace_seconds: mailing.schedule.grace_seconds,
            uncertain: uncertain.to_owned(),
            approval_required: mailing.approval_required,
            approved: mailing.is_approved(),
            approved_by: mailing.approval.as_ref().map(|approval| approval.by.clone()),
            approvals_needed: if mailing.approval_required { mailing.approvals_needed } else { 0 },
            first_approved_by: mailing.valid_first_approval().map(|first| first.by.name.clone()),
            content_hash: mailing.content_hash.clone(),
            created: mailing.created,
            created_by: mailing.created_by.clone(),
            ended,
            cancelled_by,
            undo_seconds: mailing.undo_seconds,
            edited_by: mailing.edits.last().map(|edit| edit.by.name.clone()),
            counts: tally.map(Counts::from),
        }
    }
}

fn audience(mailing: &Mailing) -> AudienceView {
    let query = &mailing.audience;
    AudienceView {
        lists: query.lists.iter().map(|list| list.to_string()).collect(),
        beats: query.beats.iter().cloned().collect(),
        regions: query.regions.iter().cloned().collect(),
        languages: query.languages.iter().map(|language| language.to_string()).collect(),
        reached_by: query.reached_by.map(|id| id.to_string()),
    }
}

/// An instant as local time in `zone`, with its weekday; in UTC if the zone is no longer known.
pub(crate) fn local_time(at: Timestamp, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z").to_string()
}

/// The headline of the release that a mailing sends, or the subject of the post.
pub(super) async fn headline(store: &Store, content: MailingContent) -> Result<Option<String>, StoreError> {
    Ok(match content {
        MailingContent::Release(id) => store.release(id).await?.map(|read| read.value.summary.headline),
        MailingContent::Post(id) => store.post(id).await?.map(|read| read.value.subject),
    })
}

/// A mailing with its headline and counts.
pub(super) async fn counted(control: &ApiState, mailing: &Mailing) -> Result<MailingView, ApiError> {
    let headline = headline(&control.store, mailing.content).await?;
    let tally = match mailing.frozen() {
        Some(_) => Some(control.store.tally(mailing).await?),
        None => None,
    };
    Ok(MailingView::new(mailing, headline, tally.as_ref()))
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        Self {
            audience: tally.audience(),
            accepted: tally.accepted,
            failed: tally.failed,
            suppressed: tally.suppressed,
            cancelled: tally.cancelled,
            uncertain: tally.uncertain,
            in_doubt: tally.in_doubt,
            deferred: tally.deferred,
            waiting: tally.waiting,
            resent: tally.resent,
        }
    }
}

impl DeliveryView {
    /// A delivery in JSON. Without `addresses`, addresses are masked, also in replies.
    pub fn new(row: &Row, addresses: bool) -> Self {
        let account = Account::of(&row.delivery);
        Self {
            subscriber: row.subscriber.to_string(),
            address: shown_address(row, addresses),
            state: row.delivery.state.word().to_owned(),
            at: row.at(),
            attempts: row.delivery.attempts,
            resent: row.delivery.resent,
            stage: account.stage.to_owned(),
            code: account.code,
            status: account.status,
            reply: if addresses { account.text } else { masked(&account.text) },
            message_id: String::new(),
            later: row.later.as_ref().map(|bounce| LaterBounce {
                at: bounce.at,
                class: bounce.class.word().to_owned(),
                status: bounce.status.clone(),
                words: if addresses { bounce.evidence.clone() } else { masked(&bounce.evidence) },
            }),
        }
    }

    /// Adds the Message-ID of its mail.
    pub(crate) fn with_message_id(self, ids: &MessageIds, subscriber: SubscriberId) -> Self {
        Self { message_id: ids.to(subscriber), ..self }
    }

    /// The delivery as a line of CSV, in the order of [`COLUMNS`], escaped for spreadsheets.
    pub fn csv(&self) -> Vec<u8> {
        let time = |at: Timestamp| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let later = self.later.as_ref();
        csv_line(&[
            &self.subscriber,
            &self.address,
            &self.state,
            &self.at.map(time).unwrap_or_default(),
            &self.attempts.to_string(),
            &self.resent.to_string(),
            &self.stage,
            &self.code.map(|code| code.to_string()).unwrap_or_default(),
            self.status.as_deref().unwrap_or_default(),
            &self.reply,
            &later.map(|later| time(later.at)).unwrap_or_default(),
            later.map_or("", |later| &later.class),
            later.and_then(|later| later.status.as_deref()).unwrap_or_default(),
            later.map_or("", |later| &later.words),
            &self.message_id,
        ])
    }
}

/// The columns of the CSV file.
pub const COLUMNS: [&str; 15] = [
    "subscriber",
    "address",
    "state",
    "at",
    "attempts",
    "resent",
    "stage",
    "code",
    "status",
    "reply",
    "bounced_at",
    "bounce_class",
    "bounce_status",
    "bounce",
    "message_id",
];

/// A line of CSV (RFC 4180), escaped so that spreadsheets do not run any cell as a formula.
pub fn csv_line(cells: &[&str; 15]) -> Vec<u8> {
    let mut sheet = Sheet::for_program(false);
    sheet.row(cells);
    sheet.take()
}
