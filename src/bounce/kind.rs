//! Determines the kind of a message without a standard report, by combining signs, because each of them also occurs
//! in ordinary mail.

use crate::mail::incoming::Incoming;
use crate::model::classify::Class;

use super::lines::Text;
use super::shapes::{Candidate, Shape};
use super::wording::{Sign, Wording};
use super::{Kind, Reader, RecipientReading, Verdict, address, evidence};

/// Minimum weight of the signs together.
const ENOUGH: u32 = 4;

/// The signs in one message.
#[derive(Clone, Debug)]
pub(super) struct Signs {
    subject: Vec<Sign>,
    text: Vec<Sign>,
    is_daemon: bool,
    is_program: bool,
    names_failed: bool,
    has_returned: bool,
    is_answer: bool,
    is_auto_reply: bool,
    is_automatic: bool,
    /// Whether it was written in a mail program: with a salutation, or as a reply to or a copy of something.
    is_letter: bool,
    /// Whether the text contains a server's reply with an enhanced status code.
    is_coded: bool,
}

/// The kind of a message with these readings.
pub(super) fn of(recipients: &[RecipientReading]) -> Kind {
    let is_bounce = recipients.iter().any(|one| one.verdict != Verdict::None && !one.waits);
    if is_bounce { Kind::Bounce } else { Kind::Notice }
}

impl Signs {
    pub(super) fn new(mail: &Incoming, text: &Text, reader: &Reader, from_null: bool) -> Self {
        let wording = &reader.wording;
        let subject = reader.replies.subject(mail.subject());
        let core = subject.core.to_lowercase();
        let from = mail.from();
        let local = from.map(|from| from.address.split('@').next().unwrap_or_default().to_ascii_lowercase());
        let name = from.map(|from| from.name.to_lowercase()).unwrap_or_default();
        // Some put the program's name in place of the local part.
        let names = local.clone().unwrap_or_default();
        let is_null = |path: &str| path.trim() == "<>" || path.trim() == "<MAILER-DAEMON>";
        let null = from_null || mail.header("Return-Path").is_some_and(is_null);
        let is_program = local.as_deref().is_some_and(|local| {
            wording.program.iter().any(|one| local.starts_with(one.as_str())) || address::is_role(local)
        });
        let is_daemon = local.as_deref().is_none_or(str::is_empty)
            || local.is_some_and(|local| wording.daemon.iter().any(|daemon| local.starts_with(daemon.as_str())))
            || wording
                .daemon_name
                .iter()
                .any(|daemon| name.contains(daemon.as_str()) || names.contains(daemon.as_str()))
            || null
            || is_report(mail);
        let word = |name: &str| mail.header(name).map(str::to_ascii_lowercase).unwrap_or_default();
        let replied =
            word("Auto-Submitted").starts_with("auto-replied") || word("Precedence").starts_with("auto_reply");
        let is_automatic = mail.is_marked_automatic() || null || mail.is_bulk() && mail.header("List-Id").is_none();
        let said = wording.subject.said(&core);
        // Without a mark only if nothing precedes it: "Re: Automatic reply" is a person's answer to one.
        let certain =
            !subject.has_prefix && wording.auto_reply_certain.iter().any(|one| core.starts_with(one.as_str()));
        Self {
            is_auto_reply: certain || replied || is_automatic && said.contains(&Sign::AutoReply),
            subject: said,
            text: wording.text.said(&text.flowing()),
            is_daemon,
            is_program,
            names_failed: mail.header("X-Failed-Recipients").is_some(),
            has_returned: text.returned().is_some() || mail.embedded().is_some(),
            is_answer: subject.is_answer,
            is_automatic,
            is_letter: !is_machine_readable(mail) && (subject.has_prefix || is_written(mail, text, wording)),
            is_coded: {
                let refusals = text.refusals();
                super::diagnosis::enhanced(&refusals).is_some()
            },
        }
    }

    /// Whether the message says that another is delayed and has not failed.
    pub(super) fn is_delay(&self) -> bool {
        self.subject.contains(&Sign::Delay) || self.text.contains(&Sign::Delay) && !self.names_failed
    }

    /// Whether it is from a program that may forward incoming mail.
    pub(super) fn may_pass_on(&self) -> bool {
        self.is_daemon || self.is_automatic || self.is_program
    }

    /// Whether it is from a person, who may quote, forward or attach a program's text.
    pub(super) fn is_of_person(&self) -> bool {
        self.is_letter && !self.is_marked()
    }

