//! The subscription rules applied to every channel: the same request by mail, by a form, by a program and by an
//! operator.

use std::net::IpAddr;
use std::time::Duration;

use depesch::base::id::{ListName, PendingRequestId, SubscriberId};
use depesch::base::language::Language;
use depesch::base::peer::Network;
use depesch::model::channel::Channel;
use depesch::model::consent::ConsentSource;
use depesch::model::pending_request::Action;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::model::suppression::SuppressionReason;
use depesch::store::{Store, StoreError};
use depesch::subscribers::ask::{Asked, Asking, Stated};
use depesch::subscribers::confirm::Confirmed;
use depesch::subscribers::limits::AskSettings;
use depesch::subscribers::rulebook::{Instruction, Rulebook};

use super::mailings::minute;
use super::people;

/// The channels that the person uses directly.
pub const OWN: [Channel; 3] = [Channel::Mail, Channel::Web, Channel::Api];

/// A store with the lists `media` and `members`, and the rules that work on it.
pub struct World {
    pub store: Store,
    pub rules: Rulebook,
}

/// The source that a channel records in the consent ledger.
pub fn source(channel: Channel) -> ConsentSource {
    match channel {
        Channel::Mail => ConsentSource::Mail { message_id: "reply@mail.example".into(), evidence: None },
        Channel::Web => {
            let network = Network::of("192.0.2.77".parse().unwrap());
            ConsentSource::Web { network, revision: "2026-11-01".into() }
        }
        Channel::Api => ConsentSource::Api { client: "union-website".into() },
        Channel::Operator => ConsentSource::Operator { who: "anna".into() },
        Channel::Import => ConsentSource::Import { file: "people.csv".into(), line: 2 },
        Channel::System => ConsentSource::System { rule: "bounces".into() },
    }
}

/// The machine that sends requests by a channel; a program with access to the API names none.
pub fn machine(channel: Channel) -> Option<IpAddr> {
    (channel != Channel::Api).then(|| "192.0.2.77".parse().unwrap())
}

/// An instruction at a given minute.
pub fn said(channel: Channel, at: i64) -> Instruction {
    Instruction { by: source(channel), words: "Yes, send me press releases".into(), at: minute(at) }
}

pub fn media() -> ListName {
    "media".parse().unwrap()
}

impl World {
    pub async fn new() -> Self {
        let store = people::store().await;
        Self { rules: Rulebook { store: store.clone(), key: people::key() }, store }
    }

    /// A person subscribed to both lists.
    pub async fn member(&self, address: &str) -> SubscriberId {
        let rows = format!("email,lists\n{address},members\n");
        people::import_text(&self.store, &rows).await.summary.unwrap();
        self.person(address).await.unwrap().id
    }

    pub async fn person(&self, address: &str) -> Option<Subscriber> {
        people::subscriber(&self.store, address).await
    }

    pub async fn standing(&self, address: &str) -> Option<SubscriptionState> {
        people::state(&self.store, address, "media").await
    }

    /// Suppresses an address.
    pub async fn suppress(&self, address: &str, reason: SuppressionReason) {
        people::service(&self.store, 1).suppress(&address.parse().unwrap(), reason, "").await.unwrap();
    }

    /// Makes these requests, as any channel does, and stores the pending request.
    pub async fn asks(&self, id: u64, address: &str, actions: &[Action]) -> Asked {
        self.asks_by(Channel::Mail, 2, id, address, actions).await
    }

    /// The same by a given channel and at a given minute; the question can be answered for an hour.
    pub async fn asks_by(&self, channel: Channel, at: i64, id: u64, address: &str, actions: &[Action]) -> Asked {
        let settings = AskSettings { confirmation: Duration::from_secs(3600), answers_per_hour: 3 };
        let list = self.store.list(&media()).await.unwrap().unwrap().value;
        let (address, language) = (address.parse().unwrap(), Language::english());
        let stated = |action: &Action| Stated { action: action.clone(), statement: "I agree.".into() };
        let asking = Asking {
            id: PendingRequestId(id),
            address: &address,
            list: &list,
            language: &language,
            actions: actions.iter().map(stated).collect(),
            machine: machine(channel),
            at: minute(at),
            settings,
        };
        self.store.carry_out::<_, StoreError, _>(|| self.rules.ask(&asking)).await.unwrap()
    }

    /// Confirms a pending request.
    pub async fn confirms(&self, id: u64, said: &Instruction) -> Confirmed {
        let decide = || self.rules.confirm(PendingRequestId(id), Some("Karin Ek"), said);
        self.store.carry_out::<_, StoreError, _>(decide).await.unwrap()
    }
}
