//! The circuit breakers: when receivers blame the sender or the content, going on only does harm. A breaker for a
//! recipient's domain lets that domain rest; the breaker of a mailing pauses it and tells the press office why. They
//! open as well when so many messages are refused for good that it cannot be true (`doubt`). What was refused by then is
//! taken back: it is deferred and counts against no recipient.
//!
//! Answers are counted in a sliding window of ten parts. A domain is watched from its first refusal of this sort on.
//!
//! All instants here count the time that passed ([`crate::base::clock::Clock::steady`]), so that no clock jump empties a
//! window or ends a rest; only [`Breakers::answered`] takes the time of day, which it shows.

use std::collections::{HashMap, VecDeque};

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;

use super::classify::{Class, Classified};
use super::ledger::Stage;
use super::reply::Reply;

mod doubt;
mod put_off;

use doubt::FaultWindow;
pub use doubt::{AddressFaults, Doubted, Expected};
use put_off::LastAnswers;
pub use put_off::PutOff;

/// Into how many parts the window is cut: the oldest part is forgotten at once.
const PARTS: i64 = 10;
/// Watched domains above which those with nothing recent are forgotten.
const MANY_DOMAINS: usize = 1000;
/// How many different reasons the evidence shows.
const EXAMPLES: usize = 3;

/// When a breaker opens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// At least so many refusals in the window must blame the sender or the content: 20.
    pub refusals: u32,
    /// They must be at least this part of all answers in the window: 0.2.
    pub share: f64,
    /// How far back answers count: 10 minutes.
    pub window: Duration,
    /// How long a domain is left alone: 30 minutes.
    pub rest: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { refusals: 20, share: 0.2, window: Duration::minutes(10), rest: Duration::minutes(30) }
    }
}

/// What a breaker does when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The domain is left alone until then, if its breaker opened.
    pub domain_rests_until: Option<Timestamp>,
    /// Why the mailing must pause, if its breaker opened: for the press office to read.
    pub mailing_pauses: Option<String>,
    /// What is taken back.
    pub doubted: Doubted,
}

/// A domain that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Until then.
    pub until: Timestamp,
    /// What it said, and to how many.
    pub evidence: String,
}

/// Whether a refusal for good is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It is.
    Believed,
    /// Not before it was said twice: too many were refused in a row.
    Twice,
    /// Not, and it is not to be tried again before this instant.
    Doubted(Timestamp),
}

/// All breakers of the daemon.
#[derive(Debug)]
pub struct Breakers {
    settings: BreakerSettings,
    mailings: HashMap<MailingId, Window>,
    domains: HashMap<String, Domain>,
    /// What all receivers together refuse for good, i.e. perhaps the relay.
    faults: FaultWindow,
    /// The same of one mailing's messages.
    mailing_faults: HashMap<MailingId, FaultWindow>,
    /// The same by the receivers of each domain, from its first refusal on.
    domain_faults: HashMap<String, FaultWindow>,
    last: LastAnswers,
}

impl Default for Breakers {
    fn default() -> Self {
        Self::new(BreakerSettings::default())
    }
}

#[derive(Debug, Default)]
struct Domain {
    window: Window,
    rest: Option<Rest>,
}

