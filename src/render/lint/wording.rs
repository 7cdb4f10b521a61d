//! Rules about words: fillers, doubled words, promised attachments, clock times, addresses without encryption.

use serde::Deserialize;

use super::texts;
use super::{Finding, Subject};

/// The words that the rules look for.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    fillers: Vec<String>,
    filler_words: Vec<String>,
    filler_brackets: Vec<String>,
    doubled: Vec<String>,
    attachments: Vec<String>,
}

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // A test holds that the file can be read.
    let words: Words = toml::from_str(include_str!("words.toml")).unwrap_or_default();
    let release = subject.release;
    let has_files = !release.attachments.is_empty() || release.images.iter().any(|image| image.file.is_some());
    for written in texts::all(subject) {
        let mut say = |at: usize, text: (&'static str, &str), values: &[(&str, &str)]| {
            let finding = subject.warning(text, written.key.clone(), values);
            findings.push(finding.at(written.line(subject, at)));
        };
        if let Some((at, filler)) = filler(written.text, &words) {
            say(at, ("filler", "left"), &[("filler", &filler)]);
        }
        for (at, word) in doubled(written.text, &words.doubled) {
            say(at, ("doubled-word", "twice"), &[("word", word)]);
        }
        if let Some((at, word)) = promised(written.text, &words.attachments).filter(|_| !has_files) {
            say(at, ("attachment-missing", "none"), &[("word", word)]);
        }
        for (at, given, better) in clock_forms(written.text, release.language.primary() == "sv") {
            say(at, ("clock-form", "form"), &[("given", given), ("better", &better)]);
        }
        for (at, link) in unencrypted(written.text) {
            say(at, ("link-not-https", "http"), &[("link", link)]);
        }
    }
    for (key, link) in links(subject) {
        if let Some((_, link)) = unencrypted(link).first() {
            findings.push(subject.warning(("link-not-https", "http"), key, &[("link", link)]));
        }
    }
}

/// The links of fields.
fn links<'a>(subject: &Subject<'a>) -> Vec<(String, &'a str)> {
    let release = subject.release;
    let mut found: Vec<(String, &str)> = Vec::new();
    let mut add = |key: String, link: Option<&'a String>| found.extend(link.map(|link| (key, link.as_str())));
    if let Some(event) = &release.event {
        add("event.map".to_owned(), event.map.as_ref());
        add("event.stream".to_owned(), event.stream.as_ref());
    }
    let of = |list: &str, index: usize| format!("{list}[{index}].url");
    release.presentations.iter().enumerate().for_each(|(i, one)| add(of("presentations", i), one.url.as_ref()));
    release.series.iter().enumerate().for_each(|(i, one)| add(of("series", i), one.url.as_ref()));
    release.attachments.iter().enumerate().for_each(|(i, one)| add(of("attachments", i), one.url.as_ref()));
    release.images.iter().enumerate().for_each(|(i, one)| add(of("images", i), one.url.as_ref()));
    release.videos.iter().enumerate().for_each(|(i, one)| add(of("videos", i), Some(&one.url)));
    for link in release.links.iter().flat_map(|group| &group.links) {
        add("links".to_owned(), Some(&link.url));
    }
    found
}

/// Words between spaces, each with its position, without the punctuation around them.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let pieces = text.split(char::is_whitespace).filter(|piece| !piece.is_empty());
    pieces.map(move |piece| {
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
        (word.as_ptr() as usize - text.as_ptr() as usize, word)
    })
}

fn filler(text: &str, words: &Words) -> Option<(usize, String)> {
    let lower = text.to_lowercase();
    // Lower case may have another length; positions only give the line.
    let phrase = words.fillers.iter().find_map(|filler| Some((lower.find(filler)?, filler.clone())));
    let is_filler = |word: &str| {
        let crosses = (2..=12).contains(&word.len()) && word.bytes().all(|byte| byte.eq_ignore_ascii_case(&b'x'));
        crosses || words.filler_words.iter().any(|filler| filler == word)
    };
    let word = || tokens(text).find(|(_, word)| is_filler(word)).map(|(at, word)| (at, word.to_owned()));
    phrase.or_else(word).or_else(|| bracket(text, &words.filler_brackets))
}

