//! A reply to a question about a held post. Its signed address proves that the sender received the question: the token
//! identifies the post, the round of the question and the person asked. The first decision stands.

use crate::audit::{AuditLog, AuditNote, BY_MAIL};
use crate::base::address::Address;
use crate::base::id::PostId;
use crate::base::token::Purpose;
use crate::composition::notices::{Draft, is_of_program, may_answer};
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::header_check::author_and_doubt;
use crate::mail::incoming::Incoming;
use crate::mail::post_decision::PostDecision;
use crate::mail::reply::Sender;
use crate::mailings::decide::{PostDecided, PostVote, Vote, decide_post};
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::model::post::{DecisionError, HoldReason, Post, PostState};
use crate::runtime::reading;
use crate::store::Read;
use crate::store::decided::Decided;

use super::PostService;
use super::ask::{Reading, about};

/// Notices of rejections to one author per day.
const NOTICES: u32 = 20;

impl PostService {
    /// Returns what a reply to a question about a post does; `None` if a person must read it.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn decide(
        &self,
        item: &Item,
        list: &Read<List>,
        token: &str,
    ) -> Result<Option<Effects>, HandleError> {
        let Some(numbers) = self.key.verify(Purpose::Decide, token) else { return Ok(None) };
        let [id, round, place] = numbers[..] else { return Ok(None) };
        let Some(read) = self.store.post(PostId(id)).await?.filter(|read| read.value.list == list.value.name) else {
            return Ok(None);
        };
        if is_of_program(item.inbound.arrival.sender.as_deref(), &item.message) {
            return Ok(Some(Effects::none(InboundKind::AutoReply, "an automatic answer to a question about a post")));
        }
        let hold = match read.value.open(&self.present().await?) {
            Ok(hold) if u64::from(hold.round) == round => hold,
            Ok(_) => return self.too_late(item, list, &read.value, &DecisionError::OldQuestion(PostId(id))).await,
            Err(error) => return self.too_late(item, list, &read.value, &error).await,
        };
        let asked = usize::try_from(place).ok().and_then(|place| hold.asked.get(place));
        let Some(by) = asked.map(Address::to_string) else { return Ok(None) };
        let reason = hold.reason;
        let question = match reason {
            HoldReason::Confirmation => {
                let (message, _) = self.message(&read.value).await?;
                self.question_of(&read.value, hold, &list.value, &message)
            }
            // An empty reply decides nothing about another person's post.
            HoldReason::Moderation | HoldReason::Approval => None,
        };
        let name = item.message.from().map(|from| from.name.as_str()).unwrap_or_default();
        let reply = self.words.reader().read(&item.message);
        let sender = Sender { address: &by, name };
        let (what, mut effects) = match self.words.read(&reply, sender, question.as_ref()) {
            PostDecision::Approve => ("post approve", self.approved(list, &read, &by).await?),
            // Here the author only confirms authorship; approving another person's post needs an explicit word.
            PostDecision::Silent if reason == HoldReason::Confirmation => {
                ("post approve", self.approved(list, &read, &by).await?)
            }
            PostDecision::Refuse { why } => ("post refuse", self.refused(list, &read, &by, &why).await?),
            PostDecision::Silent | PostDecision::Unclear => return Ok(None),
        };
        let about = format!("{} {}", PostId(id), item.inbound.id);
        let note = AuditNote { who: BY_MAIL.to_owned(), ..AuditNote::of_daemon(what, about, "") };
        let log = AuditLog::new(self.store.clone(), self.clock.clone(), self.key.clone());
        log.add(&mut effects.batch, &note).await?;
        Ok(Some(effects))
    }

    /// The effects of approving a held post: it is held for a second person if the list requires one, else it is sent.
    pub(super) async fn approved(
        &self,
        list: &Read<List>,
        read: &Read<Post>,
        by: &str,
    ) -> Result<Effects, HandleError> {
        self.said(list, read, Vote::Approve, by).await
    }

    /// The effects of rejecting a held post. Its author is notified if a reason is given or if their identity is
    /// verified.
    pub(super) async fn refused(
        &self,
        list: &Read<List>,
        read: &Read<Post>,
        by: &str,
        why: &str,
    ) -> Result<Effects, HandleError> {
        self.said(list, read, Vote::Refuse { why }, by).await
    }

    async fn said(
        &self,
        list: &Read<List>,
        read: &Read<Post>,
        says: Vote<'_>,
        by: &str,
    ) -> Result<Effects, HandleError> {
        let word = PostVote { post: read, list, says, by, at: self.clock.now() };
        let Decided { outcome, mut batch } = decide_post(&self.store, self.zone, &word).await?;
        let id = read.value.id;
        let note = match outcome {
            PostDecided::Sent(mailing) => format!("post {id} goes out as mailing {mailing}"),
            PostDecided::AsksAgain(post) => {
                let (message, doubtful) = self.message(&post).await?;
                self.ask(&mut batch, &post, &list.value, Reading { message: &message, doubtful }).await?;
                format!("post {id} is held for approval")
            }
            PostDecided::Refused { post, may_tell } => {
                if may_tell && self.notices.at_most(&mut batch, &post.author, "post-refused", NOTICES).await? {
                    let why = if let Vote::Refuse { why } = says { why } else { "" };
                    self.notify_author(&mut batch, "post-refused", &post, &list.value, why).await?;
                }
                format!("post {id} is refused")
            }
            PostDecided::Not(error) => return Err(HandleError::Broken(error.to_string())),
        };
        Ok(Effects { batch, kind: InboundKind::Decision, note, notify: true, bounce: None })
    }

    /// Notifies a person who decides too late that nothing was changed.
    async fn too_late(
        &self,
        item: &Item,
        list: &Read<List>,
        post: &Post,
        error: &DecisionError,
    ) -> Result<Option<Effects>, HandleError> {
        let mut effects = Effects::none(InboundKind::Decision, error.to_string());
        let sender = item.inbound.arrival.sender.as_deref();
        let to = sender.filter(|_| may_answer(sender, &item.message)).and_then(|sender| sender.parse::<Address>().ok());
        let Some(to) = to else { return Ok(Some(effects)) };
        if !self.notices.once_a_day(&mut effects.batch, &to, &format!("post-late {}", post.id)).await? {
            return Ok(Some(effects));
        }
        let mut data = about(post);
        let present = self.present().await?;
        let word = match &post.state {
            PostState::Held(hold) if hold.is_over(&present) => "expired",
            state => state.word(),
        };
        data[word] = serde_json::Value::Bool(true);
        let draft = Draft {
            template: "post-late",
            language: &list.value.language,
            to: &to,
            list: Some(&list.value),
            answers: Some(&item.message),
            reply_to: None,
            unsubscribe: None,
            data,
        };
        self.notices.write(&mut effects.batch, draft).await?;
        effects.notify = true;
        Ok(Some(effects))
    }

    /// The parsed post, and whether its header can be parsed in another way too.
    async fn message(&self, post: &Post) -> Result<(Incoming, bool), HandleError> {
        let bytes = self.blobs.read(&post.blob.sha256).await.map_err(|error| HandleError::Broken(error.to_string()))?;
        let doubtful = !matches!(author_and_doubt(&bytes), Ok((_, None)));
        let message = reading::parse(bytes).await.map_err(|error| HandleError::Broken(error.to_string()))?;
        Ok((message, doubtful))
    }
}
