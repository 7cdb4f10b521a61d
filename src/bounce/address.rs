//! Finds addresses in foreign text, without trusting them: anything around an `@` that looks like one.

/// Maximum length of a local part (RFC 5321 §4.5.3.1.1 allows 64; servers bounce longer ones).
const MAX_LOCAL: usize = 128;
/// Maximum length of a domain (RFC 5321 §4.5.3.1.2).
const MAX_DOMAIN: usize = 255;
/// Maximum number of addresses searched for in one line.
const MAX_IN_LINE: usize = 50;
/// Labels before an address, separated by `=`, as in `SMTP=a@example.org`, `T=a@example.org`.
const LABELS: [&str; 10] = ["smtp", "to", "t", "for", "rcpt", "recipient", "user", "email", "mail", "address"];

/// An address in a text, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins, including its bracket or quote.
    pub start: usize,
    /// Where it ends, including its bracket or quote.
    pub end: usize,
    /// The address itself.
    pub address: String,
}

/// All addresses in a line, in order.
pub(super) fn find(line: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut after = 0;
    for at in memchr::memchr_iter(b'@', line.as_bytes()) {
        if at < after || found.len() >= MAX_IN_LINE {
            continue;
        }
        if let Some(one) = around(line, at, after) {
            after = one.end;
            found.push(one);
        }
    }
    found
}

/// The first address in a text, for fields with a single one.
pub(super) fn first(text: &str) -> Option<String> {
    find(text).into_iter().next().map(|found| found.address)
}

fn around(line: &str, at: usize, from: usize) -> Option<Found> {
    let bytes = line.as_bytes();
    let mut start = match bytes[from..at].last()? {
        b'"' => quoted_start(bytes, at, from)?,
        _ => {
            let floor = at.saturating_sub(MAX_LOCAL).max(from);
            let start = bytes[floor..at].iter().rposition(|o| !is_local(*o)).map_or(floor, |end| floor + end + 1);
            let start = line.ceil_char_boundary(start);
            // A full-width colon or bracket before an address counts like an ASCII one.
            let mark = line.get(start..at)?.char_indices().rev().find(|(_, c)| is_mark(*c));
            mark.map_or(start, |(mark, c)| start + mark + c.len_utf8())
        }
    };
    let ceiling = (at + 1 + MAX_DOMAIN).min(bytes.len());
    let length = bytes[at + 1..ceiling].iter().position(|o| !is_domain(*o)).unwrap_or(ceiling - at - 1);
    let mut end = at + 1 + length;
    while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-' | b'_') {
        end -= 1;
    }
    if let Some(labelled) = line[start..at].find('=')
        && LABELS.iter().any(|label| line[start..start + labelled].eq_ignore_ascii_case(label))
    {
        start += labelled + 1;
    }
    // `=?` begins an encoded word (RFC 2047), which some programs put in place of an address.
    while start < at
        && !bytes[start..].starts_with(b"=?")
        && matches!(bytes[start], b'\'' | b'`' | b'*' | b'|' | b'.' | b'/' | b'=' | b'-' | b'{' | b'&')
    {
        start += 1;
    }
    let (local, domain) = (line.get(start..at)?, line.get(at + 1..end)?);
    let address = plain(local, domain)?;
    let opens = start > from && matches!(bytes[start - 1], b'<' | b'[' | b'(' | b'\'' | b'"');
    let closes = bytes.get(end).is_some_and(|o| matches!(o, b'>' | b']' | b')' | b'\'' | b'"')) && opens;
    Some(Found { start: start - usize::from(opens), end: end + usize::from(closes), address })
}

/// Where a quoted local part begins, including its quotation mark.
fn quoted_start(bytes: &[u8], at: usize, from: usize) -> Option<usize> {
    let floor = at.saturating_sub(MAX_LOCAL).max(from);
    let open = bytes[floor..at - 1].iter().rposition(|o| *o == b'"')?;
    (floor + open + 2 < at).then_some(floor + open)
}

/// The address, if it looks like one; unnecessary quotation marks are removed.
fn plain(local: &str, domain: &str) -> Option<String> {
    let mut labels = domain.split('.');
    let is_domain = domain.contains('.') && labels.clone().all(|label| !label.is_empty() && !label.starts_with('-'));
    let is_number = labels.next_back().is_some_and(|last| last.bytes().all(|o| o.is_ascii_digit()));
    // There are non-ASCII control characters too (U+0080 to U+009F).
    let has_control = local.chars().chain(domain.chars()).any(char::is_control);
    if local.is_empty() || !is_domain || is_number || has_control {
        return None;
    }
    let bare = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(local);
    match bare.bytes().all(is_local) && !bare.is_empty() {
        true => Some(format!("{bare}@{domain}")),
        false => Some(format!("{local}@{domain}")),
    }
}

/// RFC 5322 §3.2.3 atext and the dot, and non-ASCII characters (RFC 6531 §3.3).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte) || byte >= 0x80
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || byte >= 0x80
}

/// Non-ASCII punctuation and spaces, which do not occur in a local part.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// Whether a local part is that of a mailing list's program or administrator (RFC 2142 §6).
pub(super) fn is_role(local: &str) -> bool {
    ["-admin", "-owner", "-request", "-bounces", "-bounce", "-ctl"].iter().any(|end| local.ends_with(end))
}

/// Whether an address is an office that answers questions and not a recipient of ours, whatever its domain.
pub(super) fn is_office(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    ["postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "hostmaster", "webmaster", "postmaster1"]
        .contains(&local.as_str())
        || is_role(&local)
}

/// Whether two texts are equal except for letter case.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_beyond_ascii_are_in_no_address() {
        assert_eq!(first("to karin@exam\u{96}ple.org"), None);
        assert_eq!(first("to ka\u{85}rin@example.org"), None);
        assert_eq!(first("to k\u{e5}rin@example.org").as_deref(), Some("k\u{e5}rin@example.org"));
    }
}
