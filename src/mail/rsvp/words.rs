//! Determines from a text whether a person will come, with words that are data (`words.toml`).
//!
//! The text is split into sentences and clauses; each clause is interpreted alone, and the results are combined. If
//! they contradict each other, or a clause needs a person's judgement, there is no result: a wrong "yes" costs a
//! seat, a wrong "no" a reporter, and an unclear one a minute of the press contact's time.

use std::collections::HashSet;

use super::sum::{Judged, Said, Sum};
use super::{Attendance, Doubt};

mod clauses;
mod lists;

use clauses::{Clause, ClauseKind, unwrapped};
pub(super) use lists::{Words, words_of};

/// Maximum number of clauses; a longer text is left to a person.
const MAX_CLAUSES: usize = 400;
/// Maximum distance of a verb from the "kommer" that it belongs to.
const FUTURE_REACH: usize = 5;

impl Words {
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
