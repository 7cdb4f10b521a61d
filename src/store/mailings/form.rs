//! The stored forms of a mailing: each version stays readable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::language::Language;
use crate::model::mailing::{
    Approval, AudienceQuery, Edit, FirstApproval, Frozen, Mailing, MailingContent, MissedPolicy, Pause, PauseReason,
    Schedule, Stage, UncertainPolicy,
};
use crate::model::operator::Operator;
use crate::store::engine::Value;
use crate::store::record::{self, RecordError, instant, stored_enum};

use super::FAMILY;

/// Encodes a mailing in the newest form.
pub(super) fn encode(mailing: &Mailing) -> Value {
    record::encode(4, &MailingV4::from(mailing))
}

/// Decodes a mailing of any version.
///
/// # Errors
/// [`RecordError`].
pub(super) fn decode(bytes: &[u8]) -> Result<Mailing, RecordError> {
    match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode::<MailingV1>(FAMILY, rest)?.try_into(),
        (2, rest) => record::decode::<MailingV2>(FAMILY, rest)?.try_into(),
        (3, rest) => record::decode::<MailingV3>(FAMILY, rest)?.try_into(),
        (4, rest) => record::decode::<MailingV4>(FAMILY, rest)?.try_into(),
        (version, _) => Err(RecordError::Newer { family: FAMILY, version }),
    }
}

/// Version 4 added the time in which it can be undone, the changes of its content, and the first of two approvals.
#[derive(Serialize, Deserialize)]
struct MailingV4 {
    undo_seconds: u32,
    edits: Vec<EditV4>,
    approvals_needed: u8,
    first_approval: Option<FirstApprovalV4>,
    mailing: MailingV3,
}

#[derive(Serialize, Deserialize)]
struct EditV4 {
    before: u64,
    at: i64,
    by: String,
    uid: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct FirstApprovalV4 {
    by: String,
    uid: Option<u32>,
    at: i64,
    content_hash: String,
}

impl From<&Mailing> for MailingV4 {
    fn from(mailing: &Mailing) -> Self {
        let edits = mailing.edits.iter().map(|edit| EditV4 {
            before: edit.before.0,
            at: edit.at.timestamp_millis(),
            by: edit.by.name.clone(),
            uid: edit.by.uid,
        });
        let first_approval = mailing.first_approval.as_ref().map(|first| FirstApprovalV4 {
            by: first.by.name.clone(),
            uid: first.by.uid,
            at: first.at.timestamp_millis(),
            content_hash: first.content_hash.clone(),
        });
        Self {
            undo_seconds: mailing.undo_seconds,
            edits: edits.collect(),
            approvals_needed: mailing.approvals_needed,
            first_approval,
            mailing: MailingV3::from(mailing),
        }
    }
}

impl TryFrom<MailingV4> for Mailing {
    type Error = RecordError;

    fn try_from(form: MailingV4) -> Result<Self, RecordError> {
        let edit = |edit: EditV4| {
            let by = Operator { name: edit.by, uid: edit.uid };
            Ok::<_, RecordError>(Edit { before: ReleaseId(edit.before), at: instant(FAMILY, edit.at)?, by })
        };
        let edits = form.edits.into_iter().map(edit).collect::<Result<_, _>>()?;
        let first = form.first_approval.map(|first| {
            let by = Operator { name: first.by, uid: first.uid };
            let at = instant(FAMILY, first.at)?;
            Ok::<_, RecordError>(FirstApproval { by, at, content_hash: first.content_hash })
        });
        Ok(Self {
            undo_seconds: form.undo_seconds,
            edits,
            approvals_needed: form.approvals_needed,
            first_approval: first.transpose()?,
            ..Self::try_from(form.mailing)?
        })
    }
}

/// Version 3 added the number of the user who queued it.
#[derive(Serialize, Deserialize)]
struct MailingV3 {
    created_uid: Option<u32>,
    mailing: MailingV2,
}

impl From<&Mailing> for MailingV3 {
    fn from(mailing: &Mailing) -> Self {
        Self { created_uid: mailing.created_uid, mailing: MailingV2::from(mailing) }
    }
}

impl TryFrom<MailingV3> for Mailing {
    type Error = RecordError;

