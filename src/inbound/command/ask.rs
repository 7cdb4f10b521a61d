//! A mail that asks for something: the request is recorded, and a question is sent to the address concerned.

use serde_json::{Map, Value, json};

use crate::base::id::PendingRequestId;
use crate::base::token::{Key, Purpose};
use crate::composition::list_identity::ListIdentity;
use crate::inbound::destination::Role;
use crate::inbound::{Effects, HandleError};
use crate::mail::command::Command;
use crate::model::pending_request::{Action, PendingRequest};
use crate::store::engine::Batch;
use crate::subscribers::ask::{Asked, Asking, Question, Stated};

use super::{CommandService, DraftEffects, NOTICE_WORDS, REMARK_WORDS, Request, draft};

/// The template of the confirmation question.
pub(super) const QUESTION: &str = "confirm";
/// Maximum questions about settings to one address per day.
const SETTINGS_A_DAY: u32 = 2;

/// What a mail asks for, by its destination address and its commands.
#[derive(Default)]
struct Wants {
    actions: Vec<Action>,
    which: bool,
    help: bool,
    erase: bool,
}

impl CommandService {
    /// Records the request and writes the question; answers commands that need no confirmation. `None`: a person must
    /// read it.
    pub(super) async fn asked(&self, request: &Request<'_>) -> Result<Option<Effects>, HandleError> {
        let mut asked = what_is_asked(request);
        if request.reading.commands.contains(&Command::Owner) {
            return Ok(None);
        }
        let nothing = asked.actions.is_empty() && !asked.which && !asked.help && !asked.erase;
        let files = request.item.message.parts().iter().any(|part| part.is_attachment);
        if nothing && (request.reading.other_words > NOTICE_WORDS || files) {
            return Ok(None);
        }
        asked.help |= nothing;
        let mut effects = DraftEffects::new();
        let decided = self.rulebook.ask(&self.asking(request, asked.actions)?).await?;
        let Asked::Open { question, invitation_only } = decided.outcome else { return Ok(None) };
        if invitation_only {
            self.forward_to_owner(&mut effects, request.item, request.list, "a request to join a closed list").await?;
            let closed = draft(request, "closed", &request.from, json!({}));
            self.answer(&mut effects, request, closed).await?;
        } else if request.reading.other_words > REMARK_WORDS {
            self.forward_to_owner(
                &mut effects,
                request.item,
                request.list,
                "there is a message to a person beside the commands",
            )
            .await?;
        }
        if let Some(question) = question {
            self.question(&mut effects, request, &question, decided.batch).await?;
        }
        if asked.which {
            self.which(&mut effects, request).await?;
        }
        if asked.erase {
            self.erase(&mut effects, request).await?;
        }
        if asked.help {
            self.help(&mut effects, request, nothing).await?;
        }
        Ok(Some(self.finish(effects, request).await?))
    }

    /// A person carries out erasures and must know who asked, so the request is forwarded to them and its author is
    /// informed.
    async fn erase(&self, effects: &mut DraftEffects, request: &Request<'_>) -> Result<(), HandleError> {
        self.forward_to_owner(effects, request.item, request.list, "a request to be erased").await?;
        let notice = draft(request, "erasure", &request.from, json!({ "address": request.from.as_str() }));
        if self.answer(effects, request, notice).await? {
            effects.note("told what happens");
        }
        Ok(())
    }

    /// Sends the help, at most once a day. If a second mail without a command would get it again, a person reads that
    /// mail instead.
    async fn help(&self, effects: &mut DraftEffects, request: &Request<'_>, nothing: bool) -> Result<(), HandleError> {
        let message = &request.item.message;
        if self.answer(effects, request, draft(request, "help", &request.from, json!({}))).await? {
            effects.note("help");
        } else if nothing
            && !effects.postponed
            && !(message.subject().trim().is_empty() && message.text().trim().is_empty())
        {
            self.forward_to_owner(
                effects,
                request.item,
                request.list,
                "it was not understood, and help was already sent today",
            )
            .await?;
        }
        Ok(())
    }

    /// Sends the question. At most four a day go to each address, over all lists: one about leaving or pausing, one
    /// about joining, two about settings, which new subscribers are invited to choose. A mail bomber can thus cause at
    /// most four mails a day, and a forged request of one kind does not block the other kinds. A request over the limit
    /// is forwarded to the owner, unless the same was asked today.
    async fn question(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        question: &Question,
        noted: Batch,
    ) -> Result<(), HandleError> {
        let (pending, key) = (&question.pending, &self.rulebook.key);
        let leaves = pending.actions.iter().any(|action| matches!(action, Action::Unsubscribe | Action::Pause));
        let code = code_of(key, pending);
        let reply_to = ListIdentity::new(request.list, 0, key).address_for(&format!("confirm+{code}"));
        let reply_to = reply_to.map_err(|error| HandleError::Broken(format!("the address for the reply: {error}")))?;
        let mut notice = draft(request, QUESTION, &request.from, question_data(key, pending, &question.statements));
        notice.reply_to = Some(reply_to);
        let counted = match (leaves, pending.asks_for(&Action::Subscribe)) {
            (true, _) => ("confirm leaving", 1),
            (false, true) => ("confirm", 1),
            (false, false) => ("confirm settings", SETTINGS_A_DAY),
        };
        let mut seen = Batch::new();
        let same = format!("wish {}\n{:?}", pending.list, pending.actions);
        let is_new = self.notices.once_a_day(&mut seen, &request.from, &same).await?;
        if !is_new && !leaves {
            effects.note("the same was asked today");
            return Ok(());
        }
        if self.answer_counted(effects, request, notice, counted).await? {
            effects.batch.append(noted);
            effects.note("asked for a confirmation");
        } else if !effects.postponed {
            let why = if leaves {
                "a request to leave, and no confirmation was asked for"
            } else {
                "more requests in a day than confirmations are asked for"
            };
            self.forward_to_owner(effects, request.item, request.list, why).await?;
        }
        effects.batch.append(seen);
        Ok(())
    }

