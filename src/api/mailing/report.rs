//! What became of a mailing.

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

/// Deliveries listed in a report where no number is given.
const LISTED: usize = 20;
/// Most deliveries listed in a report; all of them come as lines.
const LISTED_LIMIT: usize = 10_000;

/// What became of a mailing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportView {
    /// The mailing with its counts.
    pub mailing: MailingView,
    /// What went wrong, the most frequent first.
    pub troubles: Vec<TroubleView>,
    /// Deliveries that went wrong.
    pub deliveries: Vec<DeliveryView>,
    /// Whether there are more of them.
    pub more: bool,
    /// What came back after it was accepted; the counts are not changed by it.
    pub later: LaterView,
}

/// What came back after it was accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaterView {
    /// Accepted, then bounced.
    pub bounced: u64,
    /// Accepted, then called unwanted by the reader.
    pub complained: u64,
    /// Those alike, the most frequent first.
    pub groups: Vec<LaterGroupView>,
    /// One by one, in order of subscriber, as many as deliveries were asked for.
    pub bounces: Vec<BounceView>,
}

/// Deliveries that came back alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaterGroupView {
    /// How many.
    pub count: u64,
    /// Whose fault it is.
    pub class: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// What was said of the first of them.
    pub example: String,
}

/// Deliveries that ended alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TroubleView {
    /// failed, deferred, uncertain or suppressed.
    pub state: String,
    /// How many.
    pub count: u64,
    /// To which SMTP command the reply was given, or `connection`, `content`, `stopped`.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The enhanced status code.
    pub status: Option<String>,
    /// What the first of them was told, or what went wrong.
    pub example: String,
}

/// The end of the lines of deliveries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DeliveriesEnd {
    /// How many lines there were.
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

/// Who saw addresses is in the log: on some lists, being on them is sensitive.
fn note_addresses(caller: &Caller, mailing: MailingId, addresses: bool) {
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
