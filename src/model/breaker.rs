//! Circuit breakers: when receivers blame the sender or the content, sending more only does harm. The breaker of a
//! recipient's domain defers that domain for a while; the breaker of a mailing pauses it and tells the press office
//! why. They also open when an implausible number of messages is refused for good (`doubt`). Refusals up to then are
//! taken back: those deliveries are deferred and count against no recipient.
//!
//! Answers are counted in a sliding window of ten parts. A domain is watched from its first such refusal on.
//!
//! All instants here are steady time ([`crate::base::clock::Clock::steady`]), so that no clock jump empties a window
//! or ends a rest; only [`Breakers::answered`] takes the time of day, which it shows.

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

pub(crate) use doubt::{AddressFaults, Doubted, Expected};
use doubt::{FaultWindow, words};
use put_off::LastAnswers;
pub(crate) use put_off::PutOff;
use window::{PARTS, Window};

/// Number of watched domains above which idle ones are forgotten.
const MANY_DOMAINS: usize = 1000;
/// When breakers open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Minimum number of refusals in the window that blame the sender or the content: 20.
    pub refusals: u32,
    /// Minimum share of such refusals in all answers in the window: 0.2.
    pub share: f64,
    /// Length of the window: 10 minutes.
    pub window: Duration,
    /// How long deliveries to a domain are deferred: 30 minutes.
    pub rest: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { refusals: 20, share: 0.2, window: Duration::minutes(10), rest: Duration::minutes(30) }
    }
}

/// What follows when a breaker opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The end of the domain's rest, if its breaker opened.
    pub domain_rests_until: Option<Timestamp>,
    /// Why the mailing must pause, if its breaker opened; shown to the press office.
    pub mailing_pauses: Option<String>,
    /// The refusals to take back.
    pub doubted: Doubted,
}

/// A domain whose deliveries are deferred for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// When the rest ends.
    pub until: Timestamp,
    /// What it answered, and to how many messages.
    pub evidence: String,
}

/// Whether a refusal for good is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Believed.
    Believed,
    /// Believed only when repeated: too many were refused in a row.
    Twice,
    /// Not believed; no retry before this instant.
    Doubted(Timestamp),
}

/// All breakers of the daemon.
#[derive(Debug)]
pub(crate) struct Breakers {
    settings: BreakerSettings,
    mailings: HashMap<MailingId, Window>,
    domains: HashMap<String, Domain>,
    /// Refusals for good from all receivers together, i.e. perhaps by the relay.
    faults: FaultWindow,
    /// The same for each mailing.
    mailing_faults: HashMap<MailingId, FaultWindow>,
    /// The same for each domain, from its first refusal on.
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
    /// Creates breakers that are all closed.
    pub(crate) fn new(settings: BreakerSettings) -> Self {
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

    /// Starts a mailing, or resumes it after a person has seen why it was stopped.
    pub(crate) fn begin(&mut self, mailing: MailingId, expected: Expected) {
        self.mailings.remove(&mailing);
        let faults = self.mailing_faults.entry(mailing).or_insert_with(|| FaultWindow::new(expected));
        if faults.is_stopped() {
            self.faults.seen(Expected::UNKNOWN);
            self.domain_faults.values_mut().for_each(FaultWindow::needs_more);
        }
        faults.seen(expected);
    }

    /// Counts an answer that does not blame the sender: accepted, deferred, or refused for another reason.
    pub(crate) fn count(&mut self, now: Timestamp, mailing: MailingId, domain: &str) {
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

    /// Counts an answer to a message among the latest; `refusal` is its text if it is a temporary refusal that does
    /// not ask us to slow down.
    pub(crate) fn answered(&mut self, now: Timestamp, refusal: Option<&str>) {
        self.last.add(now, refusal);
    }

    /// Reports that nearly all recent answers are temporary refusals, if so.
    pub(crate) fn put_off(&self) -> Option<PutOff> {
        self.last.trouble()
    }

    /// Whether a refusal for good is believed; if not, the delivery has not failed and no subscriber is scored.
    pub(crate) fn belief(&self, now: Timestamp, mailing: MailingId, domain: &str) -> Belief {
        let of_mailing = self.mailing_faults.get(&mailing);
        let doubted = |faults: &FaultWindow| faults.doubted(now);
        let windows = [of_mailing, Some(&self.faults), self.domain_faults.get(domain)];
        let mut windows = windows.into_iter().flatten();
        // A stopped mailing is retried as soon as it is resumed.
        if of_mailing.is_some_and(|faults| doubted(faults).is_some()) {
            return Belief::Doubted(now);
        }
        match windows.clone().find_map(doubted) {
            Some(until) => Belief::Doubted(until),
            None if windows.any(FaultWindow::is_suspicious) => Belief::Twice,
            None => Belief::Believed,
        }
    }

    /// Counts a message that was refused for good, or cannot be sent over this relay; `Some` when the refusals cannot
    /// be true. `example` is the reply to show.
    pub(crate) fn refused_for_good(
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
        // Refusals from shortly before a restart are taken back, too.
        let since = now - settings.window * 3;
        if let Some(found) = everywhere.filter(|_| !of_one_domain) {
            let mut mailings = self.faults.reset();
            mailings.extend(of_mailing.reset());
            mailings.sort();
            mailings.dedup();
            of_domain.reset();
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
        let mailings = of_domain.reset();
        of_mailing.reset();
        self.faults.reset();
        of_domain.doubt(until);
        let evidence = evidence(&found);
        let rest = Rest { until, evidence: evidence.clone() };
        self.domains.entry(domain.to_owned()).or_default().rest = Some(rest);
        let doubted = Doubted { mailings, domain: Some(domain.to_owned()), since, until, evidence };
        Some(Opened { domain_rests_until: Some(until), mailing_pauses: None, doubted })
    }

    /// Counts a refusal; `Some` when it opens a breaker. A refusal that does not blame us is counted as an ordinary
    /// answer.
    pub(crate) fn refused(
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
        // A request to slow down blames nothing else.
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
        // Refusals of deliveries now under way are not believed either.
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

    /// The rest of `domain`, if it rests now: deliveries to it are deferred until then, without counting an attempt.
    pub(crate) fn rest(&self, now: Timestamp, domain: &str) -> Option<&Rest> {
        let rests = |rest: &&Rest| now < rest.until;
        self.domains.get(domain)?.rest.as_ref().filter(rests)
    }

    /// All domains that rest now, sorted by name.
    pub(crate) fn resting(&self, now: Timestamp) -> Vec<(String, Rest)> {
        let rests = self.domains.keys().filter_map(|domain| Some((domain.clone(), self.rest(now, domain)?.clone())));
        let mut rests: Vec<(String, Rest)> = rests.collect();
        rests.sort_by(|a, b| a.0.cmp(&b.0));
        rests
    }

    /// Forgets a mailing that has ended.
    pub(crate) fn forget(&mut self, mailing: MailingId) {
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
