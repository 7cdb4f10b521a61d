//! What an address is subscribed to: sent to that address only, and without lists whose membership is sensitive.

use serde_json::json;

use crate::inbound::HandleError;
use crate::model::list::Privacy;
use crate::model::subscriber::SubscriptionState;

use super::{CommandService, DraftEffects, Request, draft};

impl CommandService {
    pub(super) async fn which(&self, effects: &mut DraftEffects, request: &Request<'_>) -> Result<(), HandleError> {
        let subscriber = self.rulebook.store.subscriber_by_address(&request.from).await?;
        let mut shown = Vec::new();
        // All lists are read for every sender: members and strangers cause the same work.
        for list in self.rulebook.store.lists().await? {
            let list = list.value;
            let state = subscriber.as_ref().and_then(|read| read.value.state_on(&list.name));
            let kept = matches!(
                state,
                Some(SubscriptionState::Active | SubscriptionState::Paused | SubscriptionState::Suspended)
            );
            if kept && list.privacy == Privacy::Ordinary {
                shown.push(json!({
                    "title": list.title,
                    "paused": state == Some(SubscriptionState::Paused),
                    "suspended": state == Some(SubscriptionState::Suspended),
                }));
            }
        }
        let data = json!({ "address": request.from.as_str(), "subscriptions": shown });
        if self.answer(effects, request, draft(request, "which", &request.from, data)).await? {
            effects.note("answered with the subscriptions of the address");
        }
        Ok(())
    }
}
