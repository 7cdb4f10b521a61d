//! Signed tokens in people's text: found, and removed before anything is quoted onward.

/// Length of a signed token: ours have 26 to 31 letters and digits.
const TOKEN: std::ops::RangeInclusive<usize> = 20..=44;
/// Maximum number of candidates for a token: each costs a hash.
const MOST_TOKENS: usize = 40;
/// Maximum bytes searched for tokens.
const TOKEN_SEARCH: usize = 128 * 1024;

/// Everything in a text that looks like a signed token: runs of its characters of the right length. Not verified.
pub fn tokens(text: &str) -> Vec<String> {
    let text = &text[..text.floor_char_boundary(TOKEN_SEARCH)];
    let mut tokens: Vec<String> = Vec::new();
    for run in text.split(|c: char| !is_of_token(c)).filter(|run| TOKEN.contains(&run.len())) {
        let token = run.to_ascii_lowercase();
        if tokens.len() < MOST_TOKENS && !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}

/// The text without possible signed addresses or codes of ours, including brackets around them: an address with a
/// token after its plus sign, and a run of a token's characters that is not a word. With it, a reader of the text
/// could answer in the name of the token's recipient.
pub fn without_tokens(text: &str) -> String {
    if !text.split(|c: char| !is_of_token(c)).any(|run| TOKEN.contains(&run.len())) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if shows_token(word) {
            // A prefix in the same word, such as "mailto:", is removed too.
            out.push_str(word.rsplit_once([')', ']', '>', ';']).map_or("", |(_, rest)| rest));
        } else {
            out.push_str(word);
        }
        out.push_str(&piece[word.len()..]);
    }
    out
}

/// Whether a word contains a token: after a plus sign, in brackets, or with digits among its letters.
pub(super) fn shows_token(word: &str) -> bool {
    let mut begin = 0;
    for run in word.split(|c: char| !is_of_token(c)) {
        let at = begin;
        begin = at + run.len() + word[at + run.len()..].chars().next().map_or(0, char::len_utf8);
        if !TOKEN.contains(&run.len()) {
            continue;
        }
        let before = word[..at].chars().next_back();
        let after = word[at + run.len()..].chars().next();
        let marked = matches!(before, Some('+' | '[' | '=' | '-')) || matches!(after, Some('@' | ']'));
        if marked || run.contains(|c: char| c.is_ascii_digit()) {
            return true;
        }
    }
    false
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '2'..='7')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "aebagbafaydqqcikbmgaydq2ce";

    #[test]
    fn nothing_of_ours_is_quoted_onward() {
        for (text, left) in [
            (format!("fel rubrik < redaktion-decide+{TOKEN}@lists.example.org>"), "fel rubrik < "),
            (format!("se <mailto:media-confirm+{TOKEN}@lists.example.org>, tack"), "se , tack"),
            (format!("Re: Bekräfta [{TOKEN}] nu"), "Re: Bekräfta  nu"),
            (format!("kod {}", TOKEN.to_uppercase()), "kod "),
            ("Kommunstyrelseordföranden svarar".to_owned(), "Kommunstyrelseordföranden svarar"),
            (
                "internationaliseringsprocessen\nkarin@example.org".to_owned(),
                "internationaliseringsprocessen\nkarin@example.org",
            ),
        ] {
            let shown = without_tokens(&text);
            assert!(!shown.to_lowercase().contains(TOKEN), "{shown}");
            assert_eq!(shown, left, "{text}");
        }
    }
}
