//! Reads an answer to an invitation from a mail: from the reply of a calendar program (RFC 6047), or from a person's
//! text, in Swedish or English. Uncertain answers are reported as uncertain, with the reason; nothing is guessed.

mod fields;
mod heads;
mod sum;
mod words;

use super::calendar_reply::{CalendarDoubt, CalendarReply, Participation, calendar_reply, has_calendar_reply};
use super::incoming::Incoming;
use super::reply::{Reply, ReplyReader, ReplyReaderError, Subject, without_tokens};
use sum::Judged;

/// Maximum bytes of a comment that are kept.
const MAX_COMMENT: usize = 2000;

/// Whether a person will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// They will come.
    Yes,
    /// They will not come.
    No,
    /// They may come.
    Maybe,
}

/// What people say about themselves. Nothing is looked up; missing details are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The name; several are separated by `; `.
    pub name: Option<String>,
    /// The newsroom or organisation.
    pub newsroom: Option<String>,
    /// The function: reporter, photographer.
    pub function: Option<String>,
    /// The number of the press card.
    pub press_card: Option<String>,
    /// Number of people, if stated.
    pub people: Option<u32>,
}

impl Person {
    /// Completes missing details from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            newsroom: self.newsroom.or(other.newsroom),
            function: self.function.or(other.function),
            press_card: self.press_card.or(other.press_card),
            people: self.people.or(other.people),
        }
    }
}

/// How an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Through a calendar program.
    Calendar,
    /// In text.
    Words,
}

/// A certain answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether they will come.
    pub attendance: Attendance,
    /// The person, as given.
    pub person: Person,
    /// Their text without fields and signature; may be empty.
    pub comment: String,
    /// How it was given.
    pub how: How,
    /// Whether they also ask a question: then a person should see it.
    pub asks: bool,
    /// The UID of the event, from a calendar program's reply.
    pub uid: Option<String>,
}

/// The meaning of a mail to an invitation's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// An answer.
    Answer(Answer),
    /// Possibly an answer: a person must look. Details about its sender are kept.
    Uncertain {
        /// The reason.
        why: Doubt,
        /// The person, as given.
        person: Person,
        /// Their text.
        comment: String,
    },
    /// Certainly written by a program: never an answer.
    Automatic,
}

/// Why an answer is uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It does not say whether they will come.
    NoAnswer,
    /// It says both yes and no, or different things about different people.
    Contradiction,
    /// It only asks a question.
    Question,
    /// It depends on a condition.
    Condition,
    /// It says something that needs a person's judgement: later, remotely, a stand-in.
    Weigh,
    /// It is too long for the rules.
    TooLong,
    /// The calendar part cannot be used.
    Calendar(CalendarDoubt),
    /// The calendar part and the text contradict each other.
    Disagree,
    /// It reads like an automatic reply of an absent person.
    Automatic,
    /// The message could not be parsed.
    Unreadable,
}

impl Doubt {
    /// A text for people: what to check.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoAnswer => "it does not say whether they will come",
            Self::Contradiction => "it contradicts itself",
            Self::Question => "it asks instead of answering",
            Self::Condition => "it depends on something",
            Self::Weigh => "it says something that needs a decision",
            Self::TooLong => "it is too long to be read by rules",
            Self::Calendar(CalendarDoubt::Method) => "its calendar part does not say what it is (RFC 6047)",
            Self::Calendar(CalendarDoubt::NoReply) => {
                "its calendar part is not a reply, but proposes or asks something"
            }
            Self::Calendar(CalendarDoubt::Undecided) => {
                "its calendar part delegates to another person, or is undecided"
            }
            Self::Calendar(CalendarDoubt::Several) => "its calendar part answers for several people",
            Self::Disagree => "its calendar part and its text contradict each other",
            Self::Automatic => "it may be the automatic reply of a person who is away",
            Self::Unreadable => "it cannot be read",
        }
    }
}

/// The parsed rules.
#[derive(Clone, Debug)]
pub struct Rules {
    words: words::Words,
    reader: ReplyReader,
}

/// Rules that cannot be parsed: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the words by which answers to invitations are read are wrong: {0}")]
pub struct RulesError(String);

impl Rules {
    /// Parses the rules shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test ensures this.
    pub fn shipped() -> Result<Self, RulesError> {
        Self::parse(include_str!("rsvp/words.toml"))
    }

