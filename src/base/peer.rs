//! What counts as one peer, wherever something is counted by machine.

use std::net::IpAddr;

/// The peer of an address: an IPv4 address itself, even if written inside IPv6 (RFC 4291 §2.5.5.2); for IPv6 the /64,
/// because one customer has at least that, and may use any address in it (RFC 6177 §2).
pub fn peer_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (!0 << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_an_address_of_ipv4() {
        let key = |address: &str| peer_key(address.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:ffff::9"), "2001:db8:1:2::");
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