/// Counts of the latest answers.
#[derive(Debug, Default)]
struct Window {
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

impl Breakers {
    /// Breakers that are all closed.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            mailings: HashMap::new(),
            domains: HashMap::new(),
            faults: FaultWindow::new(Expected::UNKNOWN),
            mailing_faults: HashMap::new(),
            domain_faults: HashMap::new(),
            last: LastAnswers::default(),
        }
    }

    /// A mailing begins, or goes on after a person has seen why it was stopped.
    pub fn begin(&mut self, mailing: MailingId, expected: Expected) {
        self.mailings.remove(&mailing);
        let faults = self.mailing_faults.entry(mailing).or_insert_with(|| FaultWindow::new(expected));
        if faults.is_stopped() {
            self.faults.seen(Expected::UNKNOWN);
            self.domain_faults.values_mut().for_each(FaultWindow::needs_more);
        }
        faults.seen(expected);
    }

    /// Counts an answer that blames nobody here: accepted, or refused for now or for another reason.
    pub fn count(&mut self, now: Timestamp, mailing: MailingId, domain: &str) {
        let part = self.part(now);
        self.mailings.entry(mailing).or_default().add(part, false);
        if let Some(domain) = self.domains.get_mut(domain) {
            domain.window.add(part, false);
        }
        self.faults.add(part, domain);
        if let Some(faults) = self.mailing_faults.get_mut(&mailing) {
            faults.add(part, domain);
        }
        if let Some(faults) = self.domain_faults.get_mut(domain) {
            faults.add(part, domain);
        }
    }

    /// Counts an answer to a message among the last ones; with its words where it is a temporary refusal that does not ask us to
    /// slow down.
    pub fn answered(&mut self, now: Timestamp, refusal: Option<&str>) {
        self.last.add(now, refusal);
    }

    /// That nearly all answers are temporary refusals, if they are.
    pub fn put_off(&self) -> Option<PutOff> {
        self.last.trouble()
    }

    /// Whether a refusal for good is believed; if not, the delivery has not failed and it counts against no subscriber.
    pub fn belief(&self, now: Timestamp, mailing: MailingId, domain: &str) -> Belief {
        let of_mailing = self.mailing_faults.get(&mailing);
        let doubted = |faults: &FaultWindow| faults.doubted(now);
        let windows = [of_mailing, Some(&self.faults), self.domain_faults.get(domain)];
        let mut windows = windows.into_iter().flatten();
        // A mailing that was stopped is tried again as soon as it goes on.
        if of_mailing.is_some_and(|faults| doubted(faults).is_some()) {
            return Belief::Doubted(now);
        }
        match windows.clone().find_map(doubted) {
            Some(until) => Belief::Doubted(until),
            None if windows.any(FaultWindow::is_suspicious) => Belief::Twice,
            None => Belief::Believed,
        }
    }

    /// Counts a message that was refused for good, or cannot be sent over this relay; `Some` when that cannot be true.
    /// `example` says which.
    pub fn refused_for_good(
        &mut self,
        now: Timestamp,
        mailing: MailingId,
        domain: &str,
        (class, example): (Class, &str),
    ) -> Option<Opened> {
        let (part, settings) = (self.part(now), self.settings);
        self.forget_quiet_domains(now, part);
        self.mailings.entry(mailing).or_default().add(part, false);
        if let Some(domain) = self.domains.get_mut(domain) {
            domain.window.add(part, false);
        }
        let of_mailing = self.mailing_faults.entry(mailing).or_insert_with(|| FaultWindow::new(Expected::UNKNOWN));
        let of_domain = self.domain_faults.entry(domain.to_owned()).or_insert_with(FaultWindow::of_domain);
        let here = of_domain.fault(part, domain, mailing);
        let of_one = of_mailing.fault(part, domain, mailing);
        let everywhere = self.faults.fault(part, domain, mailing).or(of_one);
        let of_one_domain = self.faults.is_of_one_domain() || of_mailing.is_of_one_domain();
        let (until, evidence) = (now + settings.rest, |found: &AddressFaults| words(found, class, example));
        // What was said shortly before a restart is taken back, too.
        let since = now - settings.window * 3;
        if let Some(found) = everywhere.filter(|_| !of_one_domain) {
            let mut mailings = self.faults.begin_anew();
            mailings.extend(of_mailing.begin_anew());
            mailings.sort();
            mailings.dedup();
            of_domain.begin_anew();
            self.faults.doubt(until);
            for mailing in &mailings {
                let faults = self.mailing_faults.entry(*mailing);
                faults.or_insert_with(|| FaultWindow::new(Expected::UNKNOWN)).doubt(until);
            }
            let evidence = evidence(&found);
            let doubted = Doubted { mailings, domain: None, since, until: now, evidence: evidence.clone() };
            return Some(Opened { domain_rests_until: None, mailing_pauses: Some(evidence), doubted });
        }
        let found = here.or(everywhere)?;
        let mailings = of_domain.begin_anew();
        of_mailing.begin_anew();
        self.faults.begin_anew();
        of_domain.doubt(until);
        let evidence = evidence(&found);
        let rest = Rest { until, evidence: evidence.clone() };
        self.domains.entry(domain.to_owned()).or_default().rest = Some(rest);
        let doubted = Doubted { mailings, domain: Some(domain.to_owned()), since, until, evidence };
        Some(Opened { domain_rests_until: Some(until), mailing_pauses: None, doubted })
    }

    /// Counts a refusal; `Some` when a breaker opens by it. A refusal that does not blame us is counted as such.
    pub fn refused(
        &mut self,
        now: Timestamp,
        mailing: MailingId,
        domain: &str,
        (stage, reply): (Stage, &Reply),
        classified: &Classified,
    ) -> Option<Opened> {
        let example = format!("{domain}, to {}: {reply}", stage.word());
        if !classified.class.blames_us() && stage.is_final(reply) {
            return self.refused_for_good(now, mailing, domain, (classified.class, &example));
        }
        // Who asks us to slow down blames us for no more than that.
        if !classified.class.blames_us() || classified.slow && !stage.is_final(reply) {
            self.count(now, mailing, domain);
            return None;
        }
        let part = self.part(now);
        let settings = self.settings;
        self.forget_quiet_domains(now, part);
        let window = self.mailings.entry(mailing).or_default();
        window.blame(part, &classified.why, &example);
        let mailing_pauses = window.open(&settings, classified.class);
        let watched = self.domains.entry(domain.to_owned()).or_default();
        watched.window.blame(part, &classified.why, &example);
        let rest = watched.window.open(&settings, classified.class);
        let rest = rest.map(|evidence| Rest { until: now + settings.rest, evidence });
        let domain_rests_until = rest.as_ref().map(|rest| rest.until);
        let since = now - settings.window * 3;
        let (place, until, evidence) = match (&mailing_pauses, &rest) {
            (Some(evidence), _) => (None, now, evidence.clone()),
            (None, Some(rest)) => (Some(domain.to_owned()), rest.until, rest.evidence.clone()),
            (None, None) => return None,
        };
        watched.rest = rest.or(watched.rest.take());
        // What is under way at this moment is not believed either.
        let doubted_until = now + settings.rest;
        match &place {
            None => {
                let faults = self.mailing_faults.entry(mailing);
                faults.or_insert_with(|| FaultWindow::new(Expected::UNKNOWN)).doubt(doubted_until);
            }
            Some(domain) => {
                let faults = self.domain_faults.entry(domain.clone());
                faults.or_insert_with(FaultWindow::of_domain).doubt(doubted_until);
            }
        }
        let doubted = Doubted { mailings: vec![mailing], domain: place, since, until, evidence };
        Some(Opened { domain_rests_until, mailing_pauses, doubted })
    }

    /// Whether `domain` is left alone now: then deliveries to it are deferred until its rest ends, and that is no
    /// attempt.
    pub fn rest(&self, now: Timestamp, domain: &str) -> Option<&Rest> {
        let rests = |rest: &&Rest| now < rest.until;
        self.domains.get(domain)?.rest.as_ref().filter(rests)
    }

    /// All domains that are left alone now, in order of their names.
    pub fn resting(&self, now: Timestamp) -> Vec<(String, Rest)> {
        let rests = self.domains.keys().filter_map(|domain| Some((domain.clone(), self.rest(now, domain)?.clone())));
        let mut rests: Vec<(String, Rest)> = rests.collect();
        rests.sort_by(|a, b| a.0.cmp(&b.0));
        rests
    }

    /// Forgets a mailing that has ended.
    pub fn forget(&mut self, mailing: MailingId) {
        self.mailings.remove(&mailing);
        self.mailing_faults.remove(&mailing);
    }

    fn part(&self, now: Timestamp) -> i64 {
        let length = (self.settings.window.num_milliseconds() / PARTS).max(1);
        now.timestamp_millis().div_euclid(length)
    }

    fn forget_quiet_domains(&mut self, now: Timestamp, part: i64) {
        if self.domain_faults.len() >= MANY_DOMAINS {
            self.domain_faults.retain(|_, faults| !faults.is_quiet(now, part - PARTS));
        }
        if self.domains.len() < MANY_DOMAINS {
            return;
        }
        self.domains.retain(|_, domain| {
            domain.window.parts.back().is_some_and(|last| last.number > part - PARTS)
                || domain.rest.as_ref().is_some_and(|rest| now < rest.until)
        });
    }
}

