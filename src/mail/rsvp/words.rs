//! Determines from a text whether a person will come, with words that are data (`words.toml`).
//!
//! The text is split into sentences and clauses; each clause is interpreted alone, and the results are combined. If
//! they contradict each other, or a clause needs a person's judgement, there is no result: a wrong "yes" costs a
//! seat, a wrong "no" a reporter, and an unclear one a minute of the press contact's time.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::sum::{Judged, Said, Sum};
use super::{Attendance, Doubt};

mod clauses;

use clauses::{Clause, ClauseKind, unwrapped};

/// Maximum number of clauses; a longer text is left to a person.
const MAX_CLAUSES: usize = 400;
/// Number of words of [`Lists::filler`] allowed between the words of a phrase.
const GAP: usize = 2;
/// Maximum distance of a verb from the "kommer" that it belongs to.
const FUTURE_REACH: usize = 5;

type Phrases = Vec<Vec<String>>;

/// The lists of `words.toml`, where their purpose is explained.
#[derive(Clone, Debug)]
pub(super) struct Words {
    filler: HashSet<String>,
    alone_yes: HashSet<String>,
    alone_no: HashSet<String>,
    alone_maybe: HashSet<String>,
    negation: HashSet<String>,
    future: HashSet<String>,
    future_verbs: HashSet<String>,
    but: HashSet<String>,
    and: HashSet<String>,
    relative: HashSet<String>,
    regret: HashSet<String>,
    abbreviations: HashSet<String>,
    phrases: BTreeMap<&'static str, Phrases>,
    rewrites: Vec<(Vec<String>, Vec<String>)>,
    pub(super) subjects: [(Attendance, Vec<String>); 3],
    pub(super) subject_automatic: Vec<String>,
    pub(super) closings: Vec<String>,
    pub(super) labels: BTreeMap<String, Vec<String>>,
    pub(super) functions: HashSet<String>,
    pub(super) numbers: BTreeMap<String, u32>,
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
    rewrites: BTreeMap<String, String>,
    numbers: BTreeMap<String, u32>,
}

