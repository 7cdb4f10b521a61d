//! The header of notices, and that no text from strangers can break it (invariant 7; RFC 5322 §3.6).

use depesch::base::address::Address;
use depesch::base::language::Language;
use depesch::composition::notices::Draft;
use depesch::mail::incoming::Incoming;
use depesch::model::list::{List, Privacy};
use depesch::store::engine::Batch;
use mail_parser::MessageParser;
use serde_json::json;

use crate::support::mailings::list;
use crate::support::notices::{World, field, greeting, head};

async fn written(world: &World, draft: Draft<'_>) -> Vec<u8> {
    let mut batch = Batch::new();
    let id = world.notices.write(&mut batch, draft).await.unwrap();
    world.store.commit(batch).await.unwrap();
    world.store.notice_bytes(id).await.unwrap().unwrap().to_vec()
}

fn karin() -> Address {
    "karin@reader.example".parse().unwrap()
}

#[tokio::test]
async fn an_answer_is_in_its_thread_and_marked_as_automatic() {
    let world = World::new();
    let asked = "From: karin@reader.example\r\nMessage-ID: <q1@reader.example>\r\n\
        References: <a@reader.example>\r\n <b@reader.example>\r\nSubject: help\r\n\r\nhelp\r\n";
    let asked = Incoming::parse(asked.as_bytes()).unwrap();
    let (media, to, language) = (list("media"), karin(), Language::swedish());
    let reply_to: Address = "media-confirm+abc@lists.example.org".parse().unwrap();
    let draft = Draft {
        list: Some(&media),
        answers: Some(&asked),
        reply_to: Some(reply_to),
        unsubscribe: Some("mailto:media-unsubscribe@lists.example.org"),
        ..greeting(&to, &language)
    };
    let bytes = written(&world, draft).await;
    for (name, value) in [
        ("From", "media <media-request@lists.example.org>"),
        ("Reply-To", "media-confirm+abc@lists.example.org"),
        ("To", "karin@reader.example"),
        ("Subject", "Hej Kim"),
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", "<q1@reader.example>"),
        ("References", "<a@reader.example> <b@reader.example> <q1@reader.example>"),
        ("List-Id", "media <media.lists.example.org>"),
        ("List-Owner", "<mailto:media-owner@lists.example.org>"),
        ("List-Help", "<mailto:media-request@lists.example.org?subject=help>"),
        ("List-Unsubscribe", "<mailto:media-unsubscribe@lists.example.org>"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(field(&bytes, name).as_deref(), Some(value), "{name}");
    }
    for name in ["Date", "Message-ID", "X-Loop", "Content-Type"] {
        assert!(field(&bytes, name).is_some(), "{name}");
    }
    assert_eq!(field(&bytes, "Precedence"), None);
}

#[tokio::test]
async fn a_notice_is_generated_and_answers_nothing() {
    let world = World::new();
    let bytes = written(&world, greeting(&karin(), &Language::english())).await;
    assert_eq!(field(&bytes, "Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(field(&bytes, "From").as_deref(), Some("postmaster@press.example"));
    for name in ["In-Reply-To", "References", "List-Id", "List-Unsubscribe", "Reply-To"] {
        assert_eq!(field(&bytes, name), None, "{name}");
    }
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.subject(), Some("Hello Kim"));
    assert!(parsed.body_text(0).unwrap().contains("Hello Kim!"));
    let html = parsed.body_html(0).unwrap();
    assert!(html.contains("<strong>Kim</strong>") && html.contains("<html lang=\"en\" dir=\"ltr\">"), "{html}");
}

#[tokio::test]
async fn a_sensitive_list_shows_neither_name_nor_title() {
    let world = World::new();
    let strike = List { privacy: Privacy::Sensitive, title: "Strejkfonden".into(), ..list("strejk") };
    let (to, language) = (karin(), Language::swedish());
    let bytes = written(&world, Draft { list: Some(&strike), ..greeting(&to, &language) }).await;
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    let all = format!("{}{}{}", head(&bytes), parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
    assert!(!all.to_lowercase().contains("strejk"), "{all}");
    assert!(field(&bytes, "From").unwrap().ends_with("-request@lists.example.org"));
}

#[tokio::test]
async fn each_notice_has_a_message_id_of_its_own() {
    let world = World::new();
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let bytes = written(&world, greeting(&karin(), &Language::swedish())).await;
        ids.insert(field(&bytes, "Message-ID").unwrap());
    }
    assert_eq!(ids.len(), 200);
    assert!(ids.iter().all(|id| id.ends_with("@press.example>")), "{ids:?}");
}

/// Values that would end a header line, a line of text, a tag or a Markdown word if they could.
const HOSTILE: [&str; 9] = [
    "x\r\nBcc: everybody@reader.example\r\n\r\nhej",
    "x\nBcc: everybody@reader.example",
    "x\rBcc: everybody@reader.example",
    "x\0Bcc: everybody@reader.example",
    "x\u{2028}Bcc: everybody@reader.example",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](https://evil.example) ![x](https://evil.example/p.gif) <https://evil.example>",
    "\n# heading\n\n* list\n\n> quote\n\n    code",
    "{{name}} {{{name}}} `code` **strong** &amp; \\",
];

#[tokio::test]
async fn no_value_breaks_a_header_or_makes_markup() {
    let world = World::new();
    let (media, to, language) = (list("media"), karin(), Language::swedish());
    for value in HOSTILE {
        let titled = List { title: value.to_owned(), ..media.clone() };
        let data = json!({ "name": value, "note": value });
        let bytes = written(&world, Draft { list: Some(&titled), data, ..greeting(&to, &language) }).await;
        let head = head(&bytes);
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
        assert_eq!(head.lines().filter(|line| line.starts_with("Subject: ")).count(), 1);
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let html = parsed.body_html(0).unwrap();
        for never in ["<script", "<img", "href=\"https://evil", "<h2", "<ul", "<blockquote", "<code", "<pre"] {
            assert!(!html.contains(never), "{value:?} made {never} in {html}");
        }
        // The person's words are still in both parts.
        let notices = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
        let plain =
            ["&lt;", "&gt;", "&quot;", "&#x27;", "&amp;"].iter().fold(html.to_string(), |t, e| t.replace(e, ""));
        for part in [parsed.body_text(0).unwrap().to_string(), plain] {
            assert!(notices(&part).contains(&notices(value)), "{value:?} is not in {part}");
        }
        assert!(bytes.split(|o| *o == b'\n').all(|line| line.is_empty() || line.ends_with(b"\r")), "a bare LF");
    }
}

#[tokio::test]
async fn no_words_of_a_message_that_is_answered_break_a_header() {
    let world = World::new();
    let (to, language) = (karin(), Language::swedish());
    let long = format!("<{}@reader.example>", "a".repeat(3000));
    let many: String = (0..500).map(|n| format!("<{n}@reader.example>\r\n ")).collect();
    for (id, references) in [
        ("<a b@reader.example>", "<c@reader.example>"),
        (long.as_str(), long.as_str()),
        ("<x@reader.example>", many.as_str()),
        ("<\"q\\\"\"@reader.example>", "<<>>"),
        ("none", "()"),
        ("<=?utf-8?q?=0D=0ABcc:_x=40reader.example?=@reader.example>", "=?utf-8?q?=0D=0ABcc:_x?="),
    ] {
        let asked = format!(
            "From: karin@reader.example\r\nMessage-ID: {id}\r\nReferences: {references}\r\nSubject: x\r\n\r\nhelp\r\n"
        );
        let asked = Incoming::parse(asked.as_bytes()).unwrap();
        let bytes = written(&world, Draft { answers: Some(&asked), ..greeting(&to, &language) }).await;
        assert!(bytes.split(|o| *o == b'\n').all(|line| line.len() <= 999), "a line is too long for {id}");
        let head = head(&bytes);
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
        if let Some(references) = field(&bytes, "References") {
            assert!(references.split(' ').count() <= 21, "{references}");
            assert!(references.split(' ').all(|id| id.starts_with('<') && id.ends_with('>')), "{references}");
        }
    }
}

#[tokio::test]
async fn a_notice_that_is_too_long_is_refused_with_the_reason() {
    let world = World::new();
    let (to, language) = (karin(), Language::swedish());
    let mut batch = Batch::new();
    let data = json!({ "name": "Kim", "note": "ord ".repeat(60_000) });
    let error = world.notices.write(&mut batch, Draft { data, ..greeting(&to, &language) }).await.unwrap_err();
    assert!(error.to_string().contains("greeting") && error.to_string().contains("bytes"), "{error}");
    assert!(batch.is_empty());
}
