//! What a question says, whatever the channel of the request: a statement for each action, its signed code, and until
//! when it can be answered. The question goes by mail to the address concerned. Of a sensitive list it shows neither
//! name nor title.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::base::address::{Address, AddressError};
use crate::base::language::Language;
use crate::base::token::{Key, Purpose};
use crate::composition::list_identity::ListIdentity;
use crate::mail::command::Commands;
use crate::model::list::List;
use crate::model::pending_request::{Action, PendingRequest};
use crate::render::registry::Templates;
use crate::render::template_files::TemplateError;

/// The template of the question.
pub(crate) const TEMPLATE: &str = "confirm";

/// What statements are written with.
pub(crate) struct Wording<'a> {
    /// The templates of mails.
    pub templates: &'a Templates,
    /// The names of languages.
    pub commands: &'a Commands,
    /// The installation's key.
    pub key: &'a Key,
}

impl Wording<'_> {
    /// One action as the statement that the person at `address` agrees to.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(crate) fn statement(
        &self,
        address: &Address,
        list: &List,
        language: &Language,
        action: &Action,
    ) -> Result<String, TemplateError> {
        let mut data = Map::new();
        data.insert("address".to_owned(), json!(address.as_str()));
        if let Some(title) = ListIdentity::new(list, 0, self.key).title {
            data.insert("title".to_owned(), json!(title));
        }
        let joined = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(", ");
        for flag in ["subscribe", "unsubscribe", "pause", "resume", "no_beats", "no_regions"] {
            data.insert(flag.to_owned(), json!(false));
        }
        let (name, value) = match action {
            Action::Subscribe => ("subscribe", json!(true)),
            Action::Unsubscribe => ("unsubscribe", json!(true)),
            Action::Pause => ("pause", json!(true)),
            Action::Resume => ("resume", json!(true)),
            Action::Language(wanted) => ("language_name", json!(self.commands.name_of(wanted, language))),
            Action::Beats(beats) if beats.is_empty() => ("no_beats", json!(true)),
            Action::Beats(beats) => ("beats", json!(joined(beats))),
            Action::Regions(regions) if regions.is_empty() => ("no_regions", json!(true)),
            Action::Regions(regions) => ("regions", json!(joined(regions))),
        };
        data.insert(name.to_owned(), value);
        Ok(self.templates.write_mail("statement", &[language, &list.language], data)?.subject)
    }
}

/// The signed code of a question.
fn code(key: &Key, pending: &PendingRequest) -> String {
    let minutes = u64::try_from(pending.expires.timestamp().div_euclid(60)).unwrap_or(0);
    key.sign(Purpose::Confirm, &[pending.id.0, minutes])
}

/// The address to which a reply confirms the request.
///
/// # Errors
/// [`AddressError`].
pub(crate) fn reply_to(key: &Key, list: &List, pending: &PendingRequest) -> Result<Address, AddressError> {
    ListIdentity::new(list, 0, key).address_for(&format!("confirm+{}", code(key, pending)))
}

/// The data of the question's template.
pub(crate) fn data(key: &Key, pending: &PendingRequest, statements: &[String]) -> Value {
    json!({
        "address": pending.address.as_str(),
        "statements": statements,
        "subscribe": pending.asks_for(&Action::Subscribe),
        "unsubscribe": pending.asks_for(&Action::Unsubscribe),
        "code": code(key, pending),
        "until": pending.expires.format("%Y-%m-%d").to_string(),
    })
}