    /// Whether anything besides its text says that a program sent it.
    pub(super) fn is_marked(&self) -> bool {
        self.is_daemon || self.is_program || self.is_automatic || self.names_failed
    }

    /// Whether the message itself reports a failed delivery.
    pub(super) fn says_failure(&self) -> bool {
        self.subject.contains(&Sign::Failure) || self.text.contains(&Sign::Failure)
    }

    /// Whether it is a free-form bounce.
    pub(super) fn is_failure(&self, candidates: &[Candidate]) -> bool {
        let by_subject = self.subject.contains(&Sign::Failure) || self.subject.contains(&Sign::Delay);
        let by_text = self.text.contains(&Sign::Failure) || self.text.contains(&Sign::Delay);
        let is_quoted = candidates.iter().any(|one| super::diagnosis::reply_code(&one.reason).is_some());
        let is_headed = candidates.iter().any(|one| one.shape <= Shape::Alone);
        let weight = [
            (self.is_daemon, 2),
            (self.is_program && !self.is_daemon, 1),
            (self.names_failed, 3),
            (by_subject, 2),
            (by_text, 1),
            (is_quoted, 1),
            // A code weighs more than an unknown language.
            (self.is_coded && self.is_daemon, 2),
            (is_headed && self.is_daemon, 1),
            (self.has_returned, 1),
        ];
        let weight: u32 = weight.iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).sum();
        // Words alone are never sufficient: a person complains about a bounce with the same words.
        let is_of_program = self.is_daemon
            || self.is_program
            || self.is_automatic
            || self.names_failed
            || self.has_returned
            || is_headed
            || candidates.iter().any(Candidate::is_labelled);
        let is_evident = by_subject || by_text || is_quoted || self.names_failed || self.is_coded && self.is_daemon;
        let is_news = self.subject.contains(&Sign::Success) || self.is_auto_reply && !by_text && !self.names_failed;
        let is_of_other = self.is_of_person() || self.is_answer && !self.is_daemon;
        // A message without the mark of a program needs one more sign: people forward bounces without comment.
        weight >= ENOUGH + u32::from(!self.is_marked()) && is_of_program && is_evident && !is_news && !is_of_other
    }

    /// Its kind, if it is not a bounce.
    pub(super) fn otherwise(&self, mail: &Incoming) -> (Kind, Vec<RecipientReading>) {
        let (kind, class, why) = if self.is_auto_reply && !self.subject.contains(&Sign::Success) {
            (Kind::AutoReply, Class::AutoReply, "an automatic reply of an absent owner")
        } else if self.subject.contains(&Sign::Success) && (self.is_daemon || self.is_automatic || self.has_returned)
            || self.is_daemon && self.text.contains(&Sign::Success)
        {
            (Kind::Notice, Class::Notice, "the message came through")
        } else if self.text.contains(&Sign::Challenge) && self.is_automatic {
            (Kind::Notice, Class::Notice, "the receiver asks the sender to prove something")
        } else {
            return (Kind::Other, Vec::new());
        };
        let address = mail.from().and_then(|from| address::first(&from.address));
        (kind, vec![silent(address, class, why, &evidence(mail.subject()))])
    }
}

/// A reading without a failure.
pub(super) fn silent(address: Option<String>, class: Class, why: &str, evidence: &str) -> RecipientReading {
    RecipientReading {
        address,
        also: Vec::new(),
        status: None,
        code: None,
        verdict: Verdict::None,
        waits: false,
        class,
        why: why.to_owned(),
        counts: false,
        evidence: evidence.to_owned(),
    }
}

/// `multipart/report` of any kind (RFC 6522), sent only by programs.
fn is_machine_readable(mail: &Incoming) -> bool {
    mail.header("Content-Type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/report"))
}

/// Whether text or header show that a person wrote it: a salutation at its beginning or end, the name of a mail
/// program, a reply to another message.
fn is_written(mail: &Incoming, text: &Text, wording: &Wording) -> bool {
    let mut lines = text.lines().iter().map(|line| line.lower.as_str()).filter(|line| !line.is_empty());
    let is_client = ["User-Agent", "X-Mailer"]
        .iter()
        .any(|name| mail.header(name).is_some_and(|value| wording.is_client(&value.to_lowercase())));
    is_client || mail.header("In-Reply-To").is_some() || lines.any(|line| wording.is_of_letter(line))
}

/// `multipart/report` for delivery status (RFC 6522 §3), whatever its content.
pub(super) fn is_report(mail: &Incoming) -> bool {
    mail.header("Content-Type").is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("multipart/") && kind.contains("delivery-status")
    })
}