    /// What is asked for, with the statements that a person agrees to.
    fn asking<'a>(&self, request: &'a Request<'_>, actions: Vec<Action>) -> Result<Asking<'a>, HandleError> {
        let title = ListIdentity::new(request.list, 0, &self.rulebook.key).title;
        let mut stated = Vec::with_capacity(actions.len());
        for action in actions {
            stated.push(Stated { statement: self.statement(request, title.as_deref(), &action)?, action });
        }
        let at = self.clock.now();
        Ok(Asking {
            id: PendingRequestId(request.item.inbound.id.0),
            address: &request.from,
            list: request.list,
            language: &request.language,
            actions: stated,
            at,
            until: at + self.settings.confirmation,
        })
    }

    /// One action as the statement that a person agrees to.
    fn statement(&self, request: &Request<'_>, title: Option<&str>, action: &Action) -> Result<String, HandleError> {
        let mut data = Map::new();
        data.insert("address".to_owned(), json!(request.from.as_str()));
        if let Some(title) = title {
            data.insert("title".to_owned(), json!(title));
        }
        let joined =
            |values: &std::collections::BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(", ");
        let (none, flags) =
            (Default::default(), ["subscribe", "unsubscribe", "pause", "resume", "no_beats", "no_regions"]);
        flags.into_iter().for_each(|flag| drop(data.insert(flag.to_owned(), json!(false))));
        let (name, value) = match action {
            Action::Subscribe => ("subscribe", json!(true)),
            Action::Unsubscribe => ("unsubscribe", json!(true)),
            Action::Pause => ("pause", json!(true)),
            Action::Resume => ("resume", json!(true)),
            Action::Language(language) => ("language_name", json!(self.commands.name_of(language, &request.language))),
            Action::Beats(beats) if *beats == none => ("no_beats", json!(true)),
            Action::Beats(beats) => ("beats", json!(joined(beats))),
            Action::Regions(regions) if *regions == none => ("no_regions", json!(true)),
            Action::Regions(regions) => ("regions", json!(joined(regions))),
        };
        data.insert(name.to_owned(), value);
        let wanted = [&request.language, &request.list.language];
        let written = self.content.get().templates.write_mail("statement", &wanted, data);
        written.map(|written| written.subject).map_err(|error| HandleError::Broken(error.to_string()))
    }
}

/// The signed code of a question.
fn code_of(key: &Key, pending: &PendingRequest) -> String {
    let minutes = u64::try_from(pending.expires.timestamp().div_euclid(60)).unwrap_or(0);
    key.sign(Purpose::Confirm, &[pending.id.0, minutes])
}

/// The data of the question's template.
pub(super) fn question_data(key: &Key, pending: &PendingRequest, statements: &[String]) -> Value {
    json!({
        "address": pending.address.as_str(),
        "statements": statements,
        "subscribe": pending.asks_for(&Action::Subscribe),
        "unsubscribe": pending.asks_for(&Action::Unsubscribe),
        "code": code_of(key, pending),
        "until": pending.expires.format("%Y-%m-%d").to_string(),
    })
}

/// What a mail asks for, by its address or its commands. Settings also count beside a request to join.
fn what_is_asked(request: &Request<'_>) -> Wants {
    let mut asked = Wants::default();
    let by_address = match request.role {
        Role::Subscribe => Some(Action::Subscribe),
        Role::Unsubscribe { .. } => Some(Action::Unsubscribe),
        Role::Pause => Some(Action::Pause),
        Role::Resume => Some(Action::Resume),
        Role::Which => {
            asked.which = true;
            return asked;
        }
        Role::Help => {
            asked.help = true;
            return asked;
        }
        _ => None,
    };
    let only_settings = by_address.is_some();
    asked.actions.extend(by_address);
    for command in &request.reading.commands {
        let action = match command {
            Command::Language(language) => Action::Language(language.clone()),
            Command::Beats(beats) => Action::Beats(beats.clone()),
            Command::Regions(regions) => Action::Regions(regions.clone()),
            _ if only_settings => continue,
            Command::Subscribe => Action::Subscribe,
            Command::Unsubscribe => Action::Unsubscribe,
            Command::Pause => Action::Pause,
            Command::Resume => Action::Resume,
            Command::Which => {
                asked.which = true;
                continue;
            }
            Command::Help => {
                asked.help = true;
                continue;
            }
            Command::Erase => {
                asked.erase = true;
                continue;
            }
            Command::Confirm | Command::Owner => continue,
        };
        asked.actions.push(action);
    }
    asked
}
