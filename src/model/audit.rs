//! The audit log: who did what, in a hash chain that reveals every change, removal and move.
//!
//! Each entry has a number (1, 2, 3 …) and a hash over the entry before it and itself:
//!
//! ```text
//! hash = SHA-256( previous LF number LF at LF who LF uid LF request LF what LF about LF outcome LF detail LF )
//! ```
//!
//! in UTF-8, LF being one byte 0x0A; `previous` is the hash of the entry before in 64 lower-case hexadecimal digits (64
//! zeros before the first), numbers are decimal, `at` has the form `2026-11-23T08:00:00.000Z`, `uid` is empty if
//! absent. No field contains a control character. So an export can be verified with a few lines in any language; a
//! changed entry no longer matches its own hash or that of the next, and only a rewrite of the whole rest of the chain
//! is undetected, unless heads were noted elsewhere (`docs/OPERATING.md`).
//!
//! Entries identify things by number and never contain addresses, names of lists, or people's texts: they are kept longer
//! than any of those.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::clock::Timestamp;
use crate::base::token::{content_hash, to_hex};

/// The longest field, in bytes.
const LONGEST_FIELD: usize = 1000;

/// The command that continues without damaged records; its entry says what was lost.
pub(crate) const RECOVERED: &str = "store recover";
/// Prefix of the detail in such an entry, before what was lost.
pub(crate) const LOST: &str = "lost: ";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the chain, from 1.
    pub number: u64,
    /// Time of the entry, with milliseconds.
    pub at: Timestamp,
    /// Who acted: a user of the machine, as the kernel names them, `depesch` for the daemon itself, or `mail`.
    pub who: String,
    /// The user's number (uid).
    pub uid: Option<u32>,
    /// The number of the entry with which the request began: all entries of one request have the same.
    pub request: u64,
    /// What was done: a noun and a verb, e.g. `mailing pause`.
    pub what: String,
    /// What it concerns: ids such as `m7`, separated by spaces.
    pub about: String,
    /// How far it has come.
    pub outcome: AuditOutcome,
    /// Further details: ids of what was created, an error's code.
    pub detail: String,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// About to be done. Without a later entry for the same request it is unknown whether it was: the daemon died.
    Begun,
    /// It was done.
    Done,
    /// Refused, and nothing was done: the request was at fault.
    Refused,
    /// It failed; part of it may have been done.
    Failed,
    /// It happened; no further entry follows.
    Noted,
}

impl AuditOutcome {
    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Noted => "noted",
        }
    }

    /// The outcome for a word; `None` for an unknown one.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Begun, Self::Done, Self::Refused, Self::Failed, Self::Noted].into_iter().find(|one| one.word() == word)
    }
}

/// Normalises a field's text: one line, of bounded length.
pub(crate) fn field(text: &str) -> String {
    let mut line: String = text.chars().filter(|c| !c.is_control()).collect();
    line.truncate(line.floor_char_boundary(LONGEST_FIELD));
    line
}

/// Formats an instant as it is hashed and exported.
pub(crate) fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl AuditEntry {
    /// The bytes that are hashed (see the module's text).
    pub(crate) fn canonical(&self, previous: &[u8; 32]) -> String {
        let uid = self.uid.map(|uid| uid.to_string()).unwrap_or_default();
        let Self { number, who, request, what, about, detail, .. } = self;
        let (previous, at, outcome) = (to_hex(previous), instant(self.at), self.outcome.word());
        format!("{previous}\n{number}\n{at}\n{who}\n{uid}\n{request}\n{what}\n{about}\n{outcome}\n{detail}\n")
    }

    /// The hash of this entry after one with the hash `previous`.
    pub(crate) fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        content_hash(self.canonical(previous).as_bytes())
    }

    /// What a recovery of the store lost, as text: it may include entries of this log.
    pub(crate) fn loss(&self) -> Option<String> {
        let lost = self.detail.split_once(LOST).filter(|_| self.what == RECOVERED)?.1;
        Some(format!("entry {}: {LOST}{lost}", self.number))
    }

    /// Whether the entry concerns the thing with this id, or created it.
    pub(crate) fn mentions(&self, id: &str) -> bool {
        self.about.split(' ').chain(self.detail.split(' ')).any(|one| one == id)
    }
}

/// A place in the chain: the number of an entry, and its hash. The default is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainLink {
    /// The entry's number; 0 before the first.
    pub number: u64,
    /// The entry's hash.
    pub hash: [u8; 32],
}

