//! Floor 2: whether incoming mail comes from the domain that its From names. Uses DNS look-ups, so it is behind a
//! trait: tests and installations without look-ups use [`NoLookups`].
//!
//! A failed look-up makes a result unknown, never positive. What is done with a message is decided elsewhere.

use std::future::Future;
use std::pin::Pin;

use crate::base::address::Address;
use crate::model::authentication::{Authentication, DomainPolicy};
use crate::model::inbound::Arrival;

pub mod lookups;
pub mod names;
pub(crate) mod results;

/// The return type of [`Authenticator::authenticate`].
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Authentication> + Send + 'a>>;

/// Verifies messages against the domains of their authors.
pub trait Authenticator: Send + Sync + 'static {
    /// Whether `author`, determined by Depesch as the author of these bytes, wrote a message that arrived in this
    /// way. Takes a bounded time, and never fails: missing results are unknown.
    fn authenticate<'a>(&'a self, arrival: &'a Arrival, bytes: &'a [u8], author: &'a Address) -> Authenticating<'a>;
}

/// Performs no look-ups: everything is unknown except the operator's policy for all domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookups {
    /// The assumed policy of each domain.
    pub policy: DomainPolicy,
}

impl Authenticator for NoLookups {
    fn authenticate<'a>(&'a self, _: &'a Arrival, _: &'a [u8], _: &'a Address) -> Authenticating<'a> {
        Box::pin(std::future::ready(Authentication { policy: self.policy, ..Authentication::default() }))
    }
}
