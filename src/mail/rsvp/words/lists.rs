//! The lists of `words.toml`, and finding their phrases in a text.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::Attendance;

/// Number of words of [`Lists::filler`] allowed between the words of a phrase.
const GAP: usize = 2;

type Phrases = Vec<Vec<String>>;

/// The lists of `words.toml`, where their purpose is explained.
#[derive(Clone, Debug)]
pub(in crate::mail::rsvp) struct Words {
    pub(in crate::mail::rsvp) filler: HashSet<String>,
    pub(in crate::mail::rsvp) alone_yes: HashSet<String>,
    pub(in crate::mail::rsvp) alone_no: HashSet<String>,
    pub(in crate::mail::rsvp) alone_maybe: HashSet<String>,
    pub(in crate::mail::rsvp) negation: HashSet<String>,
    pub(in crate::mail::rsvp) future: HashSet<String>,
    pub(in crate::mail::rsvp) future_verbs: HashSet<String>,
    pub(in crate::mail::rsvp) but: HashSet<String>,
    pub(in crate::mail::rsvp) and: HashSet<String>,
    pub(in crate::mail::rsvp) relative: HashSet<String>,
    pub(in crate::mail::rsvp) regret: HashSet<String>,
    pub(in crate::mail::rsvp) abbreviations: HashSet<String>,
    pub(in crate::mail::rsvp) phrases: BTreeMap<&'static str, Phrases>,
    pub(in crate::mail::rsvp) rewrites: Vec<(Vec<String>, Vec<String>)>,
    pub(in crate::mail::rsvp) subjects: [(Attendance, Vec<String>); 3],
    pub(in crate::mail::rsvp) subject_automatic: Vec<String>,
    pub(in crate::mail::rsvp) closings: Vec<String>,
    pub(in crate::mail::rsvp) labels: BTreeMap<String, Vec<String>>,
    pub(in crate::mail::rsvp) functions: HashSet<String>,
    pub(in crate::mail::rsvp) companions: HashSet<String>,
    pub(in crate::mail::rsvp) numbers: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    filler: Vec<String>,
    alone_yes: Vec<String>,
    alone_no: Vec<String>,
    alone_maybe: Vec<String>,
    attends: Vec<String>,
    registers: Vec<String>,
    attend: Vec<String>,
    modal: Vec<String>,
    future: Vec<String>,
    future_verbs: Vec<String>,
    declines: Vec<String>,
    negation: Vec<String>,
    negation_phrases: Vec<String>,
    regret: Vec<String>,
    hedge: Vec<String>,
    unsure: Vec<String>,
    wish: Vec<String>,
    vain: Vec<String>,
    but: Vec<String>,
    and: Vec<String>,
    relative: Vec<String>,
    condition: Vec<String>,
    subordinate: Vec<String>,
    elsewhere: Vec<String>,
    doubt: Vec<String>,
    neutral: Vec<String>,
    question: Vec<String>,
    abbreviations: Vec<String>,
    closings: Vec<String>,
    subject_yes: Vec<String>,
    subject_no: Vec<String>,
    subject_maybe: Vec<String>,
    subject_automatic: Vec<String>,
    automatic: Vec<String>,
    labels: BTreeMap<String, Vec<String>>,
    functions: Vec<String>,
    brings: Vec<String>,
    companions: Vec<String>,
    rewrites: BTreeMap<String, String>,
    numbers: BTreeMap<String, u32>,
}

