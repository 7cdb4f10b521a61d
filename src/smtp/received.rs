//! The Received field that records how a message reached us (RFC 5321 §4.4).

use std::net::IpAddr;

use crate::base::clock::Timestamp;

use super::mailbox::is_host;

/// The content of a Received field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage<'a> {
    /// The name given by the peer; arbitrary.
    pub helo: &'a str,
    /// The peer's address; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Our own name.
    pub host: &'a str,
    /// RFC 3848 and RFC 6531 §4.3: `ESMTPS` and so on.
    pub with: &'a str,
    /// Identifies this reception in the log.
    pub id: &'a str,
    /// The time.
    pub at: Timestamp,
}

/// The field with its final CRLF.
pub(crate) fn field(passage: &Passage<'_>) -> String {
    let Passage { host, with, id, .. } = passage;
    let peer = match passage.peer {
        Some(IpAddr::V4(address)) => format!(" ([{address}])"),
        Some(IpAddr::V6(address)) => format!(" ([IPv6:{address}])"),
        None => String::new(),
    };
    let (helo, at) = (shown(passage.helo), passage.at.to_rfc2822());
    format!("Received: from {helo}{peer}\r\n\tby {host} with {with} id {id};\r\n\t{at}\r\n")
}

/// A stranger's name as an atom or an address literal: it cannot open a comment or end the field.
fn shown(name: &str) -> String {
    if is_host(name) {
        return name.to_owned();
    }
    let kept = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '?' };
    name.chars().map(kept).collect()
}

/// RFC 3848 and RFC 6531 §4.3: the word after `with`.
pub(crate) fn with(lmtp: bool, extended: bool, encrypted: bool, utf8: bool) -> &'static str {
    match (lmtp, utf8, encrypted) {
        (false, true, false) => "UTF8SMTP",
        (false, true, true) => "UTF8SMTPS",
        (true, true, false) => "UTF8LMTP",
        (true, true, true) => "UTF8LMTPS",
        (true, false, false) => "LMTP",
        (true, false, true) => "LMTPS",
        (false, false, true) => "ESMTPS",
        (false, false, false) if extended => "ESMTP",
        (false, false, false) => "SMTP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_name(helo: &str) -> String {
        let at = "2026-11-02T08:05:09Z".parse().unwrap();
        let peer = Some("2001:db8::5".parse().unwrap());
        field(&Passage { helo, peer, host: "mx.example.org", with: "ESMTPS", id: "1a-1", at })
    }

    #[test]
    fn says_from_where_by_whom_how_and_when() {
        assert_eq!(
            with_name("mail.example.com"),
            "Received: from mail.example.com ([IPv6:2001:db8::5])\r\n\tby mx.example.org with ESMTPS id 1a-1;\r\n\
             \tMon, 2 Nov 2026 08:05:09 +0000\r\n"
        );
    }

    #[test]
    fn a_name_cannot_break_out() {
        let field = with_name("a(b)c;\"<d>\\é,[e]");
        assert!(field.starts_with("Received: from a?b?c???d?????e? ([IPv6:2001:db8::5])\r\n"), "{field}");
        assert!(with_name("[192.0.2.7]").starts_with("Received: from [192.0.2.7] ("));
        assert!(with_name("[(]").starts_with("Received: from ??? ("));
    }
}
