//! Floor 2: whether mail that came in is from whom its From names. Looks up names (DNS), so a seam: tests and installations
//! that look nothing up have [`NoLookups`].
//!
//! A name that cannot be looked up makes a result unknown, never right. Nothing here decides what is done with a message.

use std::future::Future;
use std::pin::Pin;

use crate::base::address::Address;
use crate::model::authentication::{Authentication, DomainPolicy};
use crate::model::inbound::Arrival;

pub mod lookups;
pub mod names;
pub mod results;

/// What [`Authenticator::authenticate`] returns.
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Authentication> + Send + 'a>>;

/// Checks messages against the domains of their authors.
pub trait Authenticator: Send + Sync + 'static {
    /// What can be said of whether `author`, whom Depesch takes for the author of these bytes, wrote a message that came
    /// so. Takes a bounded time, and never fails: what is not known is unknown.
    fn authenticate<'a>(&'a self, arrival: &'a Arrival, bytes: &'a [u8], author: &'a Address) -> Authenticating<'a>;
}

/// Looks nothing up: everything is unknown but what the operator says of all domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookups {
    /// What stands for the policy of each domain.
    pub policy: DomainPolicy,
}

impl Authenticator for NoLookups {
    fn authenticate<'a>(&'a self, _: &'a Arrival, _: &'a [u8], _: &'a Address) -> Authenticating<'a> {
        Box::pin(std::future::ready(Authentication { policy: self.policy, ..Authentication::default() }))
    }
}
