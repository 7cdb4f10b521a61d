//! MX (RFC 5321 §5, RFC 7505): whether mail to the lists reaches this machine.

use std::net::{IpAddr, Ipv6Addr};

use crate::authentication::names::Answer;
use crate::config::Config;
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Domain, Exchanger, finding, not_seen};

const WHY: &str = "Bounces, unsubscribes, posts and answers by mail never arrive, and receivers distrust a sender that \
                   cannot be answered.";

/// Whether an address can be reached from the internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unspecified() || is_local_v6(v6)),
    }
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
}

/// Evaluates the MX records of a domain.
pub fn evaluate(domain: &Domain, config: &Config) -> Vec<Finding> {
    let name = &domain.name;
    let severity = if domain.has_lists { Severity::Error } else { Severity::Note };
    let host = config.inbound.host_name.as_deref().unwrap_or("THIS-HOST");
    let remedy = format!("Add this record:  {name}. IN MX 10 {host}.");
    let exchangers = match &domain.exchangers {
        Answer::Failed(why) => return vec![not_seen("mx", &format!("the MX records of {name}"), why)],
        Answer::None => return vec![finding(severity, "mx-missing", format!("{name} has no MX record"), WHY, remedy)],
        Answer::Found(exchangers) => exchangers,
    };
    if exchangers.iter().any(|exchanger| exchanger.name.is_empty()) {
        let what = format!("{name} declares that it accepts no mail (MX 0 .)");
        let remedy = format!("Remove that record. {remedy}");
        return vec![finding(severity, "mx-null", what, WHY, remedy)];
    }
    let mut found: Vec<Finding> = exchangers.iter().filter_map(|exchanger| host_finding(domain, exchanger)).collect();
    found.extend(only_v6(domain, exchangers).filter(|_| found.is_empty()));
    let is_ours = |exchanger: &Exchanger| exchanger.name.eq_ignore_ascii_case(host);
    let own_door = domain.has_lists && !config.inbound.smtp.is_empty() && config.inbound.host_name.is_some();
    if own_door && !exchangers.iter().any(is_ours) {
        let names: Vec<&str> = exchangers.iter().map(|exchanger| exchanger.name.as_str()).collect();
        found.push(finding(
            Severity::Warning,
            "mx-elsewhere",
            format!("mail to {name} goes to {}, and not to {host}, Depesch's own name", names.join(", ")),
            "It only arrives here if that host forwards it.",
            format!("Make that host forward it, or:  {name}. IN MX 10 {host}."),
        ));
    }
    if found.is_empty() {
        let names: Vec<&str> = exchangers.iter().map(|exchanger| exchanger.name.as_str()).collect();
        found.push(Finding::good(Area::Dns, "mx", format!("mail to {name} goes to {}", names.join(", "))));
    }
    found
}

fn host_finding(domain: &Domain, exchanger: &Exchanger) -> Option<Finding> {
    let (name, host) = (&domain.name, &exchanger.name);
    if host.parse::<IpAddr>().is_ok() {
        let what = format!("the MX record of {name} names an address, {host}");
        let why = "It must name a host (RFC 5321 §5.1); many servers do not deliver to an address.";
        let remedy = "Give the host a name with an A or AAAA record, and name that.";
        return Some(finding(Severity::Error, "mx-address", what, why, remedy));
    }
    match &exchanger.addresses {
        Answer::Failed(why) => {
            Some(not_seen("mx", &format!("the address of {host}, which receives mail to {name},"), why))
        }
        Answer::None => Some(finding(
            Severity::Error,
            "mx-nowhere",
            format!("{host}, which receives mail to {name}, has no address"),
            WHY,
            format!("Add a record:  {host}. IN A ITS-ADDRESS"),
        )),
        Answer::Found(addresses) if !addresses.iter().any(|address| is_public(*address)) => Some(finding(
            Severity::Error,
            "mx-private",
            format!("{host}, which receives mail to {name}, has only addresses that cannot be reached from outside"),
            WHY,
            format!("Give it a public address:  {host}. IN A ITS-ADDRESS"),
        )),
        Answer::Found(_) if exchanger.alias.is_some() => {
            let target = exchanger.alias.as_deref().unwrap_or_default();
            Some(finding(
                Severity::Error,
                "mx-alias",
                format!("the MX record of {name} names {host}, which is only an alias (CNAME) of {target}"),
                "An MX record must name a host itself (RFC 2181 §10.3, RFC 5321 §5.1); some servers do not deliver to an alias.",
                format!("Name the host itself:  {name}. IN MX {} {target}.", exchanger.preference),
            ))
        }
        Answer::Found(_) => None,
    }
}

/// Servers with only IPv4 cannot send mail here if no host has an IPv4 address.
fn only_v6(domain: &Domain, exchangers: &[Exchanger]) -> Option<Finding> {
    let addresses: Vec<&IpAddr> = exchangers
        .iter()
        .filter_map(|exchanger| match &exchanger.addresses {
            Answer::Found(addresses) => Some(addresses),
            Answer::None | Answer::Failed(_) => None,
        })
        .flatten()
        .collect();
    if addresses.is_empty() || addresses.iter().any(|address| address.is_ipv4()) {
        return None;
    }
    let hosts: Vec<&str> = exchangers.iter().map(|exchanger| exchanger.name.as_str()).collect();
    let hosts = hosts.join(", ");
    Some(finding(
        Severity::Warning,
        "mx-only-ipv6",
        format!("{hosts}, where mail to {} goes, can be reached over IPv6 alone", domain.name),
        "Many mail servers still have IPv4 alone: their bounces, replies and unsubscribes never arrive.",
        format!("Add an A record:  {}. IN A ITS-ADDRESS", exchangers[0].name),
    ))
}
