//! Jobs that follow from limits: handles postponed mail again in a later hour, and sends what was over the daily limit
//! of notices to each person as one digest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::address::Address;
use crate::base::id::ListName;
use crate::composition::notices::Draft;
use crate::mail::incoming::Incoming;
use crate::model::inbound::{Inbound, InboundState};
use crate::model::list::List;
use crate::store::StoreError;
use crate::store::engine::Batch;
use crate::store::inbound::put_waiting;
use crate::store::later::{LaterForward, LaterQuestion, delete_answer, delete_forward, delete_question};
use crate::store::spool::{Spool, SpoolError};

use super::HandleError;
use super::post::PostService;

/// Maximum lines in one digest; the rest goes into the next one.
const LINES: usize = 100;
/// Postponed messages released per commit.
const STEP: usize = 100;
/// Bytes of a message from which its header is read.
const HEADER: usize = 64 * 1024;
/// Maximum characters shown of a subject or a sender.
const SHOWN: usize = 120;

/// Writes digests, and releases postponed mail.
#[derive(Clone)]
pub struct Digests {
    /// Service that holds the posts and writes notices.
    pub posts: PostService,
    /// Where the raw messages are stored.
    pub spool: Spool,
    /// Who receives mail that came to no list; if absent, the owner of the first list.
    pub postmaster: Option<Address>,
}

/// One digest: for one person, about one list.
struct Page {
    to: Address,
    list: List,
    questions: Vec<(LaterQuestion, Value)>,
    forwards: Vec<(LaterForward, Value)>,
}

impl Digests {
    /// Releases postponed mail whose time has come, to be handled again. Returns the number of messages.
    ///
    /// # Errors
    /// [`HandleError`]: messages released before it stay released.
    pub async fn bring_up(&self) -> Result<u64, HandleError> {
        let (store, now) = (&self.posts.store, self.posts.clock.now());
        let mut brought = 0;
        loop {
            let before = brought;
            let due = store.later_answers(now, STEP).await?;
            for (at, id) in &due {
                let mut batch = Batch::new();
                delete_answer(&mut batch, *at, *id);
                match store.inbound(*id).await {
                    Ok(Some(read)) if matches!(read.value.state, InboundState::Handled { .. }) => {
                        put_waiting(&mut batch, &read);
                        brought += 1;
                    }
                    Ok(_) => {}
                    // One unreadable record must not block the others.
                    Err(StoreError::Record(error)) => {
                        tracing::error!(inbound = %id, %error, "a postponed mail cannot be handled again");
                    }
                    Err(error) => return Err(error.into()),
                }
                // No effect if it was changed at the same moment: then it is released at the next run.
                store.commit(batch).await?;
            }
            if due.len() < STEP || brought == before {
                return Ok(brought);
            }
        }
    }

