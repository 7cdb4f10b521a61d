//! Prepares a diagnosis for the rules: words without the addresses and codes in them.

/// Stands for an address of ours at a reply's beginning; rules that blame the sender match it.
const SENDER: &str = "sender address";

/// The text that the rules search, twice, one line each: in lower case, one space between words, without the codes
/// that a multiline reply repeats (RFC 5321 §4.2.1), and without addresses, since their letters carry no meaning. In
/// the second line `@` stands where an address was.
pub(super) fn words_of(text: &str, ours: &[&str]) -> String {
    let lower = text.to_lowercase();
    let (mut plain, mut marked) = (String::with_capacity(lower.len()), String::with_capacity(lower.len()));
    let mut after_code = false;
    for word in lower.split_whitespace() {
        if is_code(word) || word == "/" {
            after_code = true;
            continue;
        }
        // An address inside a URL belongs to the URL.
        let pieces = if word.contains("://") { vec![Piece::Words(word)] } else { pieces(word) };
        let is_sender = |address: &str| ours.iter().any(|one| one.eq_ignore_ascii_case(address));
        let mut without = String::new();
        marked.push(' ');
        for (number, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Words(words) => {
                    without.push_str(words);
                    marked.push_str(words);
                }
                // RFC 5321 §4.2: a reply that begins with an address concerns that address.
                Piece::Address(address) if after_code && number == 0 && is_sender(address) => {
                    without.push_str(SENDER);
                    marked.push_str(SENDER);
                }
                Piece::Address(_) => marked.push('@'),
            }
        }
        if !without.is_empty() {
            plain.push(' ');
            plain.push_str(&without);
        }
        after_code = false;
    }
    format!("{plain} \n{marked} ")
}

/// Whether a word is only a code: `550`, `550-5.1.1`, `(#5.7.1)`.
fn is_code(word: &str) -> bool {
    word.len() >= 3
        && word.bytes().all(|o| o.is_ascii_digit() || b".-#()".contains(&o))
        && word.bytes().any(|o| o.is_ascii_digit())
}

enum Piece<'a> {
    Words(&'a str),
    Address(&'a str),
}

/// Splits a word where an address in it begins and ends: `found:a@example.org.` contains one.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), word);
    while let Some(at) = rest.find('@') {
        let is_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let start = rest[..at].char_indices().rev().take_while(|(_, c)| is_local(*c)).last().map_or(at, |(i, _)| i);
        let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let domain = &rest[at + 1..];
        let length = domain.find(|c| !is_domain(c)).unwrap_or(domain.len());
        // sendmail writes three dots after an address.
        let length = domain[..length].find("..").unwrap_or(length);
        let end = at + 1 + domain[..length].trim_end_matches('.').len();
        let (before, address, after) = (&rest[..start], &rest[start..end], &rest[end..]);
        // Brackets around it belong to it.
        let brackets = [('<', '>'), ('[', ']'), ('(', ')'), ('\'', '\''), ('"', '"')];
        let bracketed =
            brackets.iter().find_map(|(open, close)| Some((before.strip_suffix(*open)?, after.strip_prefix(*close)?)));
        let (before, after) = bracketed.unwrap_or((before, after));
        if !before.is_empty() {
            found.push(Piece::Words(before));
        }
        found.push(Piece::Address(address));
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Words(rest));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        words_of(text, &["list@example.com"]).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn addresses_go_and_words_that_stand_in_one_with_them_stay() {
        assert_eq!(plain("550 User not found:anna@example.org"), " user not found: ");
        assert_eq!(plain("550-5.1.1 User <anna@example.org> unknown"), " user unknown ");
        assert_eq!(plain("550 <anna@example.org>...User unknown"), " ...user unknown ");
        assert_eq!(plain("User anna@example.org unknown."), " user unknown. ");
        assert!(words_of("User anna@example.org has expired", &[]).contains("\n user @ has expired"));
    }

    #[test]
    fn an_address_of_ours_with_which_a_reply_begins_is_the_senders() {
        assert_eq!(plain("550 5.1.1 <list@example.com>: no"), " sender address: no ");
        assert_eq!(plain("550 mail from <list@example.com> to you: no"), " mail from to you: no ");
    }
}
