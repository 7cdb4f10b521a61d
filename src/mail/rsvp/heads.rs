//! How many people an answer is for: a number that it gives, or the person and those whom they bring.

use super::words::{Words, words_of};

/// Maximum number of people in one answer; a larger number means something else.
const MAX_PEOPLE: u32 = 500;
/// Maximum number of words that are read.
const MAX_WORDS: usize = 400;
/// Maximum number of words between an article or number and the companion it belongs to: "en av våra fotografer".
const REACH: usize = 4;
/// Words that deny a companion.
const NONE: [&str; 5] = ["ingen", "inga", "inte", "no", "not"];

/// The number of people, if stated: "vi blir tre", "2 personer", "party of two", "har med mig en fotograf".
pub(super) fn people(text: &str, words: &Words) -> Option<u32> {
    let all: Vec<String> = words_of(text).into_iter().take(MAX_WORDS).collect();
    // "Har med mig två personer" is three; "vi blir tre, har med mig en fotograf" is three, too.
    counted(&all, words).max(accompanied(&all, words))
}

/// A number of people.
pub(super) fn number(text: &str, words: &Words) -> Option<u32> {
    let first = words_of(text).into_iter().next()?;
    let count = words.numbers.get(&first).copied().or_else(|| first.parse().ok())?;
    (1..=MAX_PEOPLE).contains(&count).then_some(count)
}

/// A number that is said to be that of all: "vi blir tre", "party of two".
fn counted(all: &[String], words: &Words) -> Option<u32> {
    let at = |place: Option<usize>| place.and_then(|place| all.get(place)).map(String::as_str).unwrap_or_default();
    (0..all.len()).find_map(|place| {
        let count = number(&all[place], words)?;
        let (before, two, after) = (at(place.checked_sub(1)), at(place.checked_sub(2)), at(Some(place + 1)));
        let counted = ["personer", "person", "people", "persons", "deltagare", "attendees", "pers", "seats", "platser"];
        let said = counted.contains(&after)
            || (["blir", "är"].contains(&before) && two == "vi" && !["minuter", "timmar"].contains(&after))
            || (before == "be" && ["will", "ll"].contains(&two) && after != "minutes" && after != "there")
            || (before == "of" && ["party", "group"].contains(&two))
            || (after == "of" && at(Some(place + 2)) == "us")
            || (after == "från" && before == "kommer")
            || (after == "st");
        said.then_some(count)
    })
}

/// The person and those whom they bring: "tar med mig en kollega och två fotografer" is four.
fn accompanied(all: &[String], words: &Words) -> Option<u32> {
    let (from, mut at) = words.find_gap("brings", all, 0)?;
    // A question or a denial states nothing: "can I bring a photographer?", "jag är inte tillsammans med".
    let before = &all[from.saturating_sub(2)..from];
    let open = ["may", "can", "could", "inte", "not"];
    if before.iter().any(|word| open.contains(&word.as_str())) {
        return None;
    }
    let mut companions = 0;
    loop {
        let near = &all[at..(at + REACH).min(all.len())];
        let Some(place) = near.iter().position(|word| words.companions.contains(word)) else { break };
        let told = &near[..place];
        if told.iter().any(|word| NONE.contains(&word.as_str())) {
            break;
        }
        companions += told.iter().find_map(|word| number(word, words)).unwrap_or(1);
        at += place + 1;
        let goes_on = all.get(at).is_some_and(|word| ["och", "samt", "plus", "and"].contains(&word.as_str()));
        if !goes_on {
            break;
        }
        at += 1;
    }
    Some(companions + 1).filter(|people| (2..=MAX_PEOPLE).contains(people))
}
