//! Whether a mail reads like an automatic reply of an absent person, although nothing marks it as such. This is not
//! certain: people also write about their absence. So such a mail is never a yes and is never sent to a list
//! automatically, but is not dropped either. Certain cases are handled in `mail/automatic.rs`.

use super::{Reply, ReplyReader};
use crate::mail::incoming::Incoming;

impl ReplyReader {
    /// Whether subject or text are those of an automatic reply.
    pub(crate) fn may_be_automatic(&self, reply: &Reply) -> bool {
        let said = |text: &str| {
            let lower = text.to_lowercase();
            self.text_automatic.iter().chain(&self.text_absence).any(|phrase| lower.contains(phrase.as_str()))
        };
        reply.subject.is_automatic || reply.forms.iter().any(|form| form.lines.iter().any(|line| said(&line.text)))
    }

    /// Whether a mail to a list reads like one: its subject begins as only programs write it, or it says that it is
    /// automatic.
    pub(crate) fn may_be_automatic_post(&self, message: &Incoming) -> bool {
        let subject = self.subject(message.subject());
        let beginning: String = message.text().chars().take(400).flat_map(char::to_lowercase).collect();
        subject.is_automatic || self.text_automatic.iter().any(|phrase| beginning.contains(phrase.as_str()))
    }
}
