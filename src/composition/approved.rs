//! What an approval is bound to.

use crate::base::token::{self, to_hex};
use crate::model::mailing::AudienceQuery;
use crate::model::release::Blob;

/// What an approval of a post is bound to: its bytes, and the audience.
pub fn post_hash(blob: &Blob, audience: &AudienceQuery) -> String {
    let bytes = [blob.sha256, audience_hash(audience)].concat();
    to_hex(&token::content_hash(&bytes))
}

/// The hash of an audience query.
pub fn audience_hash(query: &AudienceQuery) -> [u8; 32] {
    let audience = format!("{:?}", (&query.lists, &query.beats, &query.regions, &query.languages, &query.reached_by));
    token::content_hash(audience.as_bytes())
}
