//! Mailings and deliveries as they travel.

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
    /// Its name.
    pub id: String,
    /// The release that it sends, where it is one.
    pub release: Option<String>,
    /// The post that it sends, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The release's headline, or the post's subject.
    pub headline: Option<String>,
    /// scheduled, freezing, sending, finished, cancelled or expired.
    pub stage: String,
    /// Set while it is held back.
    pub pause: Option<PauseView>,
    /// To whom.
    pub audience: AudienceView,
    /// When it is due, or was.
    pub at: Timestamp,
    /// The same as the author's clock shows it.
    pub local_time: String,
    /// The author's zone.
    pub zone: String,
    /// send, ask or expire.
    pub missed: String,
    /// How late still counts as on time, in seconds.
    pub grace_seconds: u32,
    /// resend or hold.
    pub uncertain: String,
    /// Whether an approval is demanded.
    pub approval_required: bool,
    /// Whether it has all the approval it needs.
    pub approved: bool,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// What an approval is bound to.
    pub content_hash: String,
    /// When it was queued.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ended: finished, cancelled or expired.
    pub ended: Option<Timestamp>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// The counts, once the audience is frozen.
    pub counts: Option<Counts>,
}

/// Why a mailing is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// person, breaker, missed or broken.
    pub reason: String,
    /// In words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// To whom a mailing goes. What is empty does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudienceView {
    /// On any of these lists.
    pub lists: Vec<String>,
    /// Covering any of these beats.
    #[serde(default)]
    pub beats: Vec<String>,
    /// Covering any of these regions.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Reading any of these languages.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Only those whom this earlier mailing reached.
    #[serde(default)]
    pub reached_by: Option<String>,
}

/// How many deliveries stand where: all but `resent` add up to `audience`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The frozen audience.
    pub audience: u64,
    /// Taken by the relay.
    pub accepted: u64,
    /// Given up.
    pub failed: u64,
    /// Not to be mailed.
    pub suppressed: u64,
    /// Withdrawn before sending.
    pub cancelled: u64,
    /// In doubt, for a person to decide.
    pub uncertain: u64,
    /// Being sent at this moment.
    pub in_doubt: u64,
    /// To be tried again.
    pub deferred: u64,
    /// Not yet tried.
    pub waiting: u64,
    /// Of all these, sent again after a doubt: a second copy may have arrived. Not in the sum.
    pub resent: u64,
}

/// What became of one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// To whom.
    pub subscriber: String,
    /// Their address, masked unless it was asked for; `erased` for who was erased.
    pub address: String,
    /// waiting, in-doubt, accepted, deferred, failed, suppressed, cancelled or uncertain.
    pub state: String,
    /// When that came to be; for a deferred one, when it is tried next.
    pub at: Option<Timestamp>,
    /// How many times it was tried.
    pub attempts: u16,
    /// How many of those ended in doubt and were sent again.
    pub resent: u16,
    /// To which SMTP command the reply was given, or `connection`, `content`, `stopped`.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The reply, or what went wrong.
    pub reply: String,
    /// What came back after it was accepted.
    pub later: Option<LaterBounce>,
    /// The Message-ID of its mail, without angle brackets.
    #[serde(default)]
    pub message_id: String,
}

/// What came back about a delivery after it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterBounce {
    /// When.
    pub at: Timestamp,
    /// Whose fault it is: `address`, `mailbox`, `content`, `policy`, `network`, `complaint` or `other`.
    pub class: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The words of the report.
    pub words: String,
}

impl MailingView {
    /// The name of what it sends.
    pub fn content(&self) -> &str {
        self.release.as_deref().or(self.post.as_deref()).unwrap_or_default()
    }

    /// A mailing as it travels.
    pub fn new(mailing: &Mailing, headline: Option<String>, tally: Option<&Tally>) -> Self {
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
            content_hash: mailing.content_hash.clone(),
            created: mailing.created,
            created_by: mailing.created_by.clone(),
            ended,
            cancelled_by,
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

/// An instant as a clock in `zone` shows it. A zone that is not known any more is shown as UTC.
pub fn local_time(at: Timestamp, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
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
    /// A delivery as it travels. Without `addresses`, addresses are masked, also those that replies repeat.
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

    /// With the Message-ID of its mail.
    pub fn with_message_id(self, ids: &MessageIds, subscriber: SubscriberId) -> Self {
        Self { message_id: ids.to(subscriber), ..self }
    }

    /// The delivery as a line of CSV, in the order of [`COLUMNS`], safe to open in a spreadsheet.
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

/// One line of CSV (RFC 4180), no cell of which a spreadsheet runs.
pub fn csv_line(cells: &[&str; 15]) -> Vec<u8> {
    let mut sheet = Sheet::for_program(false);
    sheet.row(cells);
    sheet.take()
}
