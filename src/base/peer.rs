//! What counts as one peer, wherever something is counted by machine, and how much of a machine's address is kept.

use std::fmt;
use std::net::IpAddr;

/// The part of a machine's network address that is kept as proof: the /24 of IPv4, the /48 of IPv6, which identifies
/// a provider's region or an organisation, not a single machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of a machine's address; a network's first address gives the same network.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4((address.to_bits() & (!0 << 8)).into()),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (!0 << 80)).into()),
        })
    }

    /// The network's first address.
    pub(crate) fn first(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { 24 } else { 48 })
    }
}

/// The peer of an address: an IPv4 address itself, even if written inside IPv6 (RFC 4291 §2.5.5.2); for IPv6 the /64,
/// because one customer has at least that, and may use any address in it (RFC 6177 §2).
pub(crate) fn peer_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (!0 << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_machine_only_its_network_is_kept() {
        let network = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(network("192.0.2.77").to_string(), "192.0.2.0/24");
        assert_eq!(network("::ffff:192.0.2.77"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2:ffff::9").to_string(), "2001:db8:1::/48");
        assert_eq!(Network::of(network("2001:db8:1:2::9").first()), network("2001:db8:1::"));
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_an_address_of_ipv4() {
        let key = |address: &str| peer_key(address.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:ffff::9"), "2001:db8:1:2::");
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