/// What cannot be true, for people.
fn words(found: &AddressFaults, class: Class, example: &str) -> String {
    // The reply names a recipient, and this is shown where no address may stand.
    let example: Vec<&str> =
        example.split(' ').map(|word| if word.contains('@') { "(address)" } else { word }).collect();
    let (faults, answers, example) = (found.faults, found.answers, example.join(" "));
    match class {
        Class::Address => format!(
            "{faults} of {answers} recipients are said not to exist, which cannot be true; it counts against none of them \
             ({example})"
        ),
        _ => format!(
            "{faults} of {answers} messages were refused for good, which cannot be true; they are tried again ({example})"
        ),
    }
}

impl Window {
    fn add(&mut self, number: i64, blaming: bool) {
        // A clock that was set back by more than the window knows nothing of what is recent.
        if self.parts.back().is_some_and(|last| last.number >= number + PARTS) {
            self.parts.clear();
        }
        while self.parts.front().is_some_and(|first| first.number <= number - PARTS) {
            self.parts.pop_front();
        }
        let blaming = u32::from(blaming);
        match self.parts.back_mut() {
            // A clock that was set back counts into the latest part.
            Some(last) if last.number >= number => {
                last.answers += 1;
                last.blaming += blaming;
            }
            _ => self.parts.push_back(Part { number, answers: 1, blaming }),
        }
    }