/// `[namn]`, but not `[words](link)`, `[^1]` and `[[programme]]`.
fn bracket(text: &str, fillers: &[String]) -> Option<(usize, String)> {
    text.match_indices('[').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let (inside, after) = rest.split_at(rest.find([']', '\n'])?);
        let is_markdown = text[..at].ends_with(['[', '!', '\\'])
            || after.starts_with("](")
            || after.starts_with("][")
            || after.starts_with("]:")
            || after.starts_with("]]");
        let given = inside.trim().to_lowercase();
        let begins = |filler: &String| {
            given == *filler || given.strip_prefix(filler.as_str()).is_some_and(|rest| rest.starts_with([' ', ',']))
        };
        (after.starts_with(']') && !is_markdown && fillers.iter().any(begins)).then(|| (at, format!("[{inside}]")))
    })
}

/// Words that stand twice with nothing but space between them. Names ("Duran Duran") are meant so.
fn doubled<'t>(text: &'t str, allowed: &[String]) -> Vec<(usize, &'t str)> {
    let pieces: Vec<&str> = text.split(char::is_whitespace).filter(|piece| !piece.is_empty()).collect();
    let at = |piece: &str| piece.as_ptr() as usize - text.as_ptr() as usize;
    let is_word = |word: &str| word.chars().count() > 1 && word.chars().all(char::is_alphabetic);
    let twice = |pair: &[&'t str]| {
        let (first, second) = (
            pair[0].trim_start_matches(|c: char| !c.is_alphanumeric()),
            pair[1].trim_end_matches(|c: char| !c.is_alphanumeric()),
        );
        let same = is_word(first) && is_word(second) && first.to_lowercase() == second;
        // An empty line separates paragraphs.
        let apart = text[at(pair[0])..at(pair[1])].matches('\n').count() > 1;
        (same && !apart && !allowed.iter().any(|word| word == second)).then(|| (at(pair[1]), second))
    };
    pieces.windows(2).filter_map(twice).collect()
}

fn promised<'w>(text: &str, phrases: &'w [String]) -> Option<(usize, &'w str)> {
    let lower = text.to_lowercase();
    let is_whole = |at: usize, phrase: &str| {
        let (before, after) = (&lower[..at], &lower[at + phrase.len()..]);
        // "is attached to the wall" promises nothing.
        !before.ends_with(char::is_alphanumeric)
            && !after.starts_with(char::is_alphanumeric)
            && !after.starts_with(" to the")
    };
    phrases.iter().find_map(|phrase| {
        let mut all = lower.match_indices(phrase.as_str());
        all.find(|(at, _)| is_whole(*at, phrase)).map(|(at, _)| (at, phrase.as_str()))
    })
}

/// Addresses that begin with `http://`.
fn unencrypted(text: &str) -> Vec<(usize, &str)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ')' | '>' | '<' | '"' | '\u{201d}' | ']');
    let link = |(at, _): (usize, &str)| {
        let link = &text[at..];
        let link = &link[..link.find(ends).unwrap_or(link.len())];
        (at, link.trim_end_matches(['.', ',', ';', ':', '!', '?']))
    };
    text.match_indices("http://").map(link).collect()
}

/// A clock time at the beginning of a text: hour, minute, the sign between them, and its length.
fn clock(text: &str) -> Option<(u32, &str, char, usize)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = text[digits..].chars().next().filter(|c| [':', '.'].contains(c))?;
    let minute = text.get(digits + 1..digits + 3).filter(|minute| minute.bytes().all(|b| b.is_ascii_digit()))?;
    let hour: u32 = text[..digits].parse().ok()?;
    ((1..=2).contains(&digits) && hour <= 24 && minute < "60").then_some((hour, minute, sign, digits + 3))
}

