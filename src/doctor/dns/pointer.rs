//! PTR: an address that sends mail must have a name that leads back to it (RFC 1912 §2.1).

use std::net::IpAddr;

use crate::authentication::names::Answer;
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Outgoing, finding, not_seen};

const WHY: &str =
    "Many receivers refuse mail from an address without a name of its own, or with a name that leads elsewhere.";

/// Evaluates an address from which mail is sent; `hello` is our name in EHLO, if known.
pub fn evaluate(outgoing: &Outgoing, hello: Option<&str>) -> Finding {
    let address = outgoing.address;
    let name = hello.unwrap_or("ITS-NAME");
    let names = match &outgoing.names {
        Answer::Failed(why) => return not_seen("ptr", &format!("the name of {address}"), why),
        Answer::None => {
            let remedy = format!(
                "Ask the provider of the address for a PTR record to {name}, and add an address record {name}. with {address}."
            );
            return finding(Severity::Error, "ptr-missing", format!("{address} has no name (PTR)"), WHY, remedy);
        }
        Answer::Found(names) => names,
    };
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let confirmed = names.iter().find(|(_, back)| matches!(back, Answer::Found(back) if back.contains(&address)));
    if let Some((confirmed, _)) = confirmed {
        if all.iter().all(|name| is_generic(name, address)) {
            return finding(
                Severity::Warning,
                "ptr-generic",
                format!("the name of {address} is {confirmed}, as providers generate for all their addresses"),
                "Many receivers take a machine with such a name for a home computer or a hacked server, and refuse its mail.",
                format!(
                    "Ask the provider of the address for a PTR record to a name of your own, such as {}.",
                    hello.unwrap_or("mail.YOUR-DOMAIN")
                ),
            );
        }
        return match hello {
            Some(hello) if !all.iter().any(|name| name.eq_ignore_ascii_case(hello)) => finding(
                Severity::Note,
                "ptr-hello",
                format!("the name of {address} is {confirmed}, but our name in EHLO is {hello}"),
                "Some receivers distrust a sender if the two differ.",
                format!("Set [relay] hello_name = \"{confirmed}\"."),
            ),
            _ => {
                Finding::good(Area::Dns, "ptr", format!("the name of {address} is {confirmed}, which leads back to it"))
            }
        };
    }
    if let Some((name, Answer::Failed(why))) = names.iter().find(|(_, back)| matches!(back, Answer::Failed(_))) {
        return not_seen("ptr", &format!("the address of {name}, the name of {address},"), why);
    }
    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
    let remedy = format!("Add this record:  {}. IN {kind} {address}", all.first().copied().unwrap_or(name));
    let what = format!("the name of {address} is {}, which does not lead back to it", all.join(", "));
    finding(Severity::Error, "ptr-unconfirmed", what, WHY, remedy)
}

/// Words in names that providers generate for addresses.
const PROVIDERS_WORDS: [&str; 15] = [
    "dynamic",
    "dyn",
    "dhcp",
    "pool",
    "dsl",
    "adsl",
    "vdsl",
    "ppp",
    "pppoe",
    "broadband",
    "cable",
    "dialup",
    "customer",
    "static",
    "unassigned",
];

/// Whether a name is generated from its address, as by providers (`203-0-113-25.static.example.net`), or otherwise
/// generic.
fn is_generic(name: &str, address: IpAddr) -> bool {
    let name = name.to_ascii_lowercase();
    let host = name.split('.').rev().skip(2).collect::<Vec<_>>();
    let mut words = host.iter().flat_map(|label| label.split('-'));
    if words.any(|word| PROVIDERS_WORDS.contains(&word.trim_end_matches(|digit: char| digit.is_ascii_digit()))) {
        return true;
    }
    match address {
        IpAddr::V4(v4) => {
            let numbers = |text: &str| -> Vec<u8> {
                let runs = text.split(|letter: char| !letter.is_ascii_digit());
                runs.filter_map(|run| run.parse().ok()).collect()
            };
            let (forward, found) = (v4.octets(), numbers(&name));
            let backward: Vec<u8> = forward.iter().rev().copied().collect();
            let hex: String = forward.iter().map(|byte| format!("{byte:02x}")).collect();
            // Three in a row are sufficient: some leave out the first number.
            let holds = |part: &[u8]| found.windows(part.len()).any(|window| window == part);
            holds(&forward[1..])
                || holds(&forward[..3])
                || holds(&backward[1..])
                || holds(&backward[..3])
                || name.contains(&hex)
        }
        IpAddr::V6(v6) => {
            let nibbles: String = v6.octets().iter().map(|byte| format!("{byte:02x}")).collect();
            let packed: String = name.chars().filter(char::is_ascii_hexdigit).collect();
            let backward: String = nibbles.chars().rev().collect();
            [&nibbles[16..], &backward[..16]].iter().any(|part| packed.contains(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_generic;

    #[test]
    fn names_that_providers_give() {
        for (name, address) in [
            ("203-0-113-25.static.provider.example", "203.0.113.25"),
            ("host25.113.0.203.provider.example", "203.0.113.25"),
            ("h-113-0-203.na.cust.provider.example", "203.0.113.7"),
            ("cb007119.provider.example", "203.0.113.25"),
            ("pool7.provider.example", "203.0.113.25"),
            ("c-25.dsl.provider.example", "203.0.113.25"),
            ("2001-db8-0000-0000-0211-22ff-fe33-4455.provider.example", "2001:db8::211:22ff:fe33:4455"),
        ] {
            assert!(is_generic(name, address.parse().unwrap()), "{name}");
        }
        for name in [
            "mx.example.org",
            "mail25.example.org",
            "mx-113.example.org",
            "out-25-113.relay.example.org",
            "mail.pool.example",
        ] {
            assert!(!is_generic(name, "203.0.113.25".parse().unwrap()), "{name}");
        }
        assert!(!is_generic("mail.example.org", "2001:db8::25".parse().unwrap()));
    }
}
