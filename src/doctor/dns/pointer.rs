//! PTR: an address that sends mail must have a name, and the name that address (RFC 1912 §2.1).

use crate::authentication::names::Answer;
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Outgoing, finding, not_seen};

const WHY: &str =
    "Many receivers refuse mail from an address without a name of its own, or whose name leads elsewhere.";

/// Judges an address by which mail leaves; `hello` is what we call ourselves there, where that is known.
pub fn judge(outgoing: &Outgoing, hello: Option<&str>) -> Finding {
    let address = outgoing.address;
    let name = hello.unwrap_or("ITS-NAME");
    let names = match &outgoing.names {
        Answer::Failed(why) => return not_seen("ptr", &format!("the name of {address}"), why),
        Answer::None => {
            let remedy =
                format!("Ask whoever gave you the address for a PTR record to {name}, and add {name}. with {address}.");
            return finding(Severity::Error, "ptr-missing", format!("{address} has no name (PTR)"), WHY, remedy);
        }
        Answer::Found(names) => names,
    };
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let confirmed = names.iter().find(|(_, back)| matches!(back, Answer::Found(back) if back.contains(&address)));
    if let Some((confirmed, _)) = confirmed {
        return match hello {
            Some(hello) if !all.iter().any(|name| name.eq_ignore_ascii_case(hello)) => finding(
                Severity::Note,
                "ptr-hello",
                format!("{address} is called {confirmed}, and we call ourselves {hello}"),
                "Some receivers count it against a sender that the two differ.",
                format!("Set [relay] hello_name = \"{confirmed}\"."),
            ),
            _ => Finding::good(Area::Dns, "ptr", format!("{address} is called {confirmed}, which leads back to it")),
        };
    }
    if let Some((name, Answer::Failed(why))) = names.iter().find(|(_, back)| matches!(back, Answer::Failed(_))) {
        return not_seen("ptr", &format!("the address of {name}, as {address} is called,"), why);
    }
    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
    let remedy = format!("Add this record:  {}. IN {kind} {address}", all.first().copied().unwrap_or(name));
    let what = format!("{address} is called {}, which does not lead back to it", all.join(", "));
    finding(Severity::Error, "ptr-unconfirmed", what, WHY, remedy)
}
