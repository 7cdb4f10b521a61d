//! Reports on mailings.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::base::id::{MailingId, SubscriberId};
use crate::mailings::report as rules;
use crate::mailings::report::{Row, Trouble, masked};
use crate::mailings::report_bounces;
use crate::mailings::report_bounces::is_later;
use crate::model::mailing::Mailing;

use super::super::ApiState;
use super::super::bounce::{self, BounceView};
use super::super::delivery::ids;
use super::super::error::ApiError;
use super::super::extract::{Caller, Parameters, Segment};
use super::super::stream::{LineSender, lines};
use super::view::{DeliveryView, MailingView, counted};

/// Deliveries listed in a report by default.
const LISTED: usize = 20;
/// Maximum number of deliveries listed in a report; the stream of deliveries contains all of them.
const LISTED_LIMIT: usize = 10_000;

/// The report on a mailing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportView {
    /// The mailing with its counts.
    pub mailing: MailingView,
    /// Problems grouped by cause, most frequent first.
    pub troubles: Vec<TroubleView>,
    /// Deliveries with problems.
    pub deliveries: Vec<DeliveryView>,
    /// Whether there are more deliveries with problems.
    pub more: bool,
    /// Bounces and complaints after acceptance; they do not change the counts.
    pub later: LaterView,
}

/// Bounces and complaints about accepted deliveries.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaterView {
    /// Accepted, then bounced.
    pub bounced: u64,
    /// Accepted, then reported as spam by the recipient.
    pub complained: u64,
    /// Grouped by cause, most frequent first.
    pub groups: Vec<LaterGroupView>,
    /// Single reports, in order of subscriber; the limit on listed deliveries applies.
    pub bounces: Vec<BounceView>,
}

/// A group of bounces with the same cause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaterGroupView {
    /// The number of deliveries.
    pub count: u64,
    /// The cause, as in [`BounceView::class`].
    pub class: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The text of the first report.
    pub example: String,
}

/// A group of deliveries that ended in the same way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TroubleView {
    /// `failed`, `deferred`, `uncertain` or `suppressed`.
    pub state: String,
    /// The number of deliveries.
    pub count: u64,
    /// The SMTP command that the reply was for, or `connection`, `content`, `stopped`.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The reply to the first delivery, or what failed.
    pub example: String,
}

/// The last line of a stream of deliveries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DeliveriesEnd {
    /// The number of lines before it.
    pub deliveries: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportParameters {
    limit: Option<usize>,
    #[serde(default)]
    addresses: bool,
    state: Option<String>,
}

fn trouble(trouble: &Trouble, addresses: bool) -> TroubleView {
    let account = &trouble.account;
    TroubleView {
        state: trouble.state.to_owned(),
        count: trouble.count,
        stage: account.stage.to_owned(),
        code: account.code,
        status: account.status.clone(),
        example: if addresses { account.text.clone() } else { masked(&account.text) },
    }
}

pub(super) async fn report(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Parameters(parameters): Parameters<ReportParameters>,
) -> Result<Json<ReportView>, ApiError> {
    let read = super::find(&control, id).await?;
    let addresses = parameters.addresses;
    note_addresses(&caller, id, addresses);
    let limit = parameters.limit.unwrap_or(LISTED).min(LISTED_LIMIT);
    let report = rules::report(&control.store, &read.value, limit).await?;
    let ids = ids(&control, &read.value).await?;
    let row = |row: &Row| DeliveryView::new(row, addresses).with_message_id(&ids, row.subscriber);
    Ok(Json(ReportView {
        mailing: counted(&control, &read.value).await?,
        troubles: report.troubles.iter().map(|t| trouble(t, addresses)).collect(),
        deliveries: report.rows.iter().map(row).collect(),
        more: report.more,
        later: later(&control, id, limit, addresses).await?,
    }))
}

async fn later(control: &ApiState, id: MailingId, limit: usize, addresses: bool) -> Result<LaterView, ApiError> {
    let found = report_bounces::later(&control.store, id, limit).await?;
    let mut bounces = Vec::with_capacity(found.rows.len());
    for bounce in &found.rows {
        bounces.push(bounce::view(control, bounce, addresses).await?);
    }
    let group = |group: report_bounces::LaterGroup| LaterGroupView {
        count: group.count,
        class: group.class.to_owned(),
        status: group.status,
        example: if addresses { group.example } else { masked(&group.example) },
    };
    let groups = found.groups.into_iter().map(group).collect();
    Ok(LaterView { bounced: found.bounced, complained: found.complained, groups, bounces })
}

/// Logs who saw addresses, because membership of a list can be sensitive.
pub(super) fn note_addresses(caller: &Caller, mailing: MailingId, addresses: bool) {
    if addresses {
        tracing::info!(%mailing, by = %caller, "the addresses of a mailing were shown");
    }
}

pub(super) async fn deliveries(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Parameters(parameters): Parameters<ReportParameters>,
) -> Result<Response, ApiError> {
    let read = super::find(&control, id).await?;
    note_addresses(&caller, id, parameters.addresses);
    let (sender, response) = lines();
    tokio::spawn(async move { stream(&control, &read.value, &parameters, sender).await });
    Ok(response)
}

async fn stream(control: &ApiState, mailing: &Mailing, parameters: &ReportParameters, sender: LineSender) {
    let mut sent = 0;
    let ids = match ids(control, mailing).await {
        Ok(ids) => ids,
        Err(error) => return sender.finish::<()>(Err(error)).await,
    };
    let wanted = |row: &Row| parameters.state.as_deref().is_none_or(|state| state == row.delivery.state.word());
    for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
        let rows = match rules::rows(&control.store, mailing, chunk).await {
            Ok(rows) => rows,
            Err(error) => return sender.finish::<()>(Err(error.into())).await,
        };
        for row in rows.iter().filter(|row| wanted(row)) {
            if sender
                .progress(DeliveryView::new(row, parameters.addresses).with_message_id(&ids, row.subscriber))
                .await
                .is_err()
            {
                return;
            }
            sent += 1;
        }
    }
    sender.finish(Ok(DeliveriesEnd { deliveries: sent })).await;
}

pub(super) async fn delivery(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path((id, subscriber)): Path<(String, String)>,
    Parameters(parameters): Parameters<ReportParameters>,
) -> Result<Json<DeliveryView>, ApiError> {
    let id: MailingId = id.parse().map_err(|e: crate::base::id::IdError| ApiError::invalid(e.to_string()))?;
    let subscriber: SubscriberId =
        subscriber.parse().map_err(|e: crate::base::id::IdError| ApiError::invalid(e.to_string()))?;
    let mailing = super::find(&control, id).await?.value;
    note_addresses(&caller, id, parameters.addresses);
    let row = control.store.row_of(&mailing, subscriber).await?.ok_or_else(|| {
        let words = match mailing.frozen() {
            Some(_) => format!("{subscriber} is not in the audience of mailing {id}"),
            None => format!("mailing {id} is {}: it has no frozen audience", mailing.stage.word()),
        };
        ApiError::not_found(words)
    })?;
    let address = control.store.subscriber(subscriber).await?.map(|read| read.value.address);
    let delivery = mailing.settle(row.delivery);
    let later = control.store.bounce(id, subscriber).await?.map(|read| read.value).filter(is_later);
    let row = Row { sequence: row.sequence, subscriber, address, delivery, later };
    let ids = ids(&control, &mailing).await?;
    Ok(Json(DeliveryView::new(&row, parameters.addresses).with_message_id(&ids, subscriber)))
}
