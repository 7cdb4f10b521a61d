//! Whether a mail reads as if a program had written it for somebody who is away, although nothing marks it so. It is not
//! certain: a person may write of their absence. So such a mail is never a yes and never goes to everybody by itself, but is
//! not dropped either. What is certain is for `mail/automatic.rs`.

use super::{Reply, ReplyReader};
use crate::mail::incoming::Incoming;

impl ReplyReader {
    /// Whether subject or words are those of such a program.
    pub fn may_be_automatic(&self, reply: &Reply) -> bool {
        let said = |text: &str| {
            let lower = text.to_lowercase();
            self.text_automatic.iter().chain(&self.text_absence).any(|phrase| lower.contains(phrase.as_str()))
        };
        reply.subject.is_automatic || reply.forms.iter().any(|form| form.lines.iter().any(|line| said(&line.text)))
    }

    /// Whether a mail to a list reads so: its subject begins as only programs begin it, or it says that it is automatic.
    pub fn may_be_automatic_post(&self, message: &Incoming) -> bool {
        let subject = self.subject(message.subject());
        let beginning: String = message.text().chars().take(400).flat_map(char::to_lowercase).collect();
        subject.is_automatic || self.text_automatic.iter().any(|phrase| beginning.contains(phrase.as_str()))
    }
}