    /// Sends each person their digests. Returns the number of notices.
    ///
    /// # Errors
    /// [`HandleError`]: one could not be written; the digests that could be are kept.
    pub async fn write(&self) -> Result<u64, HandleError> {
        let mut pages = BTreeMap::new();
        self.collect_questions(&mut pages).await?;
        self.collect_forwards(&mut pages).await?;
        let mut written = 0;
        let mut failed = None;
        for page in pages.into_values() {
            // A digest that cannot be written must not block the others.
            match self.write_page(page).await {
                Ok(()) => written += 1,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(written), Err)
    }

    async fn collect_questions(&self, pages: &mut BTreeMap<(String, ListName), Page>) -> Result<(), HandleError> {
        let store = &self.posts.store;
        for question in store.later_questions().await? {
            let line = match store.post(question.post).await? {
                Some(read) => self.posts.digest_line(&read.value, question.place).await?,
                None => None,
            };
            match line {
                Some((to, list, line)) => page(pages, to, list).questions.push((question, line)),
                // It was decided meanwhile.
                None => {
                    let mut batch = Batch::new();
                    delete_question(&mut batch, question);
                    store.commit(batch).await?;
                }
            }
        }
        Ok(())
    }

    async fn collect_forwards(&self, pages: &mut BTreeMap<(String, ListName), Page>) -> Result<(), HandleError> {
        let store = &self.posts.store;
        for forward in store.later_forwards().await? {
            let list = match &forward.list {
                Some(name) => store.list(name).await?.map(|read| read.value),
                None => None,
            };
            let is_of_list = list.is_some();
            let list = match list {
                Some(list) => Some(list),
                None => store.lists().await?.into_iter().next().map(|read| read.value),
            };
            let (Some(read), Some(list)) = (store.inbound(forward.inbound).await?, list) else {
                let mut batch = Batch::new();
                delete_forward(&mut batch, forward.inbound);
                store.commit(batch).await?;
                tracing::warn!(inbound = %forward.inbound, "a message was deleted by age before its digest was written");
                continue;
            };
            let line = self.line(&read.value).await?;
            let postmaster = self.postmaster.clone().filter(|_| !is_of_list);
            let to = postmaster.unwrap_or_else(|| list.owner.clone());
            page(pages, to, list).forwards.push((forward, line));
        }
        Ok(())
    }

    async fn line(&self, inbound: &Inbound) -> Result<Value, HandleError> {
        let bytes = match self.spool.read(inbound.place).await {
            Ok(bytes) => bytes,
            // Its header is no longer available, but it is still listed.
            Err(SpoolError::Dropped { .. } | SpoolError::Erased { .. } | SpoolError::Damaged { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let message = Incoming::parse(&bytes[..bytes.len().min(HEADER)]).unwrap_or_default();
        let from = message.from().map(|from| from.address.clone());
        let from = from.or_else(|| inbound.arrival.sender.clone()).unwrap_or_else(|| "<>".to_owned());
        let at = inbound.arrival.at.with_timezone(&self.posts.zone).format("%Y-%m-%d %H:%M").to_string();
        let id = inbound.id.to_string();
        let subject = if message.subject().trim().is_empty() { id.as_str() } else { message.subject() };
        Ok(json!({ "inbound": id, "from": shown(&from), "subject": shown(subject), "at": at }))
    }

    async fn write_page(&self, page: Page) -> Result<(), HandleError> {
        let Page { to, list, questions, forwards } = page;
        let count = questions.len() + forwards.len();
        let (asked, rest) = (&questions[..questions.len().min(LINES)], LINES.saturating_sub(questions.len()));
        let passed = &forwards[..forwards.len().min(rest)];
        let mut data = json!({
            "for_list": list.naming(),
            "count": count,
            "questions": asked.iter().map(|(_, line)| line).collect::<Vec<_>>(),
            "forwards": passed.iter().map(|(_, line)| line).collect::<Vec<_>>(),
        });
        data["more"] = json!(count - asked.len() - passed.len());
        let draft = Draft {
            template: "digest",
            language: &list.language,
            to: &to,
            list: Some(&list),
            answers: None,
            reply_to: None,
            unsubscribe: None,
            data,
        };
        let mut batch = Batch::new();
        self.posts.notices.write(&mut batch, draft).await?;
        asked.iter().for_each(|(question, _)| delete_question(&mut batch, *question));
        passed.iter().for_each(|(forward, _)| delete_forward(&mut batch, forward.inbound));
        self.posts.store.commit(batch).await?;
        tracing::warn!(items = asked.len() + passed.len(), "a digest was written: a limit of the day had been reached");
        Ok(())
    }
}

fn page(pages: &mut BTreeMap<(String, ListName), Page>, to: Address, list: List) -> &mut Page {
    let key = (to.person_key(), list.name.clone());
    pages.entry(key).or_insert_with(|| Page { to, list, questions: Vec::new(), forwards: Vec::new() })
}

/// As a single line, shortened to [`SHOWN`] characters.
pub(super) fn shown(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text,
    }
}
