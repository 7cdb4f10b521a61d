//! A mail to a signed unsubscribe address (RFC 2369 §3.2). The token proves that its sender has received our mail, so
//! it takes effect at once, whatever its content or sender. It ends one subscription permanently.

use serde_json::json;

use crate::base::id::SubscriberId;
use crate::composition::list_identity::ListIdentity;
use crate::composition::notices::{Draft, may_answer};
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::incoming::Incoming;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::subscribers::leave::{Leaving, Left};
use crate::subscribers::rulebook::Instruction;
use crate::subscribers::tokens::UnsubscribeToken;

use super::CommandService;
use super::confirm::message_id;

impl CommandService {
    /// The address to which a mail ends this subscription.
    pub(super) fn unsubscribe_address(&self, list: &List, subscriber: SubscriberId) -> String {
        let token = UnsubscribeToken::of_notice(&self.rulebook.key, &list.name, subscriber);
        ListIdentity::new(list, 0, &self.rulebook.key).unsubscribe_address(&token)
    }

    pub(super) async fn signed_unsubscribe(
        &self,
        item: &Item,
        list: &List,
        token: &UnsubscribeToken,
    ) -> Result<Option<Effects>, HandleError> {
        // A report or an automatic reply is not a request. Other marks of automatic mail are accepted, because
        // providers unsubscribe for their users by program.
        if item.inbound.arrival.sender.is_none() || is_reply_or_report(&item.message) {
            return Ok(None);
        }
        let words = match token.is_of_notice() {
            true => "mail to the unsubscribe address of a notice".to_owned(),
            false => format!("mail to the unsubscribe address of {}", token.mailing),
        };
        let by = ConsentSource::Mail { message_id: message_id(item), evidence: None };
        let said = Instruction { by, words, at: self.clock.now() };
        let decided = self.rulebook.leave(&Leaving::Signed(*token, list.name.clone()), &said).await?;
        let none = |note| Ok(Some(Effects::none(InboundKind::Command, note)));
        let (subscriber, may_tell) = match decided.outcome {
            Left::Now { subscriber, may_tell, .. } => (subscriber, may_tell),
            Left::Before(_) | Left::Never(_) => return none("unsubscribes, but the subscription had already ended"),
            Left::NoSubscriber => return none("unsubscribes a subscriber who no longer exists"),
            Left::NoList => return Ok(None),
        };
        let effects = Effects::none(InboundKind::Command, "unsubscribed by a signed address");
        let mut effects = Effects { batch: decided.batch, ..effects };
        if may_answer(item.inbound.arrival.sender.as_deref(), &item.message) {
            for list in &may_tell {
                let goodbye = Draft {
                    template: "goodbye",
                    language: &subscriber.language,
                    to: &subscriber.address,
                    list: Some(list),
                    answers: None,
                    reply_to: None,
                    unsubscribe: None,
                    data: json!({ "address": subscriber.address.as_str() }),
                };
                self.notices.write(&mut effects.batch, goodbye).await?;
                effects.notify = true;
            }
        }
        Ok(Some(effects))
    }
}

fn is_reply_or_report(message: &Incoming) -> bool {
    let submitted = message.header("Auto-Submitted").unwrap_or_default().to_ascii_lowercase();
    let report = message.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    submitted.starts_with("auto-replied") || report.starts_with("multipart/report")
}
