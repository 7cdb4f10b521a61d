//! A post whose header programs may interpret in two ways is never sent automatically, no matter who its apparent
//! author is; an approved one is sent with each field once and with the author that was checked.

use depesch::base::id::PostId;
use depesch::mail::author::author;
use depesch::model::authentication::{Check, DomainPolicy};
use depesch::model::inbound::InboundKind;
use depesch::model::list::{ListKind, Moderation};
use depesch::model::post::Post;
use depesch::store::Read;

use crate::support::posts::{PostOffice, fields};

const MEMBER: &str = "reader1@example.com";
const VICTIM: &str = "reader2@victim.example";
const LIST: &str = "samtal@lists.example.org";

/// A discussion list with members in two domains, both of which forbid others to write in their names.
async fn office(moderation: Moderation) -> PostOffice {
    let office = PostOffice::new().await;
    office.list("samtal", ListKind::Discussion, |list| list.posting.moderation = moderation).await;
    office.list("nyheter", ListKind::Announce, |list| list.posting.senders = [MEMBER.parse().unwrap()].into()).await;
    office.reader(1, &["samtal", "nyheter"]).await;
    office.domains.set("victim.example", Check::Fail, DomainPolicy::Reject);
    // The worst case: the check of the author sees nothing wrong.
    office.domains.set("example.com", Check::Pass, DomainPolicy::Reject);
    office
}

fn attacks() -> Vec<String> {
    let own = format!("From: Kim <{MEMBER}>\r\n");
    let rest = "Subject: Hej\r\nMessage-ID: <1@example.com>\r\n\r\nText\r\n";
    let many = "X-Many: x\r\n".repeat(1005);
    [
        format!("X\r\n{own}"),
        format!("X\r\nFrom: {VICTIM}\r\n{own}"),
        format!("{own}X\r\nFrom: {VICTIM}\r\n"),
        format!("From: {VICTIM}\r\n{own}"),
        format!("{own}from: {VICTIM}\r\n"),
        format!("{own}From : {VICTIM}\r\n"),
        format!("{own}{many}From: {VICTIM}\r\n"),
        format!("From: {VICTIM}\r\n{many}{own}"),
        format!("From: {} {VICTIM}\r\n{own}", "word, ".repeat(1000)),
        format!("From: {}<{MEMBER}>\r\n", "word, ".repeat(1000)),
        format!("From: {VICTIM}\0\r\n{own}"),
        format!("From: {MEMBER}\0\r\n"),
        format!("From: {MEMBER}\0 <{VICTIM}>\r\n"),
        format!("From:\r\n {VICTIM}\r\n <{MEMBER}>\r\n"),
        format!("From: {MEMBER} (<{VICTIM}>)\r\n"),
        format!("From: {VICTIM} <{MEMBER}>\r\n"),
        format!("From: Kim <{MEMBER}>, Boss <{VICTIM}>\r\n"),
        format!("From: Group: {MEMBER};\r\n"),
        format!("From: \"a\" <{MEMBER}> <{VICTIM}>\r\n"),
        format!("From: \"x\\\" <{VICTIM}>\" <{MEMBER}>\r\n"),
        format!("From: =?utf-8?q?=3C{}=3E?= <{MEMBER}>\r\n", VICTIM.replace('@', "=40")),
        format!("From: <@{VICTIM}:{MEMBER}>\r\n"),
        format!(" folded\r\n{own}"),
        format!("\t\r\nFrom: {VICTIM}\r\n{own}"),
        format!("X: a\r\n \t\r\nFrom: {VICTIM}\r\n"),
        format!("{own}Subject: Other\r\n"),
        format!("{own}Sender: {VICTIM}\r\nSender: {VICTIM}\r\n"),
        format!("{own}: x\r\n"),
        format!("{own}Two words: x\r\n"),
        format!("From boss Mon Nov 2 09:00:00 2026\r\n{own}"),
        format!("X: a\u{c}\r\n{own}"),
    ]
    .iter()
    .enumerate()
    .map(|(id, before)| format!("{before}{}", rest.replace("<1@", &format!("<{id}@"))))
    .collect()
}

