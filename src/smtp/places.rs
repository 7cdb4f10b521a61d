//! Connection limits: in total, and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::peer::peer_key;

use super::reply::TurnedAway;
use super::session::Protocol;

/// The limits, and the connections counted against them.
#[derive(Debug)]
pub struct Places {
    in_all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Places {
    pub fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_address, taken: Mutex::default() })
    }

    /// Counts a connection for a peer.
    ///
    /// # Errors
    /// [`TurnedAway`] when a limit is reached.
    pub fn enter(self: &Arc<Self>, protocol: Protocol, peer: Option<IpAddr>) -> Result<Place, TurnedAway> {
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
        Ok(Place { places: self.clone(), counted })
    }

    /// Number of connections counted.
    pub fn taken(&self) -> usize {
        self.lock().in_all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; released when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    counted: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
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

    fn enter(places: &Arc<Places>, peer: &str) -> Result<Place, TurnedAway> {
        places.enter(Protocol::Smtp, Some(peer.parse().unwrap()))
    }

    #[test]
    fn an_address_has_so_many_and_gives_them_back() {
        let places = Places::new(100, 2);
        let first = enter(&places, "192.0.2.1").unwrap();
        let second = enter(&places, "::ffff:192.0.2.1").unwrap();
        assert_eq!(enter(&places, "192.0.2.1").err(), Some(TurnedAway::TooManyFromThere));
        let other = enter(&places, "192.0.2.2").unwrap();
        drop(first);
        let third = enter(&places, "192.0.2.1").unwrap();
        drop((second, third, other));
        assert_eq!(places.lock().in_all, 0);
        assert!(places.lock().by_address.is_empty(), "who is gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let places = Places::new(100, 1);
        let _first = enter(&places, "2001:db8:1:2::1").unwrap();
        assert_eq!(enter(&places, "2001:db8:1:2:ffff::9").err(), Some(TurnedAway::TooManyFromThere));
        assert!(enter(&places, "2001:db8:1:3::1").is_ok());
    }

    #[test]
    fn our_own_mail_server_is_not_counted_by_address_but_in_all() {
        let places = Places::new(3, 0);
        let _local = (enter(&places, "127.0.0.1").unwrap(), enter(&places, "::1").unwrap());
        let _unix = places.enter(Protocol::Lmtp, None).unwrap();
        assert_eq!(places.enter(Protocol::Lmtp, None).err(), Some(TurnedAway::TooMany));
    }
}