impl fmt::Display for ChainLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, to_hex(&self.hash))
    }
}

/// Where and how a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// Entries are missing.
    #[error("entries {from} to {to} are missing")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// An entry is in the wrong place.
    #[error("entry {number} follows entry {after}: entries were moved or duplicated")]
    OutOfOrder {
        /// Its number.
        number: u64,
        /// The number of the entry before it.
        after: u64,
    },
    /// An entry and its hash do not match.
    #[error("entry {number} does not fit the chain: it, or the hash before it, was changed")]
    Changed {
        /// Its number.
        number: u64,
    },
    /// The end is missing.
    #[error("the end is missing: the last entry is {last}, and there was an entry {head}")]
    Truncated {
        /// The number of the last entry found.
        last: u64,
        /// The number of the last entry expected.
        head: u64,
    },
    /// An entry's hash differs from the one noted elsewhere.
    #[error("the hash of entry {number} differs from the one noted: the chain was rewritten from there or before")]
    Rewritten {
        /// Its number.
        number: u64,
    },
}

/// Verifies a chain, entry by entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChainWalk {
    at: ChainLink,
    entries: u64,
    open: BTreeSet<u64>,
    lost: Vec<String>,
    /// A place noted elsewhere, compared when reached.
    noted: Option<ChainLink>,
}

/// The result for a chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeChain {
    /// Its end.
    pub head: ChainLink,
    /// Number of entries.
    pub entries: u64,
    /// Requests whose outcome is unknown: those under way, and those that a crash cut off.
    pub open: Vec<u64>,
    /// What recoveries of the store lost, as text: the chain holds, but entries before these places may be missing.
    pub lost: Vec<String>,
}

impl ChainWalk {
    /// Starts after `anchor`: the place before the first entry, or the last entry that was dropped.
    pub(crate) fn after(anchor: ChainLink) -> Self {
        Self { at: anchor, ..Self::default() }
    }

    /// Compares with a place noted elsewhere as well.
    #[must_use]
    pub(crate) fn comparing(self, noted: Option<ChainLink>) -> Self {
        Self { noted, ..self }
    }

    /// Verifies the next entry.
    ///
    /// # Errors
    /// [`ChainBreak`]: the chain is broken there; nothing after it can be trusted.
    pub(crate) fn step(&mut self, entry: &AuditEntry, hash: &[u8; 32]) -> Result<(), ChainBreak> {
        let (number, expected) = (entry.number, self.at.number + 1);
        if number > expected {
            return Err(ChainBreak::Missing { from: expected, to: number - 1 });
        }
        if number < expected {
            return Err(ChainBreak::OutOfOrder { number, after: self.at.number });
        }
        if entry.hash(&self.at.hash) != *hash {
            return Err(ChainBreak::Changed { number });
        }
        if self.noted.is_some_and(|noted| noted.number == number && noted.hash != *hash) {
            return Err(ChainBreak::Rewritten { number });
        }
        self.at = ChainLink { number, hash: *hash };
        self.entries += 1;
        self.lost.extend(entry.loss());
        match entry.outcome {
            AuditOutcome::Begun => drop(self.open.insert(number)),
            _ => drop(self.open.remove(&entry.request)),
        }
        Ok(())
    }

    /// Finishes. `head` is the end on record.
    ///
    /// # Errors
    /// [`ChainBreak`]: the end is missing, or is not the one on record.
    pub(crate) fn end(self, head: Option<ChainLink>) -> Result<WholeChain, ChainBreak> {
        for known in [head, self.noted].into_iter().flatten() {
            if known.number > self.at.number {
                return Err(ChainBreak::Truncated { last: self.at.number, head: known.number });
            }
        }
        match head {
            Some(head) if head.number < self.at.number => {
                Err(ChainBreak::OutOfOrder { number: self.at.number, after: head.number })
            }
            Some(head) if head.hash != self.at.hash => Err(ChainBreak::Rewritten { number: head.number }),
            _ => {
                let (open, lost) = (self.open.into_iter().collect(), self.lost);
                Ok(WholeChain { head: self.at, entries: self.entries, open, lost })
            }
        }
    }

    /// The last place verified.
    pub(crate) fn at(&self) -> ChainLink {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, outcome: AuditOutcome) -> AuditEntry {
        AuditEntry {
            number,
            at: "2026-11-23T08:00:00.5Z".parse().unwrap(),
            who: "kim".into(),
            uid: Some(1000),
            request: number,
            what: "mailing pause".into(),
            about: format!("m{number}"),
            outcome,
            detail: String::new(),
        }
    }

