//! Counts of recent answers, in a sliding window of ten parts.

use std::collections::VecDeque;

use crate::model::classify::Class;

use super::BreakerSettings;

/// Number of parts of the window: the oldest part is forgotten as a whole.
pub(super) const PARTS: i64 = 10;
/// Maximum number of different reasons in the evidence.
const EXAMPLES: usize = 3;

/// Counts of recent answers.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: VecDeque<Part>,
    /// The latest refusal of each reason.
    examples: VecDeque<(String, String)>,
}

#[derive(Debug)]
struct Part {
    number: i64,
    answers: u32,
    blaming: u32,
}

impl Window {
    pub(crate) fn add(&mut self, number: i64, blaming: bool) {
        // After a clock was set back by more than the window, the counts are not recent.
        if self.parts.back().is_some_and(|last| last.number >= number + PARTS) {
            self.parts.clear();
        }
        while self.parts.front().is_some_and(|first| first.number <= number - PARTS) {
            self.parts.pop_front();
        }
        let blaming = u32::from(blaming);
        match self.parts.back_mut() {
            // After a clock was set back, answers count in the latest part.
            Some(last) if last.number >= number => {
                last.answers += 1;
                last.blaming += blaming;
            }
            _ => self.parts.push_back(Part { number, answers: 1, blaming }),
        }
    }

    /// The number of answers in the window, and of those that blame.
    pub(crate) fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(|part| u64::from(of(part))).sum();
        (sum(|part| part.answers), sum(|part| part.blaming))
    }

    /// The number of the latest part.
    pub(crate) fn last(&self) -> Option<i64> {
        self.parts.back().map(|last| last.number)
    }

    pub(crate) fn blame(&mut self, part: i64, why: &str, example: &str) {
        self.add(part, true);
        self.examples.retain(|(known, _)| known != why);
        self.examples.push_back((why.to_owned(), example.to_owned()));
        if self.examples.len() > EXAMPLES {
            self.examples.pop_front();
        }
    }

    /// The evidence, if it suffices to open the breaker; the window is then cleared, so that a person who resumes
    /// after seeing it is stopped again only by the same amount of new evidence.
    pub(crate) fn open(&mut self, settings: &BreakerSettings, class: Class) -> Option<String> {
        let answers: u32 = self.parts.iter().map(|part| part.answers).sum();
        let blaming: u32 = self.parts.iter().map(|part| part.blaming).sum();
        if blaming < settings.refusals.max(1) || f64::from(blaming) < settings.share * f64::from(answers) {
            return None;
        }
        let whom = if class == Class::Content { "the message" } else { "the sender" };
        let minutes = (settings.window.num_seconds() + 59) / 60;
        let mut evidence = format!("{blaming} of {answers} answers in {minutes} min blame {whom}");
        for (why, example) in self.examples.iter().rev() {
            evidence.push_str(&format!("; {why} ({example})"));
        }
        *self = Self::default();
        Some(evidence)
    }
}
