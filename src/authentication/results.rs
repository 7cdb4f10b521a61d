//! The field Authentication-Results (RFC 8601), written by a mail server of our own that receives mail before us. It
//! can be forged, so only one that names the trusted server is used, and only if it comes first.

use crate::base::address::Address;
use crate::mail::incoming::Incoming;
use crate::model::authentication::{Authentication, Check};

/// Maximum bytes of a field that are read.
const LONGEST: usize = 16 * 1024;

/// The results of the server named `trusted` for a message by `author`; all unknown if there are none, or if another
/// such field is above its own. They do not include the policy of the author's domain.
pub(crate) fn of_server(message: &Incoming, trusted: &str, author: &Address) -> Authentication {
    let unknown = Authentication::default();
    let Some(field) = message.headers_named("Authentication-Results").next() else { return unknown };
    let text = without_comments(&field.raw[..field.raw.floor_char_boundary(LONGEST)]);
    let mut parts = text.split(';');
    // RFC 8601 §2.2: the authserv-id, optionally followed by a version.
    let server = parts.next().unwrap_or_default().split_whitespace().next().unwrap_or_default().trim_matches('"');
    if !server.eq_ignore_ascii_case(trusted) {
        return unknown;
    }
    let mut found = unknown;
    for part in parts {
        let mut words = part.split_whitespace();
        let (method, result) = words.next().and_then(|word| word.split_once('=')).unwrap_or_default();
        let check = check(result);
        // RFC 8601 §2.7: the domain that a DMARC result concerns; results for another one are ignored.
        let about = part.split_whitespace().find_map(|word| word.strip_prefix("header.from="));
        let ours = about.is_none_or(|about| is_domain(about.trim_matches('"'), author));
        match method.split('/').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "dmarc" if ours => found.author = check,
            "spf" => found.spf = check,
            // Of several signatures one valid one is sufficient (RFC 6376 §6.1).
            "dkim" if found.dkim != Check::Pass => found.dkim = check,
            _ => {}
        }
    }
    found
}

/// Whether a domain, in Unicode or A-labels, is the author's.
fn is_domain(written: &str, author: &Address) -> bool {
    idna::domain_to_ascii(written).is_ok_and(|domain| domain == author.domain())
}

/// RFC 8601 §2.7.
fn check(result: &str) -> Check {
    match result.to_ascii_lowercase().as_str() {
        "pass" => Check::Pass,
        "fail" | "softfail" | "hardfail" => Check::Fail,
        "none" | "neutral" => Check::None,
        _ => Check::Unknown,
    }
}

/// RFC 5322 §3.2.2: comments can be nested.
fn without_comments(text: &str) -> String {
    let (mut out, mut depth, mut escaped) = (String::with_capacity(text.len()), 0u32, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> (Check, Check, Check) {
        let message = format!("{fields}From: Karin <karin@example.org>\r\n\r\nx\r\n");
        let author = "karin@example.org".parse().unwrap();
        let found = of_server(&Incoming::parse(message.as_bytes()).unwrap(), "mx.example.net", &author);
        (found.author, found.spf, found.dkim)
    }

    #[test]
    fn what_the_trusted_server_says_is_believed() {
        let field = "Authentication-Results: MX.example.net 1 (a (comment; dmarc=fail));\r\n spf=softfail smtp.mailfrom=x.org;\
            \r\n dkim=fail header.d=y.org;\r\n dkim=pass header.d=example.org; dmarc=pass (p=reject) header.from=example.org\r\n";
        assert_eq!(read(field), (Check::Pass, Check::Fail, Check::Pass));
    }

    #[test]
    fn what_anybody_else_says_is_not() {
        let unknown = (Check::Unknown, Check::Unknown, Check::Unknown);
        assert_eq!(read(""), unknown);
        assert_eq!(read("Authentication-Results: mx.example.com; dmarc=pass\r\n"), unknown);
        let below = "Authentication-Results: other.example; dmarc=fail\r\n\
            Authentication-Results: mx.example.net; dmarc=pass header.from=example.org\r\n";
        assert_eq!(read(below), unknown, "a field below another's may be the sender's own");
        let (author, ..) = read("Authentication-Results: mx.example.net; dmarc=pass header.from=example.com\r\n");
        assert_eq!(author, Check::Unknown, "about another domain than the author's");
    }
}
