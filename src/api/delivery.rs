//! Finding deliveries: `GET /v1/deliveries?message_id=…`, `?queue_id=…` or `?address=…`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::SubscriberId;
use crate::composition::message_id;
use crate::composition::message_id::MessageIds;
use crate::mailings::find_delivery;
use crate::mailings::find_delivery::Found;
use crate::model::mailing::Mailing;

use super::ApiState;
use super::error::ApiError;
use super::extract::{Caller, Parameters};
use super::mailing::view::DeliveryView;

/// The deliveries found.
#[derive(Debug, Serialize, Deserialize)]
pub struct FoundView {
    /// The deliveries, newest mailing first.
    pub deliveries: Vec<FoundDelivery>,
    /// Whether older mailings were not searched.
    pub more: bool,
}

/// One delivery found.
#[derive(Debug, Serialize, Deserialize)]
pub struct FoundDelivery {
    /// Its mailing.
    pub mailing: String,
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    message_id: Option<String>,
    queue_id: Option<String>,
    address: Option<String>,
    #[serde(default)]
    addresses: bool,
}

/// The routes of this search.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/deliveries", get(find))
}

async fn find(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Json<FoundView>, ApiError> {
    if wanted.addresses {
        tracing::info!(by = %caller, "the addresses of deliveries were shown");
    }
    let store = &control.store;
    let mut subscriber = None;
    if let Some(address) = &wanted.address {
        let address: Address = address.parse().map_err(|error| ApiError::invalid(format!("{address}: {error}")))?;
        let Some(read) = store.subscriber_by_address(&address).await? else {
            return Err(ApiError::not_found("no subscriber has this address"));
        };
        subscriber = Some(read.value.id);
    }
    let mut mailing = None;
    if let Some(id) = &wanted.message_id {
        let Some((named, reader)) = message_id::named(&control.key, id) else {
            let words = "this Message-ID was not made by this installation for a mailing";
            return Err(ApiError::not_found(words).hint("Notices are found by \u{201c}depesch notice list\u{201d}."));
        };
        mailing = Some(named);
        subscriber = both(subscriber, reader)?;
        if subscriber.is_none() {
            let words = format!("all readers of mailing {named} share this Message-ID, because it sends a post");
            return Err(ApiError::invalid(words).hint("Name the recipient with --address"));
        }
    }
    let mut found = match (subscriber, &wanted.queue_id) {
        (Some(subscriber), _) => find_delivery::of_subscriber(store, mailing, subscriber).await?,
        (None, Some(queue_id)) => find_delivery::of_queue_id(store, mailing, queue_id.trim()).await?,
        (None, None) => return Err(ApiError::invalid("a message_id, a queue_id or an address is needed")),
    };
    if let Some(queue_id) = wanted.queue_id.as_ref().filter(|_| subscriber.is_some()) {
        found.rows.retain(|(_, row)| find_delivery::is_said_of(&row.delivery, queue_id.trim()));
    }
    Ok(Json(view(&control, found, wanted.addresses).await?))
}

/// The subscriber that an address and a Message-ID name; an error if they name different ones.
fn both(address: Option<SubscriberId>, reader: Option<SubscriberId>) -> Result<Option<SubscriberId>, ApiError> {
    match (address, reader) {
        (Some(address), Some(reader)) if address != reader => {
            Err(ApiError::not_found(format!("the Message-ID is that of a delivery to {reader}, not to {address}")))
        }
        (address, reader) => Ok(reader.or(address)),
    }
}

async fn view(control: &ApiState, found: Found, addresses: bool) -> Result<FoundView, ApiError> {
    let mut deliveries = Vec::with_capacity(found.rows.len());
    for (mailing, row) in found.rows {
        let ids = ids(control, &mailing).await?;
        let delivery = DeliveryView::new(&row, addresses).with_message_id(&ids, row.subscriber);
        deliveries.push(FoundDelivery { mailing: mailing.id.to_string(), delivery });
    }
    Ok(FoundView { deliveries, more: found.more })
}

/// The Message-IDs of a mailing.
pub(super) async fn ids(control: &ApiState, mailing: &Mailing) -> Result<MessageIds, ApiError> {
    Ok(MessageIds::of(&control.store, &control.key, control.messages.message_domain(), mailing).await?)
}
