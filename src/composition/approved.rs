//! The hashes that an approval is bound to.

use std::collections::BTreeSet;

use crate::base::token::{self, to_hex};
use crate::model::mailing::AudienceQuery;
use crate::model::release::Blob;

/// The hash that an approval of a post is bound to: of its bytes and the audience.
pub(crate) fn post_hash(blob: &Blob, audience: &AudienceQuery) -> String {
    let bytes = [blob.sha256, audience_hash(audience)].concat();
    to_hex(&token::content_hash(&bytes))
}

/// The hash of a release and the installation's own templates: what a test mail was made of. Both are stored, so every
/// version of this program makes the same.
pub(crate) fn tested_hash(release: &[u8], layout: &str) -> [u8; 32] {
    token::content_hash(format!("tested {} {layout}", to_hex(&token::content_hash(release))).as_bytes())
}

/// The hash of an audience query, over its `canonical` text.
pub(crate) fn audience_hash(query: &AudienceQuery) -> [u8; 32] {
    token::content_hash(canonical(query).as_bytes())
}

/// An audience query as text: the sets in order, then the earlier mailing. Approvals are stored as hashes of it, so it stays
/// byte for byte as it is.
fn canonical(query: &AudienceQuery) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let list =
        query.lists.iter().map(|list| format!("ListName({})", quoted(list.as_str()))).collect::<Vec<_>>().join(", ");
    let texts = |texts: &BTreeSet<String>| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let languages =
        query.languages.iter().map(|one| format!("Language({})", quoted(one.as_str()))).collect::<Vec<_>>().join(", ");
    let reached_by = query.reached_by.map_or("None".to_owned(), |id| format!("Some(MailingId({}))", id.0));
    format!("({{{list}}}, {{{}}}, {{{}}}, {{{languages}}}, {reached_by})", texts(&query.beats), texts(&query.regions))
}

#[cfg(test)]
mod tests {
    use crate::base::id::MailingId;

    use super::*;

    /// What this prints is hashed into approvals that are on disk.
    #[test]
    fn the_text_that_is_hashed_stays_as_it_is() {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut query = AudienceQuery {
            lists: ["media", "members"].map(|list| list.parse().unwrap()).into(),
            ..AudienceQuery::default()
        };
        let plain = r#"({ListName("media"), ListName("members")}, {}, {}, {}, None)"#;
        assert_eq!(canonical(&query), plain);
        query.beats = set(&["skola", "the \"arts\""]);
        query.regions = set(&["Örebro län"]);
        query.languages = ["sv".parse().unwrap()].into();
        query.reached_by = Some(MailingId(7));
        let all = r#"({ListName("media"), ListName("members")}, {"skola", "the \"arts\""}, {"Örebro län"}, {Language("sv")}, Some(MailingId(7)))"#;
        assert_eq!(canonical(&query), all);
    }
}
