//! The circuit breakers: when receivers blame the sender or the content, going on only does harm. A breaker for a
//! recipient's domain lets that domain rest; the breaker of a mailing pauses it and tells the press office why. They
//! open as well when so many messages are refused for good that it cannot be true (`doubt`). What was refused by then is
//! taken back: it is deferred and counts against no recipient.
//!
//! Answers are counted in a sliding window of ten parts. A domain is watched from its first refusal of this sort on.
//!
//! All instants here count the time that passed ([`crate::base::clock::Clock::steady`]), so that no clock jump empties a
//! window or ends a rest; only [`Breakers::answered`] takes the time of day, which it shows.

use std::collections::HashMap;

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;

use super::classify::{Class, Classified};
use super::ledger::Stage;
use super::reply::Reply;

mod doubt;
mod put_off;
mod window;

pub use doubt::{AddressFaults, Doubted, Expected};
use doubt::{FaultWindow, words};
use put_off::LastAnswers;
pub use put_off::PutOff;
use window::{PARTS, Window};

/// Watched domains above which those with nothing recent are forgotten.
const MANY_DOMAINS: usize = 1000;
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
            domain.window.last().is_some_and(|last| last > part - PARTS)
                || domain.rest.as_ref().is_some_and(|rest| now < rest.until)
        });
    }
}

#[cfg(test)]
mod tests;
