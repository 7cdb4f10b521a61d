//! The notices about posts: questions to authors and moderators, and notices of the outcome.

use serde_json::{Value, json};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Purpose;
use crate::composition::list_identity::ListIdentity;
use crate::composition::notices::{Draft, NoticeError};
use crate::inbound::HandleError;
use crate::inbound::digest::shown;
use crate::mail::incoming::Incoming;
use crate::mail::reply::{Question, without_tokens};
use crate::model::authentication::Check;
use crate::model::list::List;
use crate::model::post::{Hold, HoldReason, Post};
use crate::store::engine::Batch;
use crate::store::later::{LaterQuestion, put_question};

use super::PostService;

/// Lines of a post quoted in a question.
const LINES: usize = 60;
/// Characters quoted of each line.
const LINE: usize = 300;
/// Questions about held posts to one person per day; further posts are listed in a digest.
pub const QUESTIONS_A_DAY: u32 = 20;
/// Attachments listed in a question.
const ATTACHMENTS: usize = 20;

/// What a question shows of a post.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The parsed post.
    pub(super) message: &'a Incoming,
    /// Whether its header is ambiguous: it can be parsed in another way too.
    pub(super) doubtful: bool,
}

impl PostService {
    /// Writes the questions about a held post, for everyone who is asked, into `batch`.
    pub(super) async fn ask(
        &self,
        batch: &mut Batch,
        post: &Post,
        list: &List,
        Reading { message, doubtful }: Reading<'_>,
    ) -> Result<(), HandleError> {
        let Some(hold) = post.hold() else { return Ok(()) };
        let identity = ListIdentity::new(list, 0, &self.key);
        let template = template_of(hold);
        let mut data = self.question_data(post, hold, message);
        data["doubtful"] = json!(doubtful);
        if hold.reason != HoldReason::Confirmation {
            // A person who decides for several lists must see which list this is.
            data["for_list"] = json!(list.naming());
        }
        for (place, to) in (0u64..).zip(&hold.asked) {
            if hold.reason != HoldReason::Confirmation
                && !self.notices.at_most(batch, to, "post-held", QUESTIONS_A_DAY).await?
            {
                tracing::warn!(post = %post.id, "a question about a held post waits for the next digest: one person was asked too often today");
                put_question(batch, LaterQuestion { post: post.id, place });
                continue;
            }
            let reply_to = self.decide_address(&identity, post, hold, place)?;
            let draft = Draft { reply_to: Some(reply_to), ..draft(template, to, list, data.clone()) };
            self.notices.write(batch, draft).await?;
        }
        Ok(())
    }

    /// The address to which the person at `place` among those asked replies yes or no.
    fn decide_address(
        &self,
        identity: &ListIdentity,
        post: &Post,
        hold: &Hold,
        place: u64,
    ) -> Result<Address, HandleError> {
        let token = self.key.sign(Purpose::Decide, &[post.id.0, u64::from(hold.round), place]);
        Ok(identity.decide_address(&token).parse().map_err(NoticeError::from)?)
    }

    /// A held post in a digest: the recipient, the list and the line. `None` if it no longer waits for that person.
    pub(in crate::inbound) async fn digest_line(
        &self,
        post: &Post,
        place: u64,
    ) -> Result<Option<(Address, List, Value)>, HandleError> {
        let Ok(hold) = post.open(&self.present().await?) else { return Ok(None) };
        let asked = usize::try_from(place).ok().and_then(|place| hold.asked.get(place));
        let (Some(to), Some(list)) = (asked, self.store.list(&post.list).await?) else { return Ok(None) };
        let identity = ListIdentity::new(&list.value, 0, &self.key);
        let line = json!({
            "post": post.id.to_string(),
            "author": post.author.as_str(),
            "subject": shown(if post.subject.trim().is_empty() { "\u{2013}" } else { &post.subject }),
            "until": self.day(hold.until),
            "reply": self.decide_address(&identity, post, hold, place)?.as_str(),
        });
        Ok(Some((to.clone(), list.value, line)))
    }

    /// The question as it was sent, if it can be rendered again, to compare a reply with it.
    pub(super) fn question_of(&self, post: &Post, hold: &Hold, list: &List, message: &Incoming) -> Option<Question> {
        let data = self.question_data(post, hold, message);
        let question = self.notices.question(template_of(hold), &list.language, list, data);
        question.inspect_err(|error| tracing::warn!(%error, "the question could not be rendered again")).ok()
    }

    /// The data of the question's template.
    fn question_data(&self, post: &Post, hold: &Hold, message: &Incoming) -> Value {
        let mut data = about(post);
        data["until"] = json!(self.day(hold.until));
        data["approval"] = json!(hold.reason == HoldReason::Approval);
        data["failed"] = json!(post.authentication.author == Check::Fail);
        data["proven"] = json!(post.authentication.author == Check::Pass);
        data["lines"] = json!(quoted(message));
        data["attachments"] = json!(attachments(message));
        data
    }

    /// Sends an author a notice of the outcome of their post.
    pub(super) async fn notify_author(
        &self,
        batch: &mut Batch,
        template: &str,
        post: &Post,
        list: &List,
        why: &str,
    ) -> Result<(), HandleError> {
        let mut data = about(post);
        if !why.is_empty() {
            data["why"] = json!(why);
        }
        self.notices.write(batch, draft(template, &post.author, list, data)).await?;
        Ok(())
    }

    /// The date of an instant in the installation's time zone.
    fn day(&self, at: Timestamp) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d").to_string()
    }
}

fn template_of(hold: &Hold) -> &'static str {
    if hold.reason == HoldReason::Confirmation { "post-confirm" } else { "post-held" }
}

fn draft<'a>(template: &'a str, to: &'a Address, list: &'a List, data: Value) -> Draft<'a> {
    Draft {
        template,
        language: &list.language,
        to,
        list: Some(list),
        answers: None,
        reply_to: None,
        unsubscribe: None,
        data,
    }
}

pub(super) fn about(post: &Post) -> Value {
    let mut data = json!({ "author": post.author.as_str(), "post": post.id.to_string() });
    if let Some(name) = &post.author_name {
        data["author_name"] = json!(name);
    }
    if !post.subject.trim().is_empty() {
        data["subject"] = json!(post.subject);
    }
    data
}

/// The beginning of the text, enough to show what the post is about.
fn quoted(message: &Incoming) -> Vec<String> {
    // Removes signed codes that the author quotes: they are not for the reader.
    let text = without_tokens(message.text());
    let short = |line: &str| match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}\u{2026}", &line[..end]),
        None => line.to_owned(),
    };
    let mut lines: Vec<String> = text.trim().lines().map(|line| line.trim_end()).take(LINES).map(short).collect();
    if text.trim().lines().nth(LINES).is_some() {
        lines.push("\u{2026}".to_owned());
    }
    lines
}

fn attachments(message: &Incoming) -> Vec<String> {
    let parts = message.parts().iter().filter(|part| !part.is_text_body && !part.content_type.starts_with("text/html"));
    let name = |part: &crate::mail::incoming::Part| {
        let name = part.file_name.clone().unwrap_or_else(|| part.content_type.clone());
        format!("{name} ({} kB)", part.bytes.len().div_ceil(1000))
    };
    parts.take(ATTACHMENTS).map(name).collect()
}
