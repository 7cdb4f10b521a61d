//! A post to a discussion list is sent if a member wrote it or a moderator approves it by a reply.

use depesch::base::clock::Clock;
use depesch::base::id::PostId;
use depesch::model::authentication::{Check, DomainPolicy};
use depesch::model::inbound::InboundKind;
use depesch::model::list::{FromPolicy, List, ListKind, Moderation, Privacy, ReplyTo};
use depesch::model::post::{Post, PostState};
use depesch::privacy::erasure::Eraser;
use depesch::privacy::retention::drop_posts;
use depesch::store::Read;
use depesch::subscribers::profile::SubscriberService;

use crate::support::posts::{PostOffice, fields};

async fn office(rules: impl FnOnce(&mut List)) -> PostOffice {
    let office = PostOffice::new().await;
    let with_moderators = |list: &mut List| {
        list.posting.moderators = ["mod1@example.org".parse().unwrap(), "mod2@example.org".parse().unwrap()].into();
        rules(list);
    };
    office.list("samtal", ListKind::Discussion, with_moderators).await;
    for id in 1..=3 {
        office.reader(id, &["samtal"]).await;
    }
    office
}

fn post(from: &str, id: &str, more: &str) -> Vec<u8> {
    format!("From: Kim <{from}>\r\nTo: samtal@lists.example.org\r\nSubject: Hej\r\nMessage-ID: <{id}@example.com>\r\n{more}\r\nText\r\n")
        .into_bytes()
}

async fn comes(office: &PostOffice, from: &str, id: &str, more: &str) -> (InboundKind, String) {
    office.comes(from, "samtal@lists.example.org", &post(from, id, more)).await
}

#[tokio::test]
async fn a_members_post_goes_at_once_to_all_its_author_too() {
    let office = office(|_| {}).await;
    let (kind, note) = comes(&office, "reader1@example.com", "1", "In-Reply-To: <0@example.com>\r\n").await;
    assert_eq!((kind, note.as_str()), (InboundKind::Post, "post p1 goes out as mailing m1"));
    office.send_all().await;
    let carried = office.carried();
    let mut to: Vec<&str> = carried.iter().map(|(to, ..)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["reader1@example.com", "reader2@example.com", "reader3@example.com"]);
    for (_, _, message) in &carried {
        assert_eq!(fields(message, "Message-ID"), ["Message-ID: <1@example.com>"]);
        assert_eq!(fields(message, "In-Reply-To"), ["In-Reply-To: <0@example.com>"]);
        assert_eq!(fields(message, "From"), ["From: Kim <reader1@example.com>"]);
        assert_eq!(fields(message, "List-Post"), ["List-Post: <mailto:samtal@lists.example.org>"]);
        assert!(fields(message, "Reply-To").is_empty());
    }
    assert!(office.questions().await.is_empty(), "no mail is sent");
}

#[tokio::test]
async fn a_strangers_post_is_held_and_the_first_decision_counts() {
    for (first, second, state, notices) in [
        ("ok", "nej", "approved", 0),
        ("Reject: off topic", "yes", "refused", 1),
        ("Avslå", "ja", "refused", 0),
        ("Approve", "no", "approved", 0),
    ] {
        let office = office(|_| {}).await;
        let (_, note) = comes(&office, "stranger@example.net", "1", "").await;
        assert_eq!(note, "post p1 is held for moderation");
        let questions = office.notices("post-held").await;
        assert_eq!(
            questions.iter().map(|one| one.to.as_str()).collect::<Vec<_>>(),
            ["mod1@example.org", "mod2@example.org"]
        );
        office.answers(&questions[1], "mod2@example.org", first).await;
        let (kind, note) = office.answers(&questions[0], "mod1@example.org", second).await;
        assert_eq!((kind, note), (InboundKind::Decision, format!("post p1 is already {state}; nothing was changed")));
        assert_eq!(office.post(1).await.state.word(), state, "{first}");
        assert_eq!(office.mailings().await.len(), usize::from(state == "approved"));
        assert_eq!(office.notices("post-refused").await.len(), notices, "only a reason is told: {first}");
    }
}

#[tokio::test]
async fn the_lists_rule_decides_who_is_held() {
    for (rule, member, stranger) in [
        (Moderation::None, InboundKind::Post, InboundKind::Forwarded),
        (Moderation::NonMembers, InboundKind::Post, InboundKind::Post),
        (Moderation::All, InboundKind::Post, InboundKind::Post),
    ] {
        let office = office(|list| list.posting.moderation = rule).await;
        assert_eq!(comes(&office, "reader1@example.com", "1", "").await.0, member, "{rule:?}");
        assert_eq!(comes(&office, "stranger@example.net", "2", "").await.0, stranger, "{rule:?}");
        let sent = usize::from(rule != Moderation::All);
        assert_eq!(office.mailings().await.len(), sent, "{rule:?}");
        let strangers_notices = office.questions().await.iter().filter(|one| one.to == "stranger@example.net").count();
        assert_eq!(strangers_notices, 0, "a stranger learns nothing");
    }
}

