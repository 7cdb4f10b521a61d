//! A bounce that comes back by mail, after the relay had taken the message. What it does is what a refusal in the SMTP
//! session does ([`note`]), unless it is not believed, or is about a probe.

use crate::base::id::MailingId;
use crate::model::bounce::BouncePolicy;
use crate::model::subscriber::Subscriber;
use crate::store::StoreError;
use crate::store::decided::Decided;
use crate::store::engine::Batch;

use super::bounces::{Doubts, Noted, Report, note};
use super::rulebook::Rulebook;
use super::suspended::probe_came_back;

/// What the token of an envelope sender names as mailing where it was a probe.
pub const PROBE: MailingId = MailingId(0);

/// What a bounce comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounced {
    /// It is about a probe.
    Probe,
    /// It is noted, and this followed.
    Noted(Noted),
    /// It is noted and has no effect: the same is said of too many.
    NotBelieved(Noted),
    /// The subscriber was erased meanwhile.
    NoSubscriber,
}

impl Rulebook {
    /// What follows from a report about a delivery to `subscriber`.
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