    fn try_from(form: MailingV3) -> Result<Self, RecordError> {
        Ok(Self { created_uid: form.created_uid, ..Self::try_from(form.mailing)? })
    }
}

/// Version 2: a mailing may send a post instead of a release; `mailing.release` is 0 then.
#[derive(Serialize, Deserialize)]
struct MailingV2 {
    post: Option<u64>,
    mailing: MailingV1,
}

impl From<&Mailing> for MailingV2 {
    fn from(mailing: &Mailing) -> Self {
        Self { post: mailing.content.post().map(|id| id.0), mailing: MailingV1::from(mailing) }
    }
}

impl TryFrom<MailingV2> for Mailing {
    type Error = RecordError;

    fn try_from(form: MailingV2) -> Result<Self, RecordError> {
        let mailing = Self::try_from(form.mailing)?;
        let content = form.post.map_or(mailing.content, |id| MailingContent::Post(PostId(id)));
        Ok(Self { content, ..mailing })
    }
}

#[derive(Serialize, Deserialize)]
struct MailingV1 {
    id: u64,
    release: u64,
    lists: BTreeSet<ListName>,
    beats: BTreeSet<String>,
    regions: BTreeSet<String>,
    languages: BTreeSet<Language>,
    reached_by: Option<u64>,
    at: i64,
    zone: String,
    missed: MissedV1,
    grace_seconds: u32,
    uncertain: UncertainV1,
    stage: StageV1,
    pause: Option<(i64, PauseV1)>,
    approval_required: bool,
    approval: Option<(String, i64, String)>,
    content_hash: String,
    reopened: u32,
    created: i64,
    created_by: String,
}

stored_enum!(MissedV1 is MissedPolicy { Send, Ask, Expire });

stored_enum!(UncertainV1 is UncertainPolicy { Resend, Hold });

#[derive(Serialize, Deserialize)]
enum StageV1 {
    Scheduled,
    Freezing { cursor: u64, chunks: u32, audience: u32, since: i64 },
    Sending(FrozenV1),
    Finished { frozen: FrozenV1, at: i64 },
    Cancelled { frozen: Option<FrozenV1>, at: i64, by: String },
    Expired { at: i64 },
}

#[derive(Serialize, Deserialize)]
struct FrozenV1 {
    at: i64,
    chunks: u32,
    audience: u32,
}

#[derive(Serialize, Deserialize)]
enum PauseV1 {
    Person { by: String },
    Breaker { evidence: String },
    Missed,
    Broken { what: String },
}

impl From<&Mailing> for MailingV1 {
    fn from(m: &Mailing) -> Self {
        Self {
            id: m.id.0,
            release: m.content.release().map_or(0, |id| id.0),
            lists: m.audience.lists.clone(),
            beats: m.audience.beats.clone(),
            regions: m.audience.regions.clone(),
            languages: m.audience.languages.clone(),
            reached_by: m.audience.reached_by.map(|id| id.0),
            at: m.schedule.at.timestamp_millis(),
            zone: m.schedule.zone.clone(),
            missed: m.schedule.missed.into(),
            grace_seconds: m.schedule.grace_seconds,
            uncertain: m.uncertain.into(),
            stage: stage_to_disk(&m.stage),
            pause: m.pause.as_ref().map(|p| (p.since.timestamp_millis(), pause_to_disk(&p.reason))),
            approval_required: m.approval_required,
            approval: m.approval.as_ref().map(|a| (a.by.clone(), a.at.timestamp_millis(), a.content_hash.clone())),
            content_hash: m.content_hash.clone(),
            reopened: m.reopened,
            created: m.created.timestamp_millis(),
            created_by: m.created_by.clone(),
        }
    }
}

fn pause_to_disk(reason: &PauseReason) -> PauseV1 {
    match reason.clone() {
        PauseReason::Person { by } => PauseV1::Person { by },
        PauseReason::Breaker { evidence } => PauseV1::Breaker { evidence },
        PauseReason::Missed => PauseV1::Missed,
        PauseReason::Broken { what } => PauseV1::Broken { what },
    }
}

fn stage_to_disk(stage: &Stage) -> StageV1 {
    let frozen = |f: &Frozen| FrozenV1 { at: f.at.timestamp_millis(), chunks: f.chunks, audience: f.audience };
    match stage {
        Stage::Scheduled => StageV1::Scheduled,
        Stage::Freezing { cursor, chunks, audience, since } => StageV1::Freezing {
            cursor: cursor.0,
            chunks: *chunks,
            audience: *audience,
            since: since.timestamp_millis(),
        },
        Stage::Sending(f) => StageV1::Sending(frozen(f)),
        Stage::Finished { frozen: f, at } => StageV1::Finished { frozen: frozen(f), at: at.timestamp_millis() },
        Stage::Cancelled { frozen: f, at, by } => {
            StageV1::Cancelled { frozen: f.as_ref().map(frozen), at: at.timestamp_millis(), by: by.clone() }
        }
        Stage::Expired { at } => StageV1::Expired { at: at.timestamp_millis() },
    }
}

impl TryFrom<MailingV1> for Mailing {
    type Error = RecordError;