#[tokio::test]
async fn a_member_whose_domain_disowns_the_mail_is_held() {
    let office = office(|_| {}).await;
    office.domains.set("example.com", Check::Fail, DomainPolicy::Quarantine);
    let (_, note) = comes(&office, "reader1@example.com", "1", "").await;
    assert!(note.starts_with("post p1 is held for moderation: its author's domain forbids"), "{note}");
}

#[tokio::test]
async fn from_is_rewritten_where_the_authors_domain_forbids_to_keep_it() {
    for (policy, rule, rewritten) in [
        (DomainPolicy::None, FromPolicy::ByDmarc, false),
        (DomainPolicy::Quarantine, FromPolicy::ByDmarc, true),
        (DomainPolicy::Reject, FromPolicy::ByDmarc, true),
        (DomainPolicy::Unknown, FromPolicy::ByDmarc, true),
        (DomainPolicy::Reject, FromPolicy::Keep, false),
        (DomainPolicy::None, FromPolicy::Rewrite, true),
    ] {
        let office = office(|list| list.posting.from = rule).await;
        office.domains.set("example.com", Check::Pass, policy);
        comes(&office, "reader1@example.com", "1", "DKIM-Signature: v=1; d=example.com\r\n").await;
        office.send_all().await;
        let (_, _, message) = &office.carried()[0];
        let (from, reply, signatures) = match rewritten {
            true => ("From: Kim via samtal <samtal@lists.example.org>", vec!["Reply-To: Kim <reader1@example.com>"], 0),
            false => ("From: Kim <reader1@example.com>", vec![], 1),
        };
        assert_eq!(fields(message, "From"), [from], "{policy:?} {rule:?}");
        assert_eq!(fields(message, "Reply-To"), reply);
        assert_eq!(fields(message, "DKIM-Signature").len(), signatures);
    }
}

#[tokio::test]
async fn replies_go_where_the_list_says() {
    for (rule, expected) in [
        (ReplyTo::Author, vec!["Reply-To: other@example.com"]),
        (ReplyTo::List, vec!["Reply-To: samtal <samtal@lists.example.org>"]),
        (ReplyTo::Both, vec!["Reply-To: Kim <reader1@example.com>,"]),
    ] {
        let office = office(|list| list.posting.reply_to = rule).await;
        comes(&office, "reader1@example.com", "1", "Reply-To: other@example.com\r\n").await;
        office.send_all().await;
        assert_eq!(fields(&office.carried()[0].2, "Reply-To"), expected, "{rule:?}");
    }
}

#[tokio::test]
async fn an_author_removed_from_from_is_reached_by_a_reply() {
    for (rule, expected) in [
        (ReplyTo::Author, "Reply-To: Kim <reader1@example.com>\r\n"),
        (ReplyTo::List, "Reply-To: Kim <reader1@example.com>,\r\n samtal <samtal@lists.example.org>\r\n"),
        (ReplyTo::Both, "Reply-To: Kim <reader1@example.com>,\r\n samtal <samtal@lists.example.org>\r\n"),
    ] {
        let office = office(|list| (list.posting.reply_to, list.posting.from) = (rule, FromPolicy::Rewrite)).await;
        comes(&office, "reader1@example.com", "1", "Reply-To: other@example.com\r\n").await;
        office.send_all().await;
        let (_, _, message) = office.carried().remove(0);
        assert!(message.contains(expected), "{rule:?}: {message}");
    }
}

#[tokio::test]
async fn an_author_beyond_ascii_does_not_make_the_header_need_smtputf8() {
    let office = office(|list| list.posting.moderation = Moderation::NonMembers).await;
    comes(&office, "\u{e5}sa@example.net", "1", "").await;
    office.service.approve(PostId(1), "anna").await.unwrap();
    office.send_all().await;
    let (_, _, message) = office.carried().remove(0);
    let (header, _) = message.split_once("\r\n\r\n").unwrap();
    assert!(header.is_ascii(), "{header}");
    assert_eq!(fields(&message, "From"), ["From: Kim via samtal <samtal@lists.example.org>"]);
    assert_eq!(fields(&message, "X-Original-From"), ["X-Original-From: =?utf-8?q?=C3=A5sa=40example=2Enet?="]);
}

