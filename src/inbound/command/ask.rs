//! A mail that asks for something: the request is recorded, and a question is sent to the address concerned. The rules
//! and limits are those of [`subscribers::ask`](crate::subscribers::ask).

use serde_json::json;

use crate::base::id::PendingRequestId;
use crate::inbound::destination::Role;
use crate::inbound::{Effects, HandleError};
use crate::mail::command::Command;
use crate::model::pending_request::Action;
use crate::store::engine::Batch;
use crate::subscribers::ask::{Asked, Asking, Next, Question, Stated};
use crate::subscribers::question::{self, Wording};

use super::{CommandService, DraftEffects, NOTICE_WORDS, REMARK_WORDS, Request, draft};

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
        let Asked::Open { next, invitation_only } = decided.outcome else { return Ok(None) };
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
        self.follow(&mut effects, request, next, decided.batch).await?;
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
            effects.note("answered what happens next");
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

    /// Does what follows from the request: writes the question, or forwards a request over the daily limit to the owner.
    /// `recorded` is the batch of the decision.
    async fn follow(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        next: Next,
        recorded: Batch,
    ) -> Result<(), HandleError> {
        match next {
            Next::Nothing => return Ok(()),
            Next::Send(question) => self.question(effects, request, &question).await?,
            Next::AskedToday => effects.note("the same was asked today"),
            Next::DayFull { leaving } => {
                effects.had_today(question::TEMPLATE);
                let why = match leaving {
                    true => "a request to leave, and no confirmation was asked for",
                    false => "more requests in a day than confirmations are asked for",
                };
                self.forward_to_owner(effects, request.item, request.list, why).await?;
            }
            Next::Later(_) => effects.postpone(question::TEMPLATE),
        }
        effects.batch.append(recorded);
        Ok(())
    }

    async fn question(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        asked: &Question,
    ) -> Result<(), HandleError> {
        let (pending, key) = (&asked.pending, &self.rulebook.key);
        let reply_to = question::reply_to(key, request.list, pending);
        let reply_to = reply_to.map_err(|error| HandleError::Broken(format!("the address for the reply: {error}")))?;
        let data = question::data(key, pending, &asked.statements);
        let mut notice = draft(request, question::TEMPLATE, &request.from, data);
        notice.reply_to = Some(reply_to);
        self.notices.write(&mut effects.batch, notice).await?;
        effects.notify = true;
        effects.note("asked for a confirmation");
        Ok(())
    }

    /// What is asked for, with the statements that a person agrees to.
    fn asking<'a>(&self, request: &'a Request<'_>, actions: Vec<Action>) -> Result<Asking<'a>, HandleError> {
        let content = self.content.get();
        let wording = Wording { templates: &content.templates, commands: &self.commands, key: &self.rulebook.key };
        let mut stated = Vec::with_capacity(actions.len());
        for action in actions {
            let statement = wording.statement(&request.from, request.list, &request.language, &action);
            let statement = statement.map_err(|error| HandleError::Broken(error.to_string()))?;
            stated.push(Stated { statement, action });
        }
        Ok(Asking {
            id: PendingRequestId(request.item.inbound.id.0),
            address: &request.from,
            list: request.list,
            language: &request.language,
            actions: stated,
            machine: request.item.inbound.arrival.peer,
            at: self.clock.now(),
            settings: self.settings,
        })
    }
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