    /// All answers in the window, and those that blame.
    fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(|part| u64::from(of(part))).sum();
        (sum(|part| part.answers), sum(|part| part.blaming))
    }

    /// The number of the latest part.
    fn last(&self) -> Option<i64> {
        self.parts.back().map(|last| last.number)
    }

    fn blame(&mut self, part: i64, why: &str, example: &str) {
        self.add(part, true);
        self.examples.retain(|(known, _)| known != why);
        self.examples.push_back((why.to_owned(), example.to_owned()));
        if self.examples.len() > EXAMPLES {
            self.examples.pop_front();
        }
    }

    /// The evidence, if there is enough of it; the window then begins anew, so that whoever goes on after looking at
    /// it is stopped only by as much again.
    fn open(&mut self, settings: &BreakerSettings, class: Class) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::classify::Counts;

    const MAILING: MailingId = MailingId(1);

    fn at(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn refuse(breakers: &mut Breakers, seconds: i64, domain: &str, class: Class) -> Option<Opened> {
        refuse_with(breakers, seconds, domain, (550, class))
    }

    fn refuse_with(breakers: &mut Breakers, seconds: i64, domain: &str, (code, class): (u16, Class)) -> Option<Opened> {
        let reply = Reply::new(code, "5.7.26 SPF did not pass");
        let why = "SPF, DKIM or DMARC did not pass".to_owned();
        let classified = Classified { class, why, counts: Counts::Never, slow: false };
        breakers.refused(at(seconds), MAILING, domain, (Stage::Message, &reply), &classified)
    }

    #[test]
    fn a_mailing_pauses_when_enough_blame_it() {
        let mut breakers = Breakers::default();
        for number in 0..19 {
            assert_eq!(refuse(&mut breakers, number, &format!("d{number}.example"), Class::Policy), None);
        }
        let opened = refuse(&mut breakers, 19, "d19.example", Class::Policy).unwrap();
        assert_eq!(opened.domain_rests_until, None);
        let evidence = opened.mailing_pauses.unwrap();
        assert!(evidence.starts_with("20 of 20 answers in 10 min blame the sender; SPF"), "{evidence}");
        assert!(evidence.contains("d19.example, to message: 550 5.7.26 SPF did not pass"), "{evidence}");
        assert_eq!(refuse(&mut breakers, 20, "d20.example", Class::Policy), None, "it begins anew");
    }

    #[test]
    fn few_among_many_do_not_pause_a_mailing_but_let_their_domain_rest() {
        let mut breakers = Breakers::default();
        for second in 0..20 {
            for _ in 0..10 {
                breakers.count(at(second), MAILING, "other.example");
            }
            let opened = refuse(&mut breakers, second, "strict.example", Class::Policy);
            assert_eq!(opened.is_some(), second == 19);
            if let Some(opened) = opened {
                assert_eq!((opened.domain_rests_until, opened.mailing_pauses), (Some(at(19 + 1800)), None));
                assert_eq!(opened.doubted.domain.as_deref(), Some("strict.example"));
            }
        }
        assert!(breakers.rest(at(100), "strict.example").unwrap().evidence.contains("20 of 20"));
        assert_eq!(breakers.rest(at(100), "other.example"), None);
        assert_eq!(breakers.resting(at(100)).len(), 1);
        assert_eq!(breakers.resting(at(19 + 1800)), [], "its rest is over");
        assert_eq!(breakers.rest(at(19 + 1800), "strict.example"), None, "its rest is over");
    }

    #[test]
    fn refusals_for_now_that_blame_a_mailbox_or_a_machine_open_nothing() {
        let mut breakers = Breakers::default();
        for class in [Class::Mailbox, Class::Network, Class::Other] {
            for second in 0..100 {
                assert_eq!(refuse_with(&mut breakers, second, "example.org", (450, class)), None);
            }
        }
    }

    #[test]
    fn whatever_is_refused_for_good_to_all_cannot_be_true() {
        for class in [Class::Mailbox, Class::Network, Class::Other] {
            let mut breakers = Breakers::default();
            for second in 0..12 {
                assert_eq!(refuse(&mut breakers, second, "example.org", class), None);
            }
            let opened = refuse(&mut breakers, 12, "example.org", class).unwrap();
            assert!(opened.mailing_pauses.unwrap().starts_with("13 of 13 messages were refused for good"));
            assert_eq!(breakers.belief(at(13), MAILING, "example.org"), Belief::Doubted(at(13)));
            let other = breakers.belief(at(13), MailingId(2), "example.com");
            assert_eq!(other, Belief::Doubted(at(12 + 1800)), "another mailing waits until then");
            breakers.begin(MAILING, Expected::UNKNOWN);
            assert_eq!(breakers.belief(at(14), MAILING, "example.org"), Belief::Believed, "a person has seen it");
            let more = (0..100).position(|_| refuse(&mut breakers, 15, "example.org", class).is_some());
            assert_eq!(more, Some(25), "twice as much is needed then");
        }
    }

    #[test]
    fn few_refusals_are_believed_and_after_three_in_a_row_they_are_asked_again() {
        let mut breakers = Breakers::default();
        for second in 0..3 {
            refuse(&mut breakers, second, "example.org", Class::Other);
            assert_eq!(breakers.belief(at(second), MAILING, "example.org"), Belief::Believed);
        }
        refuse(&mut breakers, 3, "example.org", Class::Other);
        assert_eq!(breakers.belief(at(3), MAILING, "example.org"), Belief::Twice);
        for _ in 0..3 {
            breakers.count(at(4), MAILING, "example.org");
        }
        assert_eq!(breakers.belief(at(4), MAILING, "example.org"), Belief::Believed);
    }

    #[test]
    fn what_lies_before_the_window_does_not_count() {
        let mut breakers = Breakers::default();
        for number in 0..200 {
            assert_eq!(refuse(&mut breakers, number * 60, "example.org", Class::Content), None);
        }
        for number in 0..9 {
            assert_eq!(refuse(&mut breakers, 200 * 60, "example.org", Class::Content), None, "{number}");
        }
    }

    fn no_such_address(breakers: &mut Breakers, seconds: i64, domain: &str) -> Option<Opened> {
        let reply = Reply::new(550, "5.1.1 no such user");
        let why = "there is no such address".to_owned();
        let classified = Classified { class: Class::Address, why, counts: Counts::Always, slow: false };
        breakers.refused(at(seconds), MAILING, domain, (Stage::Recipient, &reply), &classified)
    }

    #[test]
    fn a_relay_that_refuses_all_recipients_is_not_believed_for_a_while() {
        let mut breakers = Breakers::default();
        for number in 0..7 {
            assert_eq!(no_such_address(&mut breakers, number, &format!("d{number}.example")), None);
            assert!(!matches!(breakers.belief(at(number), MAILING, "d0.example"), Belief::Doubted(_)));
        }
        let opened = no_such_address(&mut breakers, 7, "d7.example").unwrap();
        let doubted = opened.doubted;
        assert_eq!((doubted.mailings, doubted.domain), (vec![MAILING], None));
        assert!(opened.mailing_pauses.unwrap().starts_with("8 of 8 recipients are said not to exist"));
        assert!(matches!(breakers.belief(at(8), MAILING, "other.example"), Belief::Doubted(_)));
        assert_eq!(breakers.belief(at(7 + 1800), MAILING, "other.example"), Belief::Believed);
    }

    #[test]
    fn a_domain_that_refuses_all_recipients_rests_and_the_others_are_believed() {
        let mut breakers = Breakers::default();
        for number in 0..20 {
            breakers.count(at(number), MAILING, "well.example");
            breakers.count(at(number), MAILING, "well.example");
            let opened = no_such_address(&mut breakers, number, "closed.example");
            assert_eq!(opened.is_some(), number == 19, "{number}");
            if let Some(opened) = opened {
                assert_eq!(opened.doubted.domain.as_deref(), Some("closed.example"));
                assert_eq!((opened.domain_rests_until, opened.mailing_pauses), (Some(at(19 + 1800)), None));
            }
        }
        assert_eq!(breakers.belief(at(20), MAILING, "closed.example"), Belief::Doubted(at(19 + 1800)));
        assert_eq!(breakers.belief(at(20), MAILING, "well.example"), Belief::Believed);
        assert!(breakers.rest(at(20), "closed.example").unwrap().evidence.contains("20 of 20"));
    }

    #[test]
    fn an_old_list_with_many_dead_addresses_is_believed() {
        let mut breakers = Breakers::default();
        for number in 0..300 {
            let domain = format!("d{}.example", number % 40);
            breakers.count(at(number), MAILING, &domain);
            breakers.count(at(number), MAILING, &domain);
            assert_eq!(no_such_address(&mut breakers, number, &domain), None, "a third, {number}");
        }
    }

    #[test]
    fn quiet_domains_are_forgotten() {
        let mut breakers = Breakers::default();
        for number in 0..5_000 {
            refuse(&mut breakers, number * 60, &format!("d{number}.example"), Class::Policy);
            breakers.count(at(number * 60), MAILING, "well.example");
            breakers.count(at(number * 60), MAILING, "well.example");
            no_such_address(&mut breakers, number * 60, &format!("d{number}.example"));
        }
        assert!(breakers.domains.len() <= MANY_DOMAINS && breakers.domain_faults.len() <= MANY_DOMAINS);
    }
}
