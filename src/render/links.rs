//! Which links a mail may contain: one rule for text, HTML, fields and checks. Simple faults are repaired (`www.`
//! becomes https, an address becomes mailto, a space becomes `%20`); the others are [`LinkFault`]s, which `release
//! check` reports.

use std::borrow::Cow;
use std::ops::Range;

use crate::base::address::Address;

/// Allowed schemes.
pub(crate) const SCHEMES: [&str; 4] = ["https", "http", "mailto", "tel"];

/// Schemes that run code: such links are not even shown.
const PROGRAMS: [&str; 3] = ["javascript", "data", "vbscript"];

/// Maximum bytes of a link searched for in a text: most browsers accept no longer ones, and searching further is
/// slow.
const LONGEST: usize = 2000;

/// Why a link does not work in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkFault {
    /// Its address is empty.
    Empty,
    /// It points to a place in the same page (`#part`).
    Anchor,
    /// It is a relative address (`/about`).
    Relative(String),
    /// Its scheme is dangerous, or not supported by mail programs.
    Scheme(String),
    /// It has an allowed scheme but no host, address or number.
    Incomplete,
}

impl LinkFault {
    /// The name of its text in `rules.toml`, under `link`, and the value in it.
    pub(crate) fn text(&self) -> (&'static str, &str) {
        match self {
            Self::Empty => ("empty", ""),
            Self::Anchor => ("anchor", ""),
            Self::Relative(suggestion) => ("relative", suggestion),
            Self::Scheme(scheme) => ("scheme", scheme),
            Self::Incomplete => ("incomplete", ""),
        }
    }
}

/// The address of a link in the form for a mail: with its scheme, and without spaces (RFC 3986 §2.1).
///
/// # Errors
/// [`LinkFault`]: the link cannot work in a mail.
pub(crate) fn target(written: &str) -> Result<String, LinkFault> {
    let link = written.trim();
    let lower = link.to_ascii_lowercase();
    if link.is_empty() {
        return Err(LinkFault::Empty);
    }
    if link.starts_with('#') {
        return Err(LinkFault::Anchor);
    }
    if lower.starts_with("www.") || (link.starts_with("//") && has_host(link)) {
        let rest = link.trim_start_matches('/');
        return if has_host(&format!("//{rest}")) {
            Ok(encoded(&format!("https://{rest}")))
        } else {
            Err(LinkFault::Incomplete)
        };
    }
    match scheme(&lower) {
        Some("https" | "http") if has_host(&link[lower.find(':').unwrap_or(0) + 1..]) => Ok(encoded(link)),
        Some("mailto") if are_addresses(&link[7..]) || link[7..].starts_with('?') => {
            Ok(encoded(&format!("mailto:{}", link[7..].trim())))
        }
        Some("tel") => number(&link[4..]).ok_or(LinkFault::Incomplete),
        Some("https" | "http" | "mailto") => Err(LinkFault::Incomplete),
        Some(other) => Err(LinkFault::Scheme(other.to_owned())),
        None if are_addresses(link) => Ok(encoded(&format!("mailto:{link}"))),
        None => Err(LinkFault::Relative(suggestion(link))),
    }
}

/// The part of an unusable link that is shown to the reader after its text.
pub(crate) fn shown(written: &str) -> Option<&str> {
    let link = written.trim();
    let program = scheme(&link.to_ascii_lowercase()).is_some_and(|scheme| PROGRAMS.contains(&scheme));
    (!link.is_empty() && !program).then_some(link)
}

/// Whether a link has an allowed scheme.
pub(crate) fn is_allowed(link: &str) -> bool {
    link.split_once(':').is_some_and(|(scheme, _)| SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s)))
}

/// The scheme (RFC 3986 §3.1). `example.org:8080` has none: dots occur in hosts, and in no scheme in use.
fn scheme(lower: &str) -> Option<&str> {
    let (scheme, _) = lower.split_once(':')?;
    let fits = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-".contains(c));
    fits.then_some(scheme)
}

