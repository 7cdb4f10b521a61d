//! The grammar of paths and mailboxes in SMTP commands (RFC 5321 §4.1.2, RFC 6531 §3.3).

/// The longest path accepted, in bytes. RFC 5321 §4.5.3.1.3 requires at least 256; signed senders (VERP, SRS) exceed
/// it.
const MAX_PATH: usize = 320;

/// The content of `<…>` at the front, and the rest. A `>` inside a quoted string does not end it.
pub(super) fn path(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let inside = bytes.strip_prefix(b"<")?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' if quoted => {
            escaped = true;
            false
        }
        b'"' => {
            quoted = !quoted;
            false
        }
        b'>' => !quoted,
        _ => false,
    })?;
    (end <= MAX_PATH).then_some(())?;
    Some((std::str::from_utf8(&inside[..end]).ok()?, &inside[end + 1..]))
}

/// A mailbox (RFC 5321 §4.1.2) as written, with its quotes and case. A source route before it is dropped (§4.1.1.3,
/// appendix C).
pub(super) fn mailbox(path: &str) -> Option<&str> {
    let path = match path.starts_with('@') {
        true => {
            let (route, mailbox) = path.split_once(':')?;
            route.split(',').all(|hop| hop.strip_prefix('@').is_some_and(is_domain)).then_some(mailbox)?
        }
        false => path,
    };
    let (local, domain) = split(path)?;
    (is_local_part(local) && (is_domain(domain) || is_literal(domain))).then_some(path)
}

/// Splits at the `@` that ends the local part: a quoted one may contain others.
fn split(path: &str) -> Option<(&str, &str)> {
    let after_quotes = match path.starts_with('"') {
        true => closing_quote(path)? + 1,
        false => 0,
    };
    let at = after_quotes + path[after_quotes..].find('@')?;
    Some((&path[..at], &path[at + 1..]))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    let closes = |(at, c): (usize, char)| {
        let closes = c == '"' && !escaped && at > 0;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    };
    text.char_indices().find_map(closes)
}

/// Dot-string or quoted-string (RFC 5321 §4.1.2), with the characters added by RFC 6531 §3.3.
fn is_local_part(local: &str) -> bool {
    if let Some(inside) = local.strip_prefix('"') {
        let Some(inside) = inside.strip_suffix('"') else { return false };
        let shown = |c: char| !c.is_control();
        return local.len() > 2 && closing_quote(local) == Some(local.len() - 1) && inside.chars().all(shown);
    }
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_letter_beyond_ascii(c);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

/// Labels of letters, digits and hyphens, and of underscores, which occur in practice.
fn is_domain(domain: &str) -> bool {
    let label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_letter_beyond_ascii(c);
    domain.len() <= 255
        && domain.split('.').all(|part| !part.is_empty() && part.len() <= 63 * 4 && part.chars().all(label))
}

fn is_letter_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

/// `[…]` (RFC 5321 §4.1.3).
fn is_literal(domain: &str) -> bool {
    let inside = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| {
        !inside.is_empty() && inside.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '\\'))
    })
}

/// Whether `name` is a domain or an address literal, and so may appear unchanged in a Received field.
pub(super) fn is_host(name: &str) -> bool {
    name.is_ascii() && (is_domain(name) || is_literal(name) && !name.contains(['(', ')', '"', '<', '>', ';', ',']))
}