#[tokio::test]
async fn mail_sent_by_the_list_does_not_loop() {
    let office = office(|_| {}).await;
    comes(&office, "reader1@example.com", "1", "").await;
    office.send_all().await;
    let (_, _, sent) = office.carried().remove(0);
    // A reader's mailbox sends it back with the author in From and another Message-ID.
    let back = sent.replace("<1@example.com>", "<2@example.com>");
    let (kind, _) = office.comes("reader1@example.com", "samtal@lists.example.org", back.as_bytes()).await;
    assert_eq!(kind, InboundKind::Loop);
    let without_mark: String = back.split_inclusive("\r\n").filter(|line| !line.starts_with("X-Loop")).collect();
    let (kind, _) = office.comes("reader1@example.com", "samtal@lists.example.org", without_mark.as_bytes()).await;
    assert_eq!(kind, InboundKind::Loop, "its own List-Id tells too");
    assert_eq!(office.mailings().await.len(), 1);
}

#[tokio::test]
async fn programs_do_not_post() {
    let office = office(|_| {}).await;
    for (id, field) in [("1", "Precedence: bulk\r\n"), ("2", "List-Id: <other.example>\r\n")] {
        let (kind, _) = comes(&office, "reader1@example.com", id, field).await;
        assert_eq!(kind, InboundKind::Forwarded, "{field}");
    }
    let null = post("reader1@example.com", "3", "");
    let id = office.mail_in.arrives(None, "samtal@lists.example.org", std::str::from_utf8(&null).unwrap()).await;
    office.mail_in.handle_all(&office.worker()).await;
    assert_ne!(office.became(id).await.0, InboundKind::Post);
    assert!(office.mailings().await.is_empty());
}

#[tokio::test]
async fn a_sensitive_list_is_not_named_in_the_header() {
    let office = office(|list| list.privacy = Privacy::Sensitive).await;
    office.domains.set("example.com", Check::Pass, DomainPolicy::Reject);
    let received = "Received: from a by b for <samtal@lists.example.org>; Thu, 1 Jan 2026 00:00:00 +0000\r\n";
    comes(&office, "reader1@example.com", "1", received).await;
    office.send_all().await;
    for (_, sender, message) in office.carried() {
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(!header.to_lowercase().contains("samtal"), "{header}");
        assert!(!sender.contains("samtal"), "{sender}");
    }
}

#[tokio::test]
async fn an_operator_decides_too() {
    let office = office(|_| {}).await;
    comes(&office, "stranger@example.net", "1", "").await;
    comes(&office, "stranger@example.net", "2", "").await;
    let (first, second) = (depesch::base::id::PostId(1), depesch::base::id::PostId(2));
    office.service.approve(first, "anna").await.unwrap();
    let refused = office.service.refuse(second, "anna", "Fel lista").await.unwrap();
    assert!(matches!(refused.state, PostState::Refused { .. }));
    assert!(office.service.approve(second, "anna").await.unwrap_err().to_string().contains("already refused"));
    office.send_all().await;
    assert_eq!(office.carried().len(), 3);
}

#[tokio::test]
async fn decided_posts_are_removed_by_age_and_with_their_author() {
    let office = office(|_| {}).await;
    comes(&office, "reader1@example.com", "1", "").await;
    comes(&office, "stranger@example.net", "2", "").await;
    comes(&office, "reader2@example.com", "3", "").await;
    let later = office.clock.now() + chrono::Duration::days(1);
    assert_eq!(drop_posts(&office.store, later).await.unwrap(), 0, "its mailing is not over, or it is held");
    office.send_all().await;
    let service = SubscriberService {
        store: office.store.clone(),
        key: office.key.clone(),
        at: office.clock.now(),
        who: "anna".into(),
    };
    let kept = office.store.post(PostId(1)).await.unwrap().unwrap().value.blob.sha256;
    service.erase("reader1@example.com", None).await.unwrap();
    let eraser = Eraser { store: office.store.clone(), key: office.key.clone(), files: None };
    assert_eq!(eraser.work(office.clock.now()).await.unwrap().open.len(), 1, "its file is still there");
    let (_, open) = office.store.open_erasures(1).await.unwrap().remove(0);
    assert_eq!(open.value.work().unwrap().files, [kept]);
    let left = |posts: Vec<Read<Post>>| posts.into_iter().map(|read| read.value.id.0).collect::<Vec<_>>();
    assert_eq!(left(office.store.posts(PostId(0), 10).await.unwrap()), [2, 3]);
    assert_eq!(drop_posts(&office.store, later).await.unwrap(), 1);
    assert_eq!(left(office.store.posts(PostId(0), 10).await.unwrap()), [2], "what waits stays");
}