    fn try_from(m: MailingV1) -> Result<Self, RecordError> {
        let pause = m.pause.map(|(since, reason)| {
            let reason = match reason {
                PauseV1::Person { by } => PauseReason::Person { by },
                PauseV1::Breaker { evidence } => PauseReason::Breaker { evidence },
                PauseV1::Missed => PauseReason::Missed,
                PauseV1::Broken { what } => PauseReason::Broken { what },
            };
            instant(FAMILY, since).map(|since| Pause { since, reason })
        });
        let approval =
            m.approval.map(|(by, at, content_hash)| instant(FAMILY, at).map(|at| Approval { by, at, content_hash }));
        Ok(Self {
            id: MailingId(m.id),
            content: MailingContent::Release(ReleaseId(m.release)),
            audience: AudienceQuery {
                lists: m.lists,
                beats: m.beats,
                regions: m.regions,
                languages: m.languages,
                reached_by: m.reached_by.map(MailingId),
            },
            schedule: Schedule {
                at: instant(FAMILY, m.at)?,
                zone: m.zone,
                missed: m.missed.into(),
                grace_seconds: m.grace_seconds,
            },
            uncertain: m.uncertain.into(),
            stage: stage_from_disk(m.stage)?,
            pause: pause.transpose()?,
            approval_required: m.approval_required,
            approval: approval.transpose()?,
            content_hash: m.content_hash,
            reopened: m.reopened,
            created: instant(FAMILY, m.created)?,
            created_by: m.created_by,
            created_uid: None,
            undo_seconds: 0,
            edits: Vec::new(),
            approvals_needed: 1,
            first_approval: None,
        })
    }
}

fn stage_from_disk(stage: StageV1) -> Result<Stage, RecordError> {
    let frozen = |f: FrozenV1| -> Result<Frozen, RecordError> {
        Ok(Frozen { at: instant(FAMILY, f.at)?, chunks: f.chunks, audience: f.audience })
    };
    Ok(match stage {
        StageV1::Scheduled => Stage::Scheduled,
        StageV1::Freezing { cursor, chunks, audience, since } => {
            Stage::Freezing { cursor: SubscriberId(cursor), chunks, audience, since: instant(FAMILY, since)? }
        }
        StageV1::Sending(f) => Stage::Sending(frozen(f)?),
        StageV1::Finished { frozen: f, at } => Stage::Finished { frozen: frozen(f)?, at: instant(FAMILY, at)? },
        StageV1::Cancelled { frozen: f, at, by } => {
            Stage::Cancelled { frozen: f.map(frozen).transpose()?, at: instant(FAMILY, at)?, by }
        }
        StageV1::Expired { at } => Stage::Expired { at: instant(FAMILY, at)? },
    })
}
