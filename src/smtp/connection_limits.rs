//! Connection limits: in total, and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::peer::peer_key;

use super::reply::TurnedAway;
use super::session::Protocol;

/// The limits, and the connections counted against them.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    in_all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl ConnectionLimits {
    pub(crate) fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_address, taken: Mutex::default() })
    }

    /// Counts a connection for a peer.
    ///
    /// # Errors
    /// [`TurnedAway`] when a limit is reached.
    pub(crate) fn enter(self: &Arc<Self>, protocol: Protocol, peer: Option<IpAddr>) -> Result<Place, TurnedAway> {
        // Our own mail server sends all mail from one address.
        let counted = peer.filter(|peer| protocol == Protocol::Smtp && !peer.is_loopback()).map(peer_key);
        let mut taken = self.lock();
        if taken.in_all >= self.in_all {
            return Err(TurnedAway::TooMany);
        }
        if let Some(network) = counted {
            let there = taken.by_address.entry(network).or_default();
            if *there >= self.per_address {
                return Err(TurnedAway::TooManyFromThere);
            }
            *there += 1;
        }
        taken.in_all += 1;
        Ok(Place { connection_limits: self.clone(), counted })
    }

    /// Number of connections counted.
    pub(crate) fn taken(&self) -> usize {
        self.lock().in_all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; released when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connection_limits: Arc<ConnectionLimits>,
    counted: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.connection_limits.lock();
        taken.in_all -= 1;
        if let Some(network) = self.counted
            && let Some(there) = taken.by_address.get_mut(&network)
        {
            *there -= 1;
            if *there == 0 {
                taken.by_address.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(connection_limits: &Arc<ConnectionLimits>, peer: &str) -> Result<Place, TurnedAway> {
        connection_limits.enter(Protocol::Smtp, Some(peer.parse().unwrap()))
    }

    #[test]
    fn an_address_has_so_many_and_gives_them_back() {
        let connection_limits = ConnectionLimits::new(100, 2);
        let first = enter(&connection_limits, "192.0.2.1").unwrap();
        let second = enter(&connection_limits, "::ffff:192.0.2.1").unwrap();
        assert_eq!(enter(&connection_limits, "192.0.2.1").err(), Some(TurnedAway::TooManyFromThere));
        let other = enter(&connection_limits, "192.0.2.2").unwrap();
        drop(first);
        let third = enter(&connection_limits, "192.0.2.1").unwrap();
        drop((second, third, other));
        assert_eq!(connection_limits.lock().in_all, 0);
        assert!(connection_limits.lock().by_address.is_empty(), "who is gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let connection_limits = ConnectionLimits::new(100, 1);
        let _first = enter(&connection_limits, "2001:db8:1:2::1").unwrap();
        assert_eq!(enter(&connection_limits, "2001:db8:1:2:ffff::9").err(), Some(TurnedAway::TooManyFromThere));
        assert!(enter(&connection_limits, "2001:db8:1:3::1").is_ok());
    }

    #[test]
    fn our_own_mail_server_is_not_counted_by_address_but_in_all() {
        let connection_limits = ConnectionLimits::new(3, 0);
        let _local = (enter(&connection_limits, "127.0.0.1").unwrap(), enter(&connection_limits, "::1").unwrap());
        let _unix = connection_limits.enter(Protocol::Lmtp, None).unwrap();
        assert_eq!(connection_limits.enter(Protocol::Lmtp, None).err(), Some(TurnedAway::TooMany));
    }
}
