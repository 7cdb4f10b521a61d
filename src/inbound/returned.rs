//! A notice that bounced: a report to the signed envelope sender of a forwarded message. It is not forwarded itself,
//! because forwarding has just failed; the notice records the failure, and operators see it among the failed notices.

use crate::base::clock::Timestamp;
use crate::base::id::NoticeId;
use crate::bounce::{Kind, Reading};
use crate::model::bounce::Verdict;
use crate::model::inbound::InboundKind;
use crate::store::Store;
use crate::store::notices::put_over;

use super::{Effects, HandleError};

/// Returns what a message to the envelope sender of `notice` does, given its `reading`; `None` if a person wrote it.
///
/// # Errors
/// [`HandleError`].
pub(crate) async fn handle(
    store: &Store,
    reading: &Reading,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Effects>, HandleError> {
    let kind = match reading.kind {
        Kind::Bounce => InboundKind::Bounce,
        Kind::AutoReply => InboundKind::AutoReply,
        Kind::Notice => InboundKind::Notice,
        Kind::Complaint | Kind::Other => return Ok(None),
    };
    let given_up = |verdict| matches!(verdict, Verdict::Temporary | Verdict::Permanent);
    let failure = reading.recipients.iter().find(|one| !one.waits && given_up(one.verdict));
    let (Some(failure), Some(read)) = (failure, store.notice(notice).await?) else {
        return Ok(Some(Effects::none(kind, format!("about notice {notice}, without a failure"))));
    };
    let Some(after) = read.value.came_back(now, &failure.evidence) else {
        return Ok(Some(Effects::none(kind, format!("notice {notice} is {}", read.value.state.word()))));
    };
    tracing::warn!(%notice, about = %after.about, "a notice came back; see \u{201c}depesch notice show\u{201d}");
    let mut effects = Effects::none(kind, format!("notice {notice} came back: {}", failure.why));
    put_over(&mut effects.batch, &read, &after);
    Ok(Some(effects))
}