    /// Parses rules in the format of `rsvp/words.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub(crate) fn parse(text: &str) -> Result<Self, RulesError> {
        let words = words::Words::parse(text).map_err(|error| RulesError(error.to_string()))?;
        let reader = ReplyReader::shipped().map_err(|error: ReplyReaderError| RulesError(error.to_string()))?;
        Ok(Self { words, reader })
    }

    /// Reads a message as an answer to an invitation.
    pub fn read(&self, message: &Incoming) -> Reading {
        let reply = self.reader.read(message);
        let text = reply.text();
        let calendar = match is_automatic(message) {
            true => return Reading::Automatic,
            false => {
                let from = message.from().map(|from| from.address.as_str()).unwrap_or_default();
                calendar_reply(message, from)
            }
        };
        let fields = fields::read(&text, &self.words);
        // The subject of a calendar's reply is written by the program.
        let subject = if calendar.is_some() { "" } else { subject_of(&reply.subject) };
        let judged = self.judge(&fields, subject);
        let comment = bounded(&fields.free);
        match calendar {
            None if reply.is_forwarded || self.may_be_automatic(&reply, &text) => {
                Reading::Uncertain { why: Doubt::Automatic, person: fields.person, comment }
            }
            None => {
                let whole_form = fields.person.name.is_some() && fields.labelled >= 2;
                match judged.said {
                    Ok(Some(attendance)) => {
                        let (person, how, asks) = (fields.person, How::Words, judged.asks);
                        Reading::Answer(Answer { attendance, person, comment, how, asks, uid: None })
                    }
                    // A person who sends everything that the invitation asks for, and nothing to the contrary, has
                    // registered.
                    Ok(None) if whole_form => {
                        let (attendance, asks) = (Attendance::Yes, judged.asks);
                        let (person, how) = (fields.person, How::Words);
                        Reading::Answer(Answer { attendance, person, comment, how, asks, uid: None })
                    }
                    Ok(None) => {
                        let why = match judged.asks {
                            true => Doubt::Question,
                            false if text.is_empty() && !reply.unread.is_empty() => Doubt::Unreadable,
                            false => Doubt::NoAnswer,
                        };
                        Reading::Uncertain { why, person: fields.person, comment }
                    }
                    Err(why) => Reading::Uncertain { why, person: fields.person, comment },
                }
            }
            Some(Err(why)) => Reading::Uncertain { why: Doubt::Calendar(why), person: fields.person, comment },
            Some(Ok(reply)) => {
                // A comment entered in the program is interpreted like their text.
                let beside = fields::read(reply.comment.as_deref().unwrap_or_default(), &self.words);
                let told = self.judge(&beside, "");
                by_calendar(reply, [judged, told], fields.person.or(beside.person), comment)
            }
        }
    }

    /// Whether it reads like an automatic reply of an absent person.
    fn may_be_automatic(&self, reply: &Reply, text: &str) -> bool {
        let subject = reply.subject.core.to_lowercase();
        let named = self.words.subject_automatic.iter().any(|begin| subject.starts_with(begin.as_str()));
        reply.subject.is_automatic || named && !reply.subject.has_prefix || self.words.is_automatic(text)
    }

    fn judge(&self, fields: &fields::Fields, subject: &str) -> Judged {
        // Labelled answers, and a subject that is an answer, count as separate sentences.
        let mut text: String = fields.answers.iter().flat_map(|answer| [answer.as_str(), ".\n\n"]).collect();
        text.push_str(&fields.free);
        let mut judged = self.words.judge(&text);
        let of_subject = self.words.subjects.iter().find_map(|(attendance, begins)| {
            begins.iter().any(|begin| begins_with(subject, begin)).then_some(*attendance)
        });
        if let Some(attendance) = of_subject {
            judged.said = match judged.said {
                Ok(None) => Ok(Some(attendance)),
                Ok(Some(other)) if other == attendance => Ok(Some(other)),
                Ok(Some(_)) => Err(Doubt::Contradiction),
                Err(doubt) => Err(doubt),
            };
        }
        judged
    }
}

/// Whether a program certainly wrote it without being asked by a person (RFC 3834 §2). Calendar programs are asked:
/// Google marks its replies `auto-generated`, and those count.
fn is_automatic(message: &Incoming) -> bool {
    let submitted = message.header("Auto-Submitted").unwrap_or_default().trim().to_ascii_lowercase();
    let by_responder = submitted.starts_with("auto-replied") || message.header("X-Autoreply").is_some();
    match has_calendar_reply(message) {
        true => message.is_report() || by_responder,
        false => message.is_automatic(),
    }
}

/// The subject if the sender wrote it: that of a reply is ours.
fn subject_of(subject: &Subject) -> &str {
    if subject.has_prefix { "" } else { &subject.core }
}

fn begins_with(subject: &str, begin: &str) -> bool {
    let lower = subject.to_lowercase();
    let after = lower.strip_prefix(begin).map(|rest| rest.chars().next());
    after.is_some_and(|next| next.is_none_or(|c| !c.is_alphanumeric()) || begin.ends_with(':'))
}

fn bounded(text: &str) -> String {
    let text = without_tokens(text);
    let kept: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    kept[..kept.floor_char_boundary(MAX_COMMENT)].trim().to_owned()
}

/// The calendar program's answer counts, unless the person wrote the opposite: in the mail's text, the first of
/// `judged`, or in the program's comment field, the last.
fn by_calendar(reply: CalendarReply, judged: [Judged; 2], mut person: Person, comment: String) -> Reading {
    let attendance = match reply.participation {
        Participation::Accepted => Attendance::Yes,
        Participation::Declined => Attendance::No,
        Participation::Tentative => Attendance::Maybe,
    };
    let opposite = judged.iter().any(|judged| {
        let said = (attendance, judged.said);
        matches!(said, (Attendance::Yes, Ok(Some(Attendance::No))) | (Attendance::No, Ok(Some(Attendance::Yes))))
    });
    let comment = match reply.comment {
        Some(given) if !comment.contains(given.trim()) => bounded(&format!("{given}\n{comment}")),
        _ => comment,
    };
    if opposite {
        return Reading::Uncertain { why: Doubt::Disagree, person, comment };
    }
    person.name = person.name.or(reply.name);
    person.people =
        person.people.or(Some(reply.guests).filter(|guests| (1..500).contains(guests)).map(|guests| guests + 1));
    // The text by a calendar program is the event itself, with any questions in it; its comment is the person's.
    let [_, told] = judged;
    let weighs = matches!(told.said, Err(Doubt::Weigh | Doubt::Contradiction | Doubt::Question | Doubt::TooLong));
    let uid = Some(reply.uid).filter(|uid| !uid.is_empty());
    Reading::Answer(Answer { attendance, person, comment, how: How::Calendar, asks: told.asks || weighs, uid })
}

#[cfg(test)]
#[path = "rsvp/tests.rs"]
mod tests;
