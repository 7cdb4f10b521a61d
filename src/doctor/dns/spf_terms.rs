//! The terms of an SPF record, by the grammar of RFC 7208 §12. A receiver that finds one invalid term treats the
//! whole record as a permanent error (§4.6), even if an earlier term would have matched.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The first term of `record` that violates the grammar, and why; `None` when all are valid. `record` begins with its
/// version, `v=spf1`.
pub(crate) fn first_wrong(record: &str) -> Option<(String, String)> {
    let mut once = (false, false);
    record.split([' ', '\t']).skip(1).filter(|term| !term.is_empty()).find_map(|term| {
        let repeated = match term.split_once('=').map(|(name, _)| name.to_ascii_lowercase()).as_deref() {
            Some("redirect") => std::mem::replace(&mut once.0, true),
            Some("exp") => std::mem::replace(&mut once.1, true),
            _ => false,
        };
        let wrong = if repeated { Some("it may occur only once".to_owned()) } else { term_wrong(term) };
        wrong.map(|why| (term.to_owned(), why))
    })
}

/// The names in the record's include and redirect terms, without those that contain macros.
pub(crate) fn leads_to(record: &str) -> Vec<String> {
    let target = |term: &str| {
        let term = term.trim_start_matches(['+', '-', '~', '?']);
        let (name, target) = term.split_once([':', '='])?;
        let leads = name.eq_ignore_ascii_case("include") || name.eq_ignore_ascii_case("redirect");
        (leads && !target.contains('%')).then(|| target.trim_end_matches('.').to_ascii_lowercase())
    };
    record.split_ascii_whitespace().skip(1).filter_map(target).collect()
}

fn term_wrong(term: &str) -> Option<String> {
    if !term.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("it has characters other than ASCII".to_owned());
    }
    let end = term.find([':', '=', '/']).unwrap_or(term.len());
    if term[end..].starts_with('=') {
        return modifier_wrong(&term[..end], &term[end + 1..]);
    }
    let (mechanism, rest) = term.split_at(end);
    let mechanism = mechanism.strip_prefix(['+', '-', '~', '?']).unwrap_or(mechanism).to_ascii_lowercase();
    match mechanism.as_str() {
        "all" => (!rest.is_empty()).then(|| "nothing may follow all".to_owned()),
        "include" | "exists" => match rest.strip_prefix(':') {
            Some(domain) => domain_wrong(domain),
            None => Some(format!("{mechanism} needs a domain, as in {mechanism}:example.org")),
        },
        "a" | "mx" => {
            let (domain, lengths) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let wrong = domain.strip_prefix(':').and_then(domain_wrong);
            wrong.or_else(|| lengths_wrong(lengths))
        }
        "ptr" => rest.strip_prefix(':').map_or_else(|| unexpected(rest), domain_wrong),
        "ip4" => network_wrong(rest, "ip4:203.0.113.25", 32, |text| text.parse::<Ipv4Addr>().is_ok()),
        "ip6" => network_wrong(rest, "ip6:2001:db8::25", 128, |text| text.parse::<Ipv6Addr>().is_ok()),
        _ => Some(match nearest(&mechanism) {
            Some(meant) => format!("there is no mechanism {mechanism}; did you mean {meant}?"),
            None => format!("there is no mechanism {mechanism}"),
        }),
    }
}

/// The mechanism most similar to a misspelt one.
fn nearest(wrong: &str) -> Option<&'static str> {
    const KNOWN: [&str; 8] = ["all", "include", "exists", "a", "mx", "ptr", "ip4", "ip6"];
    let wrong = match wrong {
        "ipv4" | "ip" => "ip4",
        "ipv6" => "ip6",
        other => other,
    };
    let near = KNOWN.into_iter().filter(|known| known.len() > 2 && strsim::damerau_levenshtein(known, wrong) <= 1);
    near.min_by_key(|known| strsim::damerau_levenshtein(known, wrong))
}

/// RFC 7208 §6, §12: a name begins with a letter; unknown modifiers are ignored, but their value must be a
/// macro-string.
fn modifier_wrong(name: &str, value: &str) -> Option<String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !is_name {
        return Some("this is neither a mechanism nor a modifier".to_owned());
    }
    match name.to_ascii_lowercase().as_str() {
        "redirect" | "exp" => domain_wrong(value),
        // E.g. ip4=203.0.113.25: read as an unknown modifier, it silently does nothing.
        "ip4" | "ip6" | "include" | "a" | "mx" | "exists" | "ptr" | "all" => {
            Some(format!("{name} takes a colon, not an equals sign; as it stands, it is ignored"))
        }
        _ => macros_wrong(value),
    }
}

fn unexpected(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| format!("{rest} is unexpected there"))
}

fn network_wrong(rest: &str, example: &str, longest: u8, is_address: impl Fn(&str) -> bool) -> Option<String> {
    let Some(network) = rest.strip_prefix(':') else { return Some(format!("it needs an address, as in {example}")) };
    let (address, length) =
        network.split_once('/').map_or((network, None), |(address, length)| (address, Some(length)));
    if !is_address(address) {
        return Some(format!("{address} is not such an address, as in {example}"));
    }
    length.and_then(|length| length_wrong(length, longest))
}

/// RFC 7208 §5.6: `/24`, `/24//64` or `//64`.
fn lengths_wrong(lengths: &str) -> Option<String> {
    let Some(lengths) = lengths.strip_prefix('/') else { return unexpected(lengths) };
    let (four, six) = match lengths.split_once("//") {
        Some((four, six)) => (Some(four), Some(six)),
        None => match lengths.strip_prefix('/') {
            Some(six) => (None, Some(six)),
            None => (Some(lengths), None),
        },
    };
    four.and_then(|length| length_wrong(length, 32)).or_else(|| six.and_then(|length| length_wrong(length, 128)))
}

