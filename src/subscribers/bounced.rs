//! A bounce that comes by mail, after the relay accepted the message. It has the same effect as a rejection in the SMTP
//! session ([`note`]), unless it is not believed or is about a probe.

use crate::base::id::MailingId;
use crate::model::bounce::BouncePolicy;
use crate::model::subscriber::Subscriber;
use crate::store::StoreError;
use crate::store::decided::Decided;
use crate::store::engine::Batch;

use super::bounces::{Doubts, Noted, Report, note};
use super::rulebook::Rulebook;
use super::suspended::probe_came_back;

/// The mailing id in the envelope sender's token of a probe.
pub const PROBE: MailingId = MailingId(0);

/// The outcome of a bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounced {
    /// It is about a probe.
    Probe,
    /// It is recorded, with this effect.
    Noted(Noted),
    /// It is recorded without effect: implausibly many recipients have the same fault.
    NotBelieved(Noted),
    /// The subscriber was erased meanwhile.
    NoSubscriber,
}

impl Rulebook {
    /// Decides the effect of a report about a delivery to a subscriber.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bounce(
        &self,
        policy: &BouncePolicy,
        doubts: &Doubts,
        subscriber: &Subscriber,
        mut report: Report,
    ) -> Result<Decided<Bounced>, StoreError> {
        let mut batch = Batch::new();
        if report.mailing == PROBE {
            probe_came_back(&self.store, &mut batch, &report).await?;
            return Ok(Decided { outcome: Bounced::Probe, batch });
        }
        let is_believed = doubts.believes(&self.store, &report, subscriber.address.domain()).await?;
        report.counts &= is_believed;
        let outcome = match note(&self.store, policy, &mut batch, &report).await? {
            Some(noted) if is_believed => Bounced::Noted(noted),
            Some(noted) => Bounced::NotBelieved(noted),
            None => Bounced::NoSubscriber,
        };
        Ok(Decided { outcome, batch })
    }
}