    fn chain(length: u64) -> Vec<(AuditEntry, [u8; 32])> {
        let mut previous = [0; 32];
        let made = (1..=length).map(|number| {
            let entry = entry(number, AuditOutcome::Noted);
            previous = entry.hash(&previous);
            (entry, previous)
        });
        made.collect()
    }

    fn walk(chain: &[(AuditEntry, [u8; 32])], head: Option<ChainLink>) -> Result<WholeChain, ChainBreak> {
        let mut walk = ChainWalk::default();
        chain.iter().try_for_each(|(entry, hash)| walk.step(entry, hash))?;
        walk.end(head)
    }

    fn head(chain: &[(AuditEntry, [u8; 32])]) -> ChainLink {
        chain.last().map(|(entry, hash)| ChainLink { number: entry.number, hash: *hash }).unwrap()
    }

    #[test]
    fn the_bytes_hashed_are_those_described() {
        let zeros = "0".repeat(64);
        let text = entry(1, AuditOutcome::Begun).canonical(&[0; 32]);
        assert_eq!(text, format!("{zeros}\n1\n2026-11-23T08:00:00.500Z\nkim\n1000\n1\nmailing pause\nm1\nbegun\n\n"));
    }

    #[test]
    fn whatever_is_done_to_a_chain_is_found() {
        let whole = chain(9);
        assert_eq!(walk(&whole, Some(head(&whole))).unwrap().entries, 9);
        for at in 0..9 {
            let number = at as u64 + 1;
            let mut changed = whole.clone();
            changed[at].0.who = "sam".into();
            assert_eq!(walk(&changed, None), Err(ChainBreak::Changed { number }));
            // With a hash that goes with the change, the next does not go with that; and the head remembers the last.
            changed[at].1 = changed[at].0.hash(&at.checked_sub(1).map_or([0; 32], |before| whole[before].1));
            let expected = match at {
                8 => ChainBreak::Rewritten { number },
                _ => ChainBreak::Changed { number: number + 1 },
            };
            assert_eq!(walk(&changed, Some(head(&whole))), Err(expected));
            let mut short = whole.clone();
            short.remove(at);
            let expected = match at {
                8 => ChainBreak::Truncated { last: 8, head: 9 },
                _ => ChainBreak::Missing { from: number, to: number },
            };
            assert_eq!(walk(&short, Some(head(&whole))), Err(expected));
            for other in 0..at {
                let mut swapped = whole.clone();
                swapped.swap(at, other);
                assert!(walk(&swapped, Some(head(&whole))).is_err(), "{at} and {other}");
                let (one, two) = (swapped[at].0.number, swapped[other].0.number);
                (swapped[at].0.number, swapped[other].0.number) = (two, one);
                assert!(walk(&swapped, Some(head(&whole))).is_err(), "{at} and {other}, renumbered");
            }
        }
    }

    #[test]
    fn a_rewritten_chain_differs_from_the_recorded_head() {
        let (noted, mut previous) = (head(&chain(5)), [0; 32]);
        let mut walk = ChainWalk::default().comparing(Some(noted));
        let rewritten = (1..=9).try_for_each(|number| {
            let entry = AuditEntry { who: "sam".into(), ..entry(number, AuditOutcome::Noted) };
            previous = entry.hash(&previous);
            walk.step(&entry, &previous)
        });
        assert_eq!(rewritten, Err(ChainBreak::Rewritten { number: 5 }));
        let walk = ChainWalk::default().comparing(Some(noted));
        assert_eq!(walk.end(None), Err(ChainBreak::Truncated { last: 0, head: 5 }));
    }

    #[test]
    fn what_began_and_did_not_end_is_told() {
        let (mut walk, mut previous) = (ChainWalk::default(), [0; 32]);
        let done = AuditEntry { request: 1, ..entry(3, AuditOutcome::Done) };
        for entry in [entry(1, AuditOutcome::Begun), entry(2, AuditOutcome::Begun), done] {
            previous = entry.hash(&previous);
            walk.step(&entry, &previous).unwrap();
        }
        assert_eq!(walk.end(None).unwrap().open, [2]);
    }

    #[test]
    fn no_field_begins_a_new_line() {
        assert_eq!(field("kim\nsam\u{85}\u{2028}x"), "kimsam\u{2028}x");
        assert!(field(&"å".repeat(2000)).len() <= LONGEST_FIELD);
    }
}