fn length_wrong(length: &str, longest: u8) -> Option<String> {
    let number = length.parse::<u8>().ok().filter(|_| length.bytes().all(|byte| byte.is_ascii_digit()));
    let right = number.is_some_and(|number| number <= longest) && (length == "0" || !length.starts_with('0'));
    (!right).then(|| format!("the length /{length} is not from 0 to {longest}"))
}

/// RFC 7208 §7.1: a macro-string that ends in a name with a dot, or in a macro.
fn domain_wrong(domain: &str) -> Option<String> {
    if let Some(why) = macros_wrong(domain) {
        return Some(why);
    }
    if domain.ends_with('}') {
        return None;
    }
    let name = domain.strip_suffix('.').unwrap_or(domain);
    let Some((before, top)) = name.rsplit_once('.') else {
        return Some(format!("\u{201c}{domain}\u{201d} is not a domain: it has no dot"));
    };
    let is_top = !top.is_empty()
        && top.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !top.starts_with('-')
        && !top.ends_with('-')
        && !top.bytes().all(|byte| byte.is_ascii_digit());
    match is_top && !before.is_empty() && !before.contains("..") && !before.starts_with('.') {
        true => None,
        false if domain.parse::<Ipv4Addr>().is_ok() => Some(format!("{domain} is an address; write ip4:{domain}")),
        false => Some(format!("{domain} is not a domain")),
    }
}

/// RFC 7208 §7.1: `%` begins `%{…}`, `%%`, `%_` or `%-`.
fn macros_wrong(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        rest = match rest.as_bytes().first() {
            Some(b'%' | b'_' | b'-') => &rest[1..],
            Some(b'{') => {
                let (body, after) = rest[1..].split_once('}').unwrap_or(("", rest));
                if !is_macro(body) {
                    return Some(format!("%{{{body}}} is not a macro"));
                }
                after
            }
            _ => return Some("a percent sign must begin a macro, such as %{i}".to_owned()),
        };
    }
    None
}

/// A letter, the number of labels, `r`, delimiters.
fn is_macro(body: &str) -> bool {
    let Some(rest) = body.strip_prefix(|letter: char| "slodiphcrtv".contains(letter.to_ascii_lowercase())) else {
        return false;
    };
    let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let rest = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    rest.bytes().all(|byte| b".-+,/_=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_grammar_knows_is_right() {
        for record in [
            "v=spf1",
            "v=spf1 -all",
            "v=SPF1 A MX:example.org/24//64 a//64 ?mx/0 ~ALL",
            "v=spf1 ip4:203.0.113.0/24 ip6:2001:db8::/32 include:_spf.example.org. ptr ptr:example.org -all",
            "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d} redirect=_spf.example.org exp=why.%{d2}",
            "v=spf1  a:mail.example.org  future=of%%course -all ",
        ] {
            assert_eq!(first_wrong(record), None, "{record}");
        }
    }

    #[test]
    fn one_wrong_term_is_found_wherever_it_stands() {
        for (record, term) in [
            ("v=spf1 ip4:203.0.113.25 ipv4:203.0.113.26 -all", "ipv4:203.0.113.26"),
            ("v=spf1 ip4:203.0.113.25 -all ip4:203.0.113.300", "ip4:203.0.113.300"),
            ("v=spf1 ip4:203.0.113.0/33 -all", "ip4:203.0.113.0/33"),
            ("v=spf1 ip4: -all", "ip4:"),
            ("v=spf1 ip6:203.0.113.25 -all", "ip6:203.0.113.25"),
            ("v=spf1 ip6:2001:db8::/129 -all", "ip6:2001:db8::/129"),
            ("v=spf1 ip4=203.0.113.25 -all", "ip4=203.0.113.25"),
            ("v=spf1 include -all", "include"),
            ("v=spf1 include:localhost -all", "include:localhost"),
            ("v=spf1 a:203.0.113.25 -all", "a:203.0.113.25"),
            ("v=spf1 a/33 -all", "a/33"),
            ("v=spf1 mx//129 -all", "mx//129"),
            ("v=spf1 -all:example.org", "-all:example.org"),
            ("v=spf1 exists:%{x}.example.org -all", "exists:%{x}.example.org"),
            ("v=spf1 exists:100%.example.org -all", "exists:100%.example.org"),
            ("v=spf1 redirect=a.example.org redirect=b.example.org", "redirect=b.example.org"),
            ("v=spf1 203.0.113.25 -all", "203.0.113.25"),
            ("v=spf1 ip4:203.0.113.25, -all", "ip4:203.0.113.25,"),
            ("v=spf1 \u{2013}all", "\u{2013}all"),
            ("v=spf1 incldue:example.org -all", "incldue:example.org"),
        ] {
            assert_eq!(first_wrong(record).map(|(term, _)| term).as_deref(), Some(term), "{record}");
        }
        let (_, why) = first_wrong("v=spf1 ipv4:203.0.113.26 -all").unwrap();
        assert!(why.ends_with("did you mean ip4?"), "{why}");
    }

    #[test]
    fn what_is_included_is_named() {
        assert_eq!(
            leads_to("v=spf1 a include:A.example.org. ?include:%{d}.example redirect=b.example.org"),
            ["a.example.org", "b.example.org"]
        );
    }
}
