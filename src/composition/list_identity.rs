//! How a list appears in the mail sent to it: addresses, List-* fields, envelope sender.
//!
//! A list marked sensitive shows neither its name nor its title: in their place stands an opaque label, a keyed hash
//! of its address. A message in transit, a relay's log or a shared mailbox's header view does not reveal which list
//! the recipient is on. Mail to the label's addresses carries a signed token, which identifies the person and the
//! subject.

use crate::base::address::{Address, AddressError};
use crate::base::id::ListName;
use crate::base::token::{Key, to_hex};
use crate::mail::compose::ListFields;
use crate::model::list::{List, Privacy};

/// The longest local part that leaves space for `-unsubscribe+` and a token within 64 bytes (RFC 5321 §4.5.3.1.1).
const LONGEST_PLAIN: usize = 20;

/// The opaque label of a list: replaces its name if that is sensitive or too long.
pub fn label(key: &Key, list: &List) -> String {
    format!("l{}", &to_hex(&key.hash_address(&list.address))[..16])
}

/// Whether a local part may be a [`label`].
pub(crate) fn is_label(text: &str) -> bool {
    text.len() == 17 && text.starts_with('l') && text[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One list, as it appears in its mail.
#[derive(Clone, Debug)]
pub(crate) struct ListIdentity {
    /// Its name in this installation; never shown for a sensitive list.
    pub name: ListName,
    /// Its position among the lists of the mailing's audience, in order of name: part of unsubscribe tokens.
    pub place: u64,
    /// The title that may be shown to readers.
    pub title: Option<String>,
    /// The default sender address.
    pub address: Address,
    /// The person responsible for it.
    pub owner: Address,
    /// Whether it is sensitive.
    pub sensitive: bool,
    /// The List-* fields.
    pub fields: ListFields,
    shown: Address,
    /// The prefix of `-bounces+…`, `-unsubscribe+…` and `-rsvp+…` addresses.
    alias: String,
    domain: String,
}

impl ListIdentity {
    /// The identity of `list`, at position `place` in its mailing's audience.
    pub(crate) fn new(list: &List, place: u64, key: &Key) -> Self {
        let (local, domain) = (list.address.local_part(), list.address.domain());
        let sensitive = list.privacy == Privacy::Sensitive;
        let label = label(key, list);
        let shown = if sensitive { label.as_str() } else { local };
        let alias = if shown.len() > LONGEST_PLAIN { label.clone() } else { shown.to_owned() };
        let title = (!sensitive).then(|| list.title.clone());
        let fields = ListFields {
            title: title.clone().unwrap_or_default(),
            // RFC 2919 §2: a name under a domain of ours; stable, because filters are built on it.
            id: format!("{shown}.{domain}"),
            owner: format!("mailto:{shown}-owner@{domain}"),
            help: format!("mailto:{shown}-request@{domain}?subject=help"),
        };
        // A label is letters and digits, so with the list's own domain it is an address.
        let shown_address = format!("{shown}@{domain}").parse().unwrap_or_else(|_| list.owner.clone());
        let (alias, domain) = (alias.to_ascii_lowercase(), domain.to_owned());
        let (name, address, owner) = (list.name.clone(), list.address.clone(), list.owner.clone());
        Self { name, place, title, address, owner, sensitive, fields, shown: shown_address, alias, domain }
    }

    /// The envelope sender of one delivery (VERP): its token identifies the delivery in bounces.
    pub(crate) fn bounce_address(&self, token: &str) -> String {
        format!("{}-bounces+{token}@{}", self.alias, self.domain)
    }

    /// The address that ends one subscription.
    pub(crate) fn unsubscribe_address(&self, token: &str) -> String {
        format!("{}-unsubscribe+{token}@{}", self.alias, self.domain)
    }

    /// The address for one reader's answer to an invitation.
    pub(crate) fn rsvp_address(&self, token: &str) -> String {
        format!("{}-rsvp+{token}@{}", self.alias, self.domain)
    }

    /// Its address for a purpose, e.g. `request` or `owner`, as it may be shown.
    ///
    /// # Errors
    /// [`AddressError`]: only for a `what` that no address can contain.
    pub(crate) fn address_for(&self, what: &str) -> Result<Address, AddressError> {
        format!("{}-{what}@{}", self.alias, self.domain).parse()
    }

    /// The address at which an invented reader is shown.
    pub(crate) fn example_address(&self) -> Address {
        format!("kim.exempel@{}", self.domain).parse().unwrap_or_else(|_| self.owner.clone())
    }

    /// The address for decisions about a held post.
    pub(crate) fn decide_address(&self, token: &str) -> String {
        format!("{}-decide+{token}@{}", self.alias, self.domain)
    }

    /// The list's address as shown in its mail: for a sensitive list, that of its label.
    pub(crate) fn shown_address(&self) -> &Address {
        &self.shown
    }

    /// What approvals are bound to of a list, as one line of text. Approvals are stored as hashes of it, so it stays byte for
    /// byte as it is.
    pub(crate) fn canonical(&self) -> String {
        let (name, address, owner, sensitive) = (&self.name, &self.address, &self.owner, self.sensitive);
        let title = self.title.as_deref().unwrap_or_default();
        format!("list {name} {} {} sensitive={sensitive} {title}\n", address.as_str(), owner.as_str())
    }

    /// The domain of its address.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::language::Language;
    use crate::base::token::Purpose;
    use crate::model::list::{Joining, ListKind};

    fn list(name: &str, privacy: Privacy) -> List {
        List {
            name: name.parse().unwrap(),
            title: "Strejkfonden".into(),
            address: format!("{name}@lists.example.org").parse().unwrap(),
            kind: ListKind::Announce,
            joining: Joining::Closed,
            owner: "kansli@example.org".parse().unwrap(),
            language: Language::swedish(),
            privacy,
            approval: false,
            approvals: 1,
            test_mail: Default::default(),
            posting: Default::default(),
            created: Default::default(),
        }
    }

    #[test]
    fn an_ordinary_list_shows_its_name() {
        let identity = ListIdentity::new(&list("media", Privacy::Ordinary), 0, &Key::new([7; 32]));
        assert_eq!(identity.fields.id, "media.lists.example.org");
        assert_eq!(identity.fields.title, "Strejkfonden");
        assert_eq!(identity.bounce_address("abc"), "media-bounces+abc@lists.example.org");
    }

    #[test]
    fn a_sensitive_list_shows_neither_name_nor_title() {
        let identity = ListIdentity::new(&list("strejk", Privacy::Sensitive), 0, &Key::new([7; 32]));
        let shown =
            format!("{:?} {} {}", identity.fields, identity.bounce_address("t"), identity.unsubscribe_address("t"));
        assert!(!shown.to_lowercase().contains("strejk"), "{shown}");
        let other = ListIdentity::new(&list("strejk", Privacy::Sensitive), 0, &Key::new([8; 32]));
        assert_ne!(identity.fields.id, other.fields.id, "the label can be guessed");
    }

    #[test]
    fn signed_addresses_are_addresses_for_every_list_and_number() {
        let key = Key::new([7; 32]);
        for name in ["a", "media", "a-very-long-list-name-of-forty-letters-x"] {
            for privacy in [Privacy::Ordinary, Privacy::Sensitive] {
                let identity = ListIdentity::new(&list(name, privacy), 3, &key);
                let token = key.sign(Purpose::Unsubscribe, &[100_000, 10_000_000, 9]);
                for address in [identity.bounce_address(&token), identity.unsubscribe_address(&token)] {
                    assert!(address.parse::<Address>().is_ok(), "{address}");
                }
            }
        }
    }
}