/// Sends all attacks to one of our addresses; returns for each its kind and the note.
async fn all_come(office: &PostOffice, to: &str) -> Vec<(String, InboundKind, String)> {
    let mut ids = Vec::new();
    for attack in attacks() {
        ids.push((office.mail_in.arrives(Some(MEMBER), to, &attack).await, attack));
    }
    office.mail_in.handle_all(&office.worker()).await;
    let mut all = Vec::new();
    for (id, attack) in ids {
        let (kind, note) = office.became(id).await;
        all.push((attack, kind, note));
    }
    all
}

#[tokio::test]
async fn no_ambiguous_post_is_sent_automatically() {
    for moderation in [Moderation::NonMembers, Moderation::None, Moderation::All] {
        let office = office(moderation).await;
        for (attack, kind, note) in all_come(&office, LIST).await {
            assert!(!note.contains("goes out"), "{attack:?}: {note}");
            assert!(note.contains(": "), "{attack:?}: no reason in {kind:?} {note}");
            if moderation == Moderation::None {
                assert_eq!(kind, InboundKind::Forwarded, "{attack:?}");
            }
        }
        assert!(office.mailings().await.is_empty());
    }
}

#[tokio::test]
async fn nor_is_the_author_of_one_asked_about_it() {
    let office = office(Moderation::All).await;
    for (attack, kind, note) in all_come(&office, "nyheter@lists.example.org").await {
        assert_eq!(kind, InboundKind::Forwarded, "{attack:?}: {note}");
    }
    assert!(office.notices("post-confirm").await.is_empty());
}

#[tokio::test]
async fn an_approved_post_has_each_field_once_and_the_author_that_was_checked() {
    let office = office(Moderation::NonMembers).await;
    all_come(&office, LIST).await;
    let posts = office.store.posts(PostId(0), 100).await.unwrap();
    assert!(posts.len() > 10);
    for post in &posts {
        office.service.approve(post.value.id, "anna").await.unwrap();
    }
    office.send_all().await;
    assert_eq!(office.carried().len(), posts.len());
    for (_, _, message) in office.carried() {
        for name in ["From", "Subject", "Message-ID", "Date", "To", "Sender", "Reply-To"] {
            assert!(fields(&message, name).len() <= 1, "{name} twice in {message}");
        }
        let shown = author(message.as_bytes()).unwrap();
        assert_eq!((shown.doubt, fields(&message, "From").len()), (None, 1), "{message}");
        let reply = fields(&message, "Reply-To").concat();
        let is_it = |post: &&Read<Post>| message.contains(&format!("<{}>", post.value.message_id.as_deref().unwrap()));
        let judged = &posts.iter().find(is_it).unwrap().value.author;
        assert!(shown.address == *judged || reply.contains(judged.as_str()), "{judged}: {message}");
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        let no_field = |line: &&str| !line.starts_with([' ', '\t']) && !line.contains(':');
        assert_eq!(header.lines().find(no_field), None, "{message}");
    }
}

#[tokio::test]
async fn a_moderator_is_told_that_the_sender_may_be_another() {
    let office = office(Moderation::NonMembers).await;
    office.domains.set("example.com", Check::None, DomainPolicy::None);
    let post = format!("X\r\nFrom: Kim <{MEMBER}>\r\nSubject: Hej\r\n\r\nText\r\n");
    let (_, note) = office.comes(MEMBER, LIST, post.as_bytes()).await;
    assert_eq!(note, "post p1 is held for moderation: its header has a line that is not a field");
    let question = office.notices("post-held").await.pop().unwrap();
    let text = question.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("avs\u{e4}ndaren kan vara f\u{f6}rfalskad"), "{text}");
}

#[tokio::test]
async fn a_name_with_a_comma_is_written_for_every_program() {
    let office = office(Moderation::NonMembers).await;
    office.domains.set("example.com", Check::None, DomainPolicy::None);
    let post = format!("DKIM-Signature: x\r\nFrom: Ek, Kim <{MEMBER}>\r\nSubject: Hej\r\n\r\nText\r\n");
    office.comes(MEMBER, LIST, post.as_bytes()).await;
    office.send_all().await;
    let (_, _, message) = office.carried().remove(0);
    assert_eq!(fields(&message, "From"), [format!("From: \"Ek, Kim\" <{MEMBER}>")]);
    assert!(fields(&message, "DKIM-Signature").is_empty(), "of what was signed something was changed");
}