impl Words {
    pub(in crate::mail::rsvp) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let lists: Lists = toml::from_str(text)?;
        let set = |words: Vec<String>| words.into_iter().collect::<HashSet<String>>();
        let cut_one = |phrase: &String| phrase.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let cut = |phrases: Vec<String>| -> Phrases { phrases.iter().map(cut_one).collect() };
        let phrases = [
            ("attends", lists.attends),
            ("registers", lists.registers),
            ("attend", lists.attend),
            ("modal", lists.modal),
            ("declines", lists.declines),
            ("negation", lists.negation_phrases),
            ("hedge", lists.hedge),
            ("unsure", lists.unsure),
            ("wish", lists.wish),
            ("vain", lists.vain),
            ("condition", lists.condition),
            ("subordinate", lists.subordinate),
            ("elsewhere", lists.elsewhere),
            ("doubt", lists.doubt),
            ("neutral", lists.neutral),
            ("question", lists.question),
            ("automatic", lists.automatic),
            ("brings", lists.brings),
        ];
        Ok(Self {
            filler: set(lists.filler),
            alone_yes: set(lists.alone_yes),
            alone_no: set(lists.alone_no),
            alone_maybe: set(lists.alone_maybe),
            negation: set(lists.negation),
            future: set(lists.future),
            future_verbs: set(lists.future_verbs),
            but: set(lists.but),
            and: set(lists.and),
            relative: set(lists.relative),
            regret: set(lists.regret),
            abbreviations: set(lists.abbreviations),
            rewrites: lists.rewrites.iter().map(|(from, to)| (cut_one(from), cut_one(to))).collect(),
            phrases: phrases.into_iter().map(|(name, list)| (name, cut(list))).collect(),
            subjects: [
                (Attendance::Yes, lists.subject_yes),
                (Attendance::No, lists.subject_no),
                (Attendance::Maybe, lists.subject_maybe),
            ],
            subject_automatic: lists.subject_automatic,
            closings: lists.closings,
            labels: lists.labels,
            functions: set(lists.functions),
            companions: set(lists.companions),
            numbers: lists.numbers,
        })
    }

    /// Where a phrase of a list occurs: first word and the word after the last.
    pub(super) fn find(&self, list: &str, words: &[String]) -> Option<(usize, usize)> {
        self.find_gap(list, words, GAP)
    }

    pub(in crate::mail::rsvp) fn find_gap(&self, list: &str, words: &[String], gap: usize) -> Option<(usize, usize)> {
        let phrases = self.phrases.get(list)?;
        phrases.iter().find_map(|phrase| (0..words.len()).find_map(|at| Some((at, self.at(phrase, words, at, gap)?))))
    }

    pub(super) fn begins(&self, list: &str, words: &[String]) -> bool {
        let phrases = self.phrases.get(list);
        phrases.is_some_and(|phrases| phrases.iter().any(|phrase| self.at(phrase, words, 0, 0).is_some()))
    }

    /// Where `phrase`, beginning at `at`, ends.
    pub(super) fn at(&self, phrase: &[String], words: &[String], at: usize, gap: usize) -> Option<usize> {
        let mut at = at;
        for (place, wanted) in phrase.iter().enumerate() {
            let mut skipped = 0;
            while words.get(at)? != wanted {
                if place == 0 || skipped == gap || !self.filler.contains(&words[at]) {
                    return None;
                }
                (at, skipped) = (at + 1, skipped + 1);
            }
            at += 1;
        }
        Some(at)
    }
}

/// Words in lower case, with English contractions spelled out.
pub(in crate::mail::rsvp) fn words_of(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace(['\u{2019}', '\u{2018}', '`', '´'], "'");
    let mut out = Vec::new();
    for word in lower.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        let word = word.trim_matches('\'');
        let stem = |ending: &str| word.strip_suffix(ending).filter(|stem| !stem.is_empty());
        let pair = match word {
            "" => continue,
            "cannot" | "can't" | "cant" => Some(("can", "not")),
            "won't" | "wont" => Some(("will", "not")),
            "shan't" => Some(("shall", "not")),
            "dont" => Some(("do", "not")),
            "doesnt" => Some(("does", "not")),
            "couldnt" => Some(("could", "not")),
            "im" => Some(("i", "am")),
            _ => [("n't", "not"), ("'ll", "will"), ("'d", "would"), ("'m", "am"), ("'re", "are"), ("'ve", "have")]
                .into_iter()
                .find_map(|(ending, full)| Some((stem(ending)?, full))),
        };
        match pair {
            Some((one, two)) => out.extend([one.to_owned(), two.to_owned()]),
            None => out.push(word.to_owned()),
        }
    }
    out
}