impl Words {
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
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
            numbers: lists.numbers,
        })
    }

    /// Where a phrase of a list occurs: first word and the word after the last.
    fn find(&self, list: &str, words: &[String]) -> Option<(usize, usize)> {
        self.find_gap(list, words, GAP)
    }

    fn find_gap(&self, list: &str, words: &[String], gap: usize) -> Option<(usize, usize)> {
        let phrases = self.phrases.get(list)?;
        phrases.iter().find_map(|phrase| (0..words.len()).find_map(|at| Some((at, self.at(phrase, words, at, gap)?))))
    }

    fn begins(&self, list: &str, words: &[String]) -> bool {
        let phrases = self.phrases.get(list);
        phrases.is_some_and(|phrases| phrases.iter().any(|phrase| self.at(phrase, words, 0, 0).is_some()))
    }

    /// Where `phrase`, beginning at `at`, ends.
    fn at(&self, phrase: &[String], words: &[String], at: usize, gap: usize) -> Option<usize> {
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

    /// Whether it was written by a program that answers for an absent person.
    pub(super) fn is_automatic(&self, text: &str) -> bool {
        let words: Vec<String> = words_of(text).into_iter().take(500).collect();
        self.find_gap("automatic", &words, 0).is_some()
    }

    /// The meaning of a text, and whether it asks a question.
    pub(super) fn judge(&self, text: &str) -> Judged {
        let mut sum = Sum::default();
        let mut clauses_left = MAX_CLAUSES;
        for line in unwrapped(text) {
            for sentence in self.sentences(&line) {
                let clauses = self.clauses(sentence.text);
                if clauses.len() > clauses_left {
                    return Judged { said: Err(Doubt::TooLong), asks: true };
                }
                clauses_left -= clauses.len();
                self.sentence(&clauses, sentence.asks, &mut sum);
            }
        }
        Judged { said: sum.decide(), asks: sum.asks }
    }

    /// Adds the clauses of one sentence.
    fn sentence(&self, clauses: &[Clause], asks: bool, sum: &mut Sum) {
        let mut said: Vec<Said> = clauses.iter().map(|clause| self.clause(clause)).collect();
        sum.asks |= asks;
        for at in 0..clauses.len() {
            let next = clauses.get(at + 1);
            let conditioned = next.is_some_and(|next| next.kind == ClauseKind::Condition)
                || (at > 0 && clauses[at - 1].kind == ClauseKind::Condition);
            let about_coming = |clause: &Clause| self.coming(&clause.words).is_some();
            match said[at] {
                Said::Unsure if next.is_some_and(|next| next.kind == ClauseKind::Condition && about_coming(next)) => {
                    said[at] = Said::Maybe;
                }
                Said::Yes if clauses[at].relative && at > 0 && self.is_negated(&clauses[at - 1].words) => {
                    said[at] = Said::Doubt(Doubt::Weigh);
                }
                Said::Yes | Said::No | Said::Wish if conditioned => said[at] = Said::Doubt(Doubt::Condition),
                // "I'd love to come, but …": the rest decides.
                Said::Wish if clauses[at + 1..].iter().any(|clause| clause.after_but) => said[at] = Said::Nothing,
                _ => {}
            }
            if asks && said[at] != Said::Nothing {
                said[at] = Said::Asked;
            }
            sum.add(said[at]);
        }
    }

    /// The meaning of one clause.
    fn clause(&self, clause: &Clause) -> Said {
        let words = self.without_neutral(&clause.words);
        let words = words.as_slice();
        if clause.kind != ClauseKind::Main || words.is_empty() || self.find("elsewhere", words).is_some() {
            return Said::Nothing;
        }
        if self.begins("question", words) {
            let about = self.coming(words).is_some() || self.find("attend", words).is_some();
            return if about { Said::Asked } else { Said::Nothing };
        }
        let unsure = self.find("unsure", words).is_some();
        if let Some(said) = self.alone(words) {
            return if unsure { Said::Maybe } else { said };
        }
        let coming = self.coming(words);
        let hedged = self.find("hedge", words).is_some();
        if unsure {
            return if coming.is_some() { Said::Maybe } else { Said::Unsure };
        }
        if let Some((from, to)) = self.find("declines", words) {
            let mut rest = words.to_vec();
            rest.drain(from..to);
            return match (hedged, self.is_negated(&rest)) {
                (true, _) => Said::Maybe,
                (false, false) => Said::No,
                // "kan inte komma, har annat inbokat" without its comma, or "har inget förhinder": which one is it?
                (false, true) if self.coming(&rest).is_some() => Said::No,
                (false, true) => Said::Doubt(Doubt::Weigh),
            };
        }
        let weigh = self.find("doubt", words).is_some();
        match coming {
            Some(coming) => self.of_coming(words, coming, hedged, weigh),
            None if self.begins_negated(words) => Said::Doubt(Doubt::Weigh),
            None => Said::Nothing,
        }
    }

    /// The meaning of a clause about coming.
    fn of_coming(&self, words: &[String], coming: Coming, hedged: bool, weigh: bool) -> Said {
        let negated = self.is_negated(words);
        let regretted = words.iter().any(|word| self.regret.contains(word));
        if weigh {
            return Said::Doubt(Doubt::Weigh);
        }
        if hedged {
            return Said::Maybe;
        }
        match (coming, negated) {
            (Coming::Registers, true) => Said::Doubt(Doubt::Weigh),
            (_, true) => Said::No,
            _ if self.find("vain", words).is_some() => Said::Nothing,
            (Coming::Bare, false) if self.find("wish", words).is_none() => Said::Nothing,
            // "Tyvärr kommer jag …" without a "not": late, alone, without a camera?
            _ if regretted => Said::Doubt(Doubt::Weigh),
            _ if self.find("wish", words).is_some() => Said::Wish,
            _ => Said::Yes,
        }
    }

    /// Whether and how a clause is about coming, whatever it says.
    fn coming(&self, words: &[String]) -> Option<Coming> {
        let words = self.without_future(words);
        let words = words.as_slice();
        if self.find("registers", words).is_some() {
            return Some(Coming::Registers);
        }
        if self.find("attends", words).is_some() {
            return Some(Coming::Says);
        }
        let (at, _) = self.find("attend", words)?;
        let modal = self.find("modal", words).is_some();
        // "Kan inte komma" and "Kan komma" begin with their verb; "Komma i tid" says nothing.
        Some(if modal && at > 0 { Coming::Says } else { Coming::Bare })
    }

    /// "kommer … att sända", "kommer inte kunna": there `kommer` is a "will".
    fn without_future(&self, words: &[String]) -> Vec<String> {
        let mut out = words.to_vec();
        for at in 0..out.len() {
            if !self.future.contains(&out[at]) {
                continue;
            }
            let reach = &words[at + 1..words.len().min(at + 1 + FUTURE_REACH)];
            let verb = reach.iter().position(|word| self.future_verbs.contains(word));
            // "Jag kommer för att lyssna", "jag kommer med glädje och se": a word that is not a filler ends the
            // reach.
            let real = verb.is_some_and(|verb| {
                let between = &reach[..verb];
                between.last().is_none_or(|word| word != "för")
                    && between.iter().all(|w| self.filler.contains(w) || self.is_negation(w) || self.is_soft(w))
            });
            if real {
                out[at] = "ska".to_owned();
            }
        }
        out
    }

    fn is_soft(&self, word: &str) -> bool {
        let alone = [&self.alone_yes, &self.alone_no, &self.alone_maybe];
        alone.iter().any(|set| set.contains(word)) || word == "att" || word == "nog" || word == "troligen"
    }

    fn is_negation(&self, word: &str) -> bool {
        self.negation.contains(word)
    }

    fn is_negated(&self, words: &[String]) -> bool {
        words.iter().any(|word| self.is_negation(word)) || self.find_gap("negation", words, 0).is_some()
    }

    fn begins_negated(&self, words: &[String]) -> bool {
        words.first().is_some_and(|word| ["inte", "ej", "not", "utom", "except"].contains(&word.as_str()))
    }

    /// A clause of only words that need no verb: "Ja tack", "tyvärr inte", "kan inte den dagen", "kanske".
    fn alone(&self, words: &[String]) -> Option<Said> {
        let modals = ["kan", "can", "will", "could", "able"];
        let is = |word: &String, set: &HashSet<String>| set.contains(word);
        let small = words.iter().all(|word| {
            is(word, &self.filler)
                || is(word, &self.negation)
                || is(word, &self.regret)
                || [&self.alone_yes, &self.alone_no, &self.alone_maybe].iter().any(|set| is(word, set))
                || modals.contains(&word.as_str())
        });
        if !small || self.find("attends", words).is_some() || self.find("attend", words).is_some() {
            return None;
        }
        let any = |set: &HashSet<String>| words.iter().any(|word| is(word, set));
        let (yes, no) = (any(&self.alone_yes), any(&self.alone_no) || any(&self.negation));
        match (any(&self.alone_maybe), yes, no) {
            (true, _, _) => Some(Said::Maybe),
            (_, true, false) => Some(Said::WeakYes),
            (_, false, true) => Some(Said::WeakNo),
            (_, true, true) => Some(Said::Doubt(Doubt::Contradiction)),
            (_, false, false) => None,
        }
    }

    fn without_neutral(&self, words: &[String]) -> Vec<String> {
        let mut words = words.to_vec();
        for (from, to) in &self.rewrites {
            let found = (0..words.len()).find_map(|at| Some((at, self.at(from, &words, at, 0)?)));
            if let Some((begin, end)) = found {
                words.splice(begin..end, to.iter().cloned());
            }
        }
        while let Some((from, to)) = self.find_gap("neutral", &words, 0) {
            words.splice(from..to, ["*".to_owned()]);
        }
        words.into_iter().filter(|word| word != "*").collect()
    }
}

/// Words in lower case, with English contractions spelled out.
pub(super) fn words_of(text: &str) -> Vec<String> {
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

/// How a clause is about coming.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coming {
    /// With a verb for it.
    Says,
    /// By asking for a place.
    Registers,
    /// With a verb without "can" or "will".
    Bare,
}