/// Whether two slashes and a host follow.
fn has_host(rest: &str) -> bool {
    rest.strip_prefix("//").is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

/// Whether the part before `?subject=…` consists of addresses, separated by commas (RFC 6068 §2).
fn are_addresses(text: &str) -> bool {
    let addresses = text.split('?').next().unwrap_or_default();
    addresses.split(',').all(|address| address.trim().parse::<Address>().is_ok())
}

/// `tel:` and the number without visual separators (RFC 3966 §5.1.1).
fn number(written: &str) -> Option<String> {
    let digits: String = written.chars().filter(|c| !c.is_whitespace() && !"-.()/\u{2013}".contains(*c)).collect();
    let fits = digits.trim_start_matches('+').chars().take_while(char::is_ascii_digit).count() >= 3;
    fits.then(|| format!("tel:{}", encoded(&digits)))
}

fn suggestion(link: &str) -> String {
    let host = link.split(['/', '?', ':']).next().unwrap_or_default();
    let rest = link.trim_start_matches('/');
    if !link.starts_with(['/', '.']) && host.contains('.') && host != link {
        format!("https://{link}")
    } else {
        format!("https://www.example.org/{}", encoded(rest))
    }
}

/// Percent-encodes characters that are not allowed in a URL (RFC 3986 §2); letters of other alphabets stay readable.
fn encoded(link: &str) -> String {
    let mut out = String::with_capacity(link.len());
    for c in link.chars() {
        if c.is_whitespace() || c.is_control() || "\"<>\\^`{|}".contains(c) {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Finds bare addresses in a text, each with its target. Punctuation after an address does not belong to it, and a
/// closing parenthesis only if it was opened within.
pub(crate) fn find(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((start, end)) = next_word(text, at) {
        at = end;
        if let Some((range, target)) = in_word(text, start, end) {
            at = range.end.max(start + 1);
            found.push((range, target));
        }
    }
    found
}

/// The next run of characters that may contain an address.
fn next_word(text: &str, from: usize) -> Option<(usize, usize)> {
    let parts = |c: char| c.is_whitespace() || c.is_control() || "<>\"”“»«".contains(c);
    let start = from + text[from..].find(|c| !parts(c))?;
    let near = &text[start..text.floor_char_boundary(start.saturating_add(LONGEST))];
    let end = start + near.find(parts).unwrap_or(near.len());
    Some((start, end))
}

fn in_word(text: &str, start: usize, end: usize) -> Option<(Range<usize>, String)> {
    let word = &text[start..end];
    let lower = word.to_ascii_lowercase();
    let before = |at: usize| lower[..at].chars().next_back();
    let begins = ["https://", "http://", "www.", "mailto:"].iter().filter_map(|prefix| {
        let (at, _) = lower.match_indices(prefix).find(|(at, _)| before(*at).is_none_or(|c| !c.is_alphanumeric()))?;
        Some((at, *prefix))
    });
    if let Some((at, prefix)) = begins.min() {
        let link = trimmed(&word[at..]);
        let host = &link[prefix.len().min(link.len())..];
        let whole = host.starts_with(char::is_alphanumeric) && (prefix != "www." || host.contains('.'));
        let target = if whole { target(link).ok()? } else { return None };
        return Some((start + at..start + at + link.len(), target));
    }
    mailbox(word).map(|range| {
        let target = format!("mailto:{}", &word[range.clone()]);
        (start + range.start..start + range.end, target)
    })
}

/// The mail address around the `@` of a word.
fn mailbox(word: &str) -> Option<Range<usize>> {
    let (local, domain) = word.split_once('@')?;
    let in_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let start = local.char_indices().rev().take_while(|(_, c)| in_local(*c)).last()?.0;
    let start = start + (local[start..].len() - local[start..].trim_start_matches('.').len());
    let in_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    let length = domain.find(|c| !in_domain(c)).unwrap_or(domain.len());
    let end = local.len() + 1 + domain[..length].trim_end_matches(['.', '-']).len();
    let address = &word[start..end];
    let dotted = address.rsplit_once('@')?.1.contains('.');
    (dotted && address.parse::<Address>().is_ok()).then_some(start..end)
}

/// A bare address without the punctuation after it.
fn trimmed(link: &str) -> &str {
    let open = link.matches('(').count();
    let mut closed = link.matches(')').count();
    let mut link = link;
    loop {
        let rest = link.trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', '’', '…', '*', '_', '~', ']', '}', '|']);
        let rest = match rest.strip_suffix(')') {
            Some(shorter) if closed > open => {
                closed -= 1;
                shorter
            }
            _ => rest,
        };
        if rest.len() == link.len() {
            return link;
        }
        link = rest;
    }
}

/// Allows spaces in the addresses of Markdown links: `[x](https://example.org/a b)` is meant as a link, but
/// CommonMark §6.3 requires angle brackets around such an address. The number of lines stays the same.
pub(crate) fn with_spaces(markdown: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in markdown.match_indices("](") {
        let from = at + 2;
        if from < done {
            continue;
        }
        let near = &markdown[from..markdown.floor_char_boundary(from.saturating_add(LONGEST))];
        let line = near.split('\n').next().unwrap_or_default();
        let Some(end) = closing(line) else { continue };
        let written = &line[..end];
        if let Some((file, caption)) = picture_with_spaces(&markdown[..at], written) {
            out.push_str(&markdown[done..from]);
            out.push_str(&format!("<{file}>{caption}"));
            done = from + end;
            continue;
        }
        let tail = written.split_once(char::is_whitespace).map_or("", |(_, tail)| tail.trim_start());
        // An address in angle brackets, or a title after it, is valid Markdown.
        if !tail.is_empty()
            && !tail.starts_with(['"', '\'', '('])
            && !written.contains(['<', '>'])
            && target(written).is_ok()
        {
            out.push_str(&markdown[done..from]);
            out.push_str(&format!("<{}>", written.trim()));
            done = from + end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(markdown);
    }
    out.push_str(&markdown[done..]);
    Cow::Owned(out)
}

/// The file of an image and its caption, `![x](file "caption")`, if the file's name has spaces.
fn picture_with_spaces<'a>(before: &str, written: &'a str) -> Option<(&'a str, &'a str)> {
    let is_image = before.rfind('[').is_some_and(|at| before[..at].ends_with('!'));
    let end = written.find(" \"").unwrap_or(written.len());
    let (file, caption) = (written[..end].trim(), &written[end..]);
    let has_ending = file.rsplit_once('.').is_some_and(|(_, ending)| (2..=4).contains(&ending.len()));
    let plain = has_ending && file.contains(' ') && !file.contains(['<', '>', '"']);
    (is_image && plain && matches!(target(file), Err(LinkFault::Relative(_)))).then_some((file, caption))
}

/// Finds the end of the parenthesis that is open before `line`.
fn closing(line: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in line.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_repaired() {
        for (written, expected) in [
            ("www.example.org/rapport", "https://www.example.org/rapport"),
            ("//example.org/x", "https://example.org/x"),
            ("press@example.org", "mailto:press@example.org"),
            ("press@example.org?subject=Hej du", "mailto:press@example.org?subject=Hej%20du"),
            ("https://example.org/å ä.pdf", "https://example.org/å%20ä.pdf"),
            ("HTTPS://example.org/\"x\"", "HTTPS://example.org/%22x%22"),
            ("tel:+46 70-174 06 12", "tel:+46701740612"),
        ] {
            assert_eq!(target(written).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_cannot_work_is_a_fault() {
        for written in [
            "",
            "#del",
            "/om-oss",
            "rapport.pdf",
            "sms:+46701740612",
            "webcal://example.org/k.ics",
            "javascript:alert(1)",
            "https:",
            "https://",
            "mailto:",
            "tel:nej",
            "ftp://example.org/x",
            "example.org:80/x",
        ] {
            assert!(target(written).is_err(), "{written}");
        }
        assert_eq!(target("example.org/rapport").unwrap_err().text(), ("relative", "https://example.org/rapport"));
        assert_eq!((shown("/om-oss"), shown(" javascript:x")), (Some("/om-oss"), None));
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = find(text);
        let shown: Vec<&str> = found.iter().map(|(range, _)| &text[range.clone()]).collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn bare_addresses_are_found_without_the_punctuation_around_them() {
        check("Läs https://example.org/rapport_(slut)?a=1&b=2.", &["https://example.org/rapport_(slut)?a=1&b=2"]);
        check("(se https://example.org/x), (www.example.org).", &["https://example.org/x", "www.example.org"]);
        check("Skriv till press@example.org, eller info@example.org!", &["press@example.org", "info@example.org"]);
        check("”https://example.org/”…", &["https://example.org/"]);
        check("mailto:a@example.org", &["mailto:a@example.org"]);
        check("Kontakt:press@example.org/ombud@example.org", &["press@example.org", "ombud@example.org"]);
        check("@handle a@b www. https:// x@y. www.a", &[]);
    }

    #[test]
    fn an_address_with_spaces_is_still_a_link() {
        assert_eq!(with_spaces("a [b](https://example.org/c d.pdf) e"), "a [b](<https://example.org/c d.pdf>) e");
        assert_eq!(with_spaces("![a](min bild.jpg \"Ett torg\")"), "![a](<min bild.jpg> \"Ett torg\")");
        for kept in ["[b](https://example.org \"T\")", "[b](<https://example.org/c d>)", "[b](c d)", "f[1](a"] {
            assert_eq!(with_spaces(kept), kept);
        }
    }
}
