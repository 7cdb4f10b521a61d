//! The rule that a person's name is spelt in one way: names in fields are compared with each other, and with the words in
//! capital letters of all texts.

use std::collections::BTreeSet;

use super::texts;
use super::{Finding, Subject};
use crate::model::release::{Person, Speaker};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let people = people(subject);
    let mut said = BTreeSet::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (key, name) in people {
        for other in names.iter().copied().filter(|other| similar(name, other)) {
            if said.insert([other.to_owned(), name.to_owned()]) {
                let values = [("name", other), ("other", name)];
                findings.push(subject.warning(("name-spelling", "two-ways"), key, &values));
            }
        }
        names.insert(name);
    }
    for written in texts::all(subject) {
        for (at, given) in capitalised(written.text) {
            for name in names.iter().copied() {
                let length = name.split_whitespace().count();
                let Some(words) = given.get(..length) else { continue };
                let found = words.join(" ");
                if names.contains(found.as_str()) || !similar(&found, name) {
                    continue;
                }
                if said.insert([name.to_owned(), found.clone()]) {
                    let values = [("name", name), ("other", found.as_str())];
                    let finding = subject.warning(("name-spelling", "two-ways"), written.key.clone(), &values);
                    findings.push(finding.at(written.line(subject, at)));
                }
            }
        }
    }
}

/// The people named in fields.
fn people<'a>(subject: &Subject<'a>) -> Vec<(&'static str, &'a str)> {
    let release = subject.release;
    let person = |key: &'static str| move |person: &'a Person| (key, person.name.as_str());
    let speaker = |key: &'static str| move |speaker: &'a Speaker| (key, speaker.name.as_str());
    let mut found: Vec<(&'static str, &str)> = Vec::new();
    found.extend(release.contacts.iter().map(|named| ("contacts", named.contact.name.as_str())));
    found.extend(release.bylines.iter().map(person("bylines")));
    let slots = release.programme.iter();
    found.extend(slots.clone().flat_map(|slot| &slot.people).map(person("programme")));
    found.extend(slots.flat_map(|slot| &slot.items).flat_map(|item| &item.people).map(person("programme")));
    found.extend(release.presentations.iter().flat_map(|one| &one.speakers).map(person("presentations")));
    found.extend(release.videos.iter().flat_map(|video| &video.people).map(person("videos")));
    found.extend(release.attachments.iter().flat_map(|file| &file.people).map(person("attachments")));
    found.extend(release.quotes.iter().map(|quote| &quote.speaker).map(speaker("quotes")));
    found.extend(release.pull_quote.iter().map(|quote| &quote.speaker).map(speaker("pull_quote")));
    found.retain(|(_, name)| name.split_whitespace().count() > 1);
    found
}

/// Each word with a capital letter, with its position, and the words with capital letters that follow it.
fn capitalised(text: &str) -> Vec<(usize, Vec<&str>)> {
    let pieces: Vec<&str> = text.split(char::is_whitespace).filter(|piece| !piece.is_empty()).collect();
    let trim = |piece: &'_ str| piece.len() - piece.trim_start_matches(|c: char| !c.is_alphanumeric()).len();
    let mut found = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let mut words = Vec::new();
        for piece in pieces.iter().skip(index).take(4) {
            let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.starts_with(char::is_uppercase) {
                break;
            }
            words.push(word);
            // A name does not go on after a comma or the end of a sentence.
            if piece.ends_with(|c: char| !c.is_alphanumeric()) {
                break;
            }
        }
        if !words.is_empty() {
            found.push((piece.as_ptr() as usize - text.as_ptr() as usize + trim(piece), words));
        }
    }
    found
}

/// Whether two names differ so little, in exactly one word, that they may be one person's.
fn similar(one: &str, other: &str) -> bool {
    let (one, other): (Vec<String>, Vec<String>) = (words(one), words(other));
    if one.len() != other.len() || one.len() < 2 {
        return false;
    }
    let differing: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
    let [(one, other)] = differing.as_slice() else { return false };
    // "Karin Eks" is Karin Ek's.
    let is_genitive = |long: &str, short: &str| long.strip_suffix('s') == Some(short);
    if is_genitive(one, other) || is_genitive(other, one) {
        return false;
    }
    let length = one.chars().count().min(other.chars().count());
    // Anna and Hanna are two names; Karin and Carin are one.
    let first = |word: &str| match word.chars().next() {
        Some('c' | 'k' | 'q') => Some('k'),
        Some('w') => Some('v'),
        first => first,
    };
    let distance = strsim::damerau_levenshtein(one, other);
    length >= 4 && first(one) == first(other) && distance <= if length >= 7 { 2 } else { 1 }
}

fn words(name: &str) -> Vec<String> {
    name.split_whitespace().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn one_name_in_two_spellings_is_told_from_two_names() {
        for (one, other) in [
            ("Karin Lindqvist", "Karin Lindkvist"),
            ("Carin Ek", "Karin Ek"),
            ("Erik Holm", "Eric Holm"),
            ("Anna Andersson", "Anna Anderson"),
            ("Eva Norén", "Eva Noren"),
        ] {
            assert!(similar(one, other), "{one}, {other}");
        }
        for (one, other) in [
            ("Anna Berg", "Hanna Berg"),
            ("Karin Ek", "Karin Eks"),
            ("Eva Ek", "Åsa Ek"),
            ("Karin Ek", "Karin Ek"),
            ("Johan Holm", "Johanna Holm"),
            ("Ek", "Eck"),
            ("Karin Lindqvist", "Carin Lindkvist"),
        ] {
            assert!(!similar(one, other), "{one}, {other}");
        }
    }
}