/// Clock times in the wrong form, each with the right one: ranges with a hyphen, and in Swedish colons.
fn clock_forms(text: &str, swedish: bool) -> Vec<(usize, &str, String)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].find(|c: char| c.is_ascii_digit()) {
        let start = at + next;
        at = start + text[start..].bytes().take_while(u8::is_ascii_digit).count();
        let glued =
            text[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, ':' | '.' | '-' | '/' | '_' | ','));
        let Some((hour, minute, sign, length)) = clock(&text[start..]).filter(|_| !glued) else { continue };
        let after = text[start + length..].trim_start_matches([' ', '\u{a0}']);
        let dash = after.chars().next().filter(|c| ['-', '\u{2013}', '\u{2014}'].contains(c));
        let second = dash.and_then(|dash| {
            let rest = after[dash.len_utf8()..].trim_start_matches([' ', '\u{a0}']);
            let (hour, minute, sign, length) = clock(rest)?;
            let end = text.len() - rest.len() + length;
            (!continues(&text[end..])).then(|| (hour, minute.to_owned(), sign, end, dash))
        });
        let separator = if swedish { '.' } else { sign };
        match second {
            Some((end_hour, end_minute, end_sign, end, dash)) => {
                let colon = swedish && (sign == ':' || end_sign == ':');
                if colon || dash == '-' {
                    let better = format!("{hour}{separator}{minute}\u{2013}{end_hour}{separator}{end_minute}");
                    found.push((start, &text[start..end], better));
                }
                at = end;
            }
            None => {
                let before = text[..start].trim_end_matches([' ', '\u{a0}']).to_lowercase();
                let is_time = ["kl", "kl.", "klockan"].iter().any(|word| before.ends_with(word));
                let end = start + length;
                if swedish && sign == ':' && is_time && !continues(&text[end..]) {
                    found.push((start, &text[start..end], format!("{hour}.{minute}")));
                }
            }
        }
    }
    found
}

/// Whether a number goes on: "12:30:45", "2.10.1".
fn continues(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some(c) if c.is_alphanumeric() => true,
        Some(':' | '.' | ',') => chars.next().is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        toml::from_str(include_str!("words.toml")).unwrap()
    }

    #[test]
    fn fillers_are_found_and_other_words_and_brackets_are_none() {
        for (text, expected) in [
            ("XX procent av medlemmarna", "XX"),
            ("säger [namn], ordförande", "[namn]"),
            ("the [date of the event]", "[date of the event]"),
            ("Lorem ipsum dolor", "lorem ipsum"),
            ("Kontakt: NN, pressansvarig", "NN"),
            ("senast den xx mars", "xx"),
            ("Kostnad: ??? kronor", "???"),
        ] {
            assert_eq!(filler(text, &words()).map(|(_, filler)| filler).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "storlek XXL",
            "[länk](https://example.org)",
            "se [^1]",
            "[[program]]",
            "Påven Johannes XXIII",
            "namn och [sic] datum",
            "Vad? Ja!",
            "![namn](https://example.org/a.png)",
        ] {
            assert_eq!(filler(text, &words()), None, "{text}");
        }
    }

    #[test]
    fn doubled_words_are_found_and_meant_ones_are_none() {
        let found = |text| doubled(text, &words().doubled).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(found("Vi välkomnar att att beslutet"), ["att"]);
        assert_eq!(found("We welcome the\nthe decision. (And and so on.)"), ["the", "and"]);
        for text in
            ["Var var han?", "Duran Duran spelar", "ett, ett", "2 2", "att\n\natt", "hon sa det det året", "nu. nu"]
        {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn clock_times_are_found_as_newsrooms_do_not_write_them() {
        let found =
            |text, swedish| clock_forms(text, swedish).into_iter().map(|(_, _, better)| better).collect::<Vec<_>>();
        assert_eq!(found("kl. 09:30-16:00 i dag", true), ["9.30–16.00"]);
        assert_eq!(found("9.30 - 16.00", true), ["9.30–16.00"]);
        assert_eq!(found("kl. 12:15 och klockan 13:00", true), ["12.15", "13.00"]);
        assert_eq!(found("9:30-16:00", false), ["9:30–16:00"]);
        for text in [
            "kl. 9.30–16.00",
            "Joh 3:16",
            "2:45",
            "loppet tog 2:10:35",
            "kapitel 2.10-3.70",
            "1.10.1-2",
            "a9:30-10:00",
            "den 12.10-fråga",
        ] {
            assert_eq!(found(text, true), [""; 0], "{text}");
        }
        assert_eq!(found("9:30–16:00 at 10:15", false), [""; 0]);
    }

    #[test]
    fn promises_and_plain_addresses_are_found() {
        let phrases = words().attachments;
        assert_eq!(promised("Programmet bifogas.", &phrases).map(|p| p.1), Some("bifogas"));
        assert_eq!(promised("The programme is attached.", &phrases).map(|p| p.1), Some("is attached"));
        for text in ["A lamp is attached to the wall", "strings attached", "bifogasten"] {
            assert_eq!(promised(text, &phrases), None, "{text}");
        }
        assert_eq!(unencrypted("se [a](http://example.org/a), https://example.org"), [(7, "http://example.org/a")]);
    }
}
