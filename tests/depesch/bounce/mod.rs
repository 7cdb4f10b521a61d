//! Tests of `bounce`.

mod bounce_corpus;
mod bounce_fixtures;
mod bounce_replies;
