//! Detects that nearly all answers are temporary refusals: each alone is simply retried, but together they are a
//! problem.

use crate::base::clock::Timestamp;

/// Number of answers remembered.
const REMEMBERED: u32 = 64;
/// Minimum number of answers for a report.
const ENOUGH: u32 = 20;

/// Nearly all answers are temporary refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// Since when.
    pub since: Timestamp,
    /// Number of refusals among the last answers.
    pub refusals: u32,
    /// Number of last answers: at most 64.
    pub answers: u32,
    /// The last refusal, without addresses.
    pub example: String,
}

/// The last answers to messages.
#[derive(Debug, Default)]
pub(super) struct LastAnswers {
    /// One bit for each, the last one lowest: whether it was a temporary refusal.
    bits: u64,
    answers: u32,
    since: Option<Timestamp>,
    example: String,
}

impl LastAnswers {
    /// Counts an answer; `refusal` is its text if it was a temporary refusal.
    pub(crate) fn add(&mut self, now: Timestamp, refusal: Option<&str>) {
        self.bits = self.bits << 1 | u64::from(refusal.is_some());
        self.answers = (self.answers + 1).min(REMEMBERED);
        match refusal {
            Some(words) => {
                let words = words.split(' ').map(|word| if word.contains('@') { "(address)" } else { word });
                self.example = words.collect::<Vec<&str>>().join(" ");
                self.since.get_or_insert(now);
            }
            None if !self.is_nearly_all() => self.since = None,
            None => {}
        }
    }

    fn is_nearly_all(&self) -> bool {
        self.answers >= ENOUGH && self.bits.count_ones() * 10 >= self.answers * 9
    }

    /// The report, if nearly all answers are temporary refusals.
    pub(crate) fn trouble(&self) -> Option<PutOff> {
        let since = self.since.filter(|_| self.is_nearly_all())?;
        let (refusals, answers) = (self.bits.count_ones(), self.answers);
        Some(PutOff { since, refusals, answers, example: self.example.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_of_the_last_answers_are_trouble_until_something_is_taken() {
        let at = |seconds: i64| chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let mut last = LastAnswers::default();
        for second in 0..19 {
            last.add(at(second), Some("451 4.3.0 <a@example.org> no"));
            assert_eq!(last.trouble(), None);
        }
        last.add(at(19), Some("451 4.3.0 <a@example.org> no"));
        let example = "451 4.3.0 (address) no".to_owned();
        assert_eq!(last.trouble(), Some(PutOff { since: at(0), refusals: 20, answers: 20, example }));
        last.add(at(20), None);
        last.add(at(21), None);
        assert!(last.trouble().is_some(), "20 of 22");
        last.add(at(22), None);
        assert_eq!(last.trouble(), None);
        for second in 0..1000 {
            last.add(at(second), (second % 2 == 0).then_some("451 no"));
            assert_eq!(last.trouble(), None, "half");
        }
    }
}
