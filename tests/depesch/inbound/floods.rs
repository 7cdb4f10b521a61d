//! Notices in answer to a flood of mail: limited per person and day and in total, nothing is lost, and the status
//! reports that a limit was reached.

use std::time::Duration;

use depesch::composition::notices::FORWARDS_A_DAY;
use depesch::inbound::digest::Digests;
use depesch::inbound::post::QUESTIONS_A_DAY;
use depesch::model::inbound::InboundKind;
use depesch::model::list::{ListKind, Moderation};
use depesch::operations::health::Observer;

use crate::support::posts::PostOffice;

fn digests(office: &PostOffice) -> Digests {
    Digests { posts: office.service.clone(), spool: office.mail_in.spool.clone(), postmaster: None }
}

/// All of these come in before one is handled, from one machine.
async fn come(office: &PostOffice, to: &str, mails: impl Iterator<Item = String>) {
    for mail in mails {
        office.mail_in.arrives(Some("flood@x.example"), to, &mail).await;
    }
    // No time passes, and all mail is from one sender, so nothing else waits.
    office.worker().run_dry().await;
}

async fn problems(office: &PostOffice) -> Vec<String> {
    let observer = Observer::new(office.store.clone(), std::sync::Arc::new(office.clock.clone()));
    observer.health(Duration::ZERO).await.unwrap().problems()
}

#[tokio::test]
async fn three_hundred_forged_posts_make_a_few_notices_and_a_digest() {
    let office = PostOffice::new().await;
    let rules = |list: &mut depesch::model::list::List| {
        list.posting.moderation = Moderation::NonMembers;
        list.posting.moderators = ["mod@example.org".parse().unwrap()].into();
    };
    office.list("samtal", ListKind::Discussion, rules).await;
    let most = u64::from(QUESTIONS_A_DAY);
    let mails = (1..=300).map(|number| {
        format!(
            "From: f{number}@x.example\r\nTo: samtal@lists.example.org\r\nSubject: Erbjudande {number}\r\n\
             Message-ID: <{number}@x.example>\r\n\r\nText\r\n"
        )
    });
    come(&office, "samtal@lists.example.org", mails).await;
    assert_eq!(office.store.held_posts(None, 1000).await.unwrap().len(), 300);
    assert_eq!(office.notices("post-held").await.len() as u64, most);
    assert!(problems(&office).await.iter().any(|problem| problem.contains("280 questions about held posts")));
    // A post that was decided meanwhile is not in the digest.
    office.service.refuse(depesch::base::id::PostId(300), "bo", "").await.unwrap();
    for left in [179, 79, 0] {
        assert_eq!(digests(&office).write().await.unwrap(), 1);
        assert_eq!(office.store.later_questions().await.unwrap().len(), left);
    }
    assert_eq!(digests(&office).write().await.unwrap(), 0);
    let notices = office.notices("digest").await;
    assert_eq!(notices.iter().map(|notice| notice.to.as_str()).collect::<Vec<_>>(), ["mod@example.org"; 3]);
    let text = notices[0].text.clone();
    assert!(text.contains("Erbjudande 21,") && text.contains("f21@x.example") && text.contains("samtal"), "{text}");
    // A reply to the address beside a post in the digest decides it.
    let at = text.find("Svara till ").unwrap() + "Svara till ".len();
    let reply_to: String = text[at..].chars().take_while(|c| !c.is_whitespace()).collect();
    let mut question = notices[0].clone();
    question.reply_to = reply_to.trim_matches(['<', '>', '(', ')']).to_owned();
    let (kind, note) = office.answers(&question, "mod@example.org", "nej").await;
    assert_eq!((kind, note.as_str()), (InboundKind::Decision, "post p21 is refused"));
}

#[tokio::test]
async fn one_message_to_many_addresses_is_forwarded_to_a_person_once() {
    let office = PostOffice::new().await;
    office.list("samtal", ListKind::Discussion, |_| {}).await;
    let mail = "From: bo@x.example\r\nTo: undisclosed\r\nSubject: Hej\r\nMessage-ID: <1@x.example>\r\n\r\nEn fråga\r\n";
    for to in ["media-owner", "media-agare", "samtal-owner", "samtal+owner", "media-bounces", "postmaster"] {
        // Each server on the way adds its own.
        let mail = format!("Received: from a by {to}; Sat, 21 Nov 2026 11:00:00 +0100\r\n{mail}");
        let (kind, note) = office.comes("bo@x.example", &format!("{to}@lists.example.org"), mail.as_bytes()).await;
        assert_eq!(kind, InboundKind::Forwarded, "{to}: {note}");
    }
    assert_eq!(office.notices("passed-on").await.len(), 1);
    for other in [mail.replace("En fråga", "En annan fråga"), mail.replace("<1@", "<2@")] {
        office.comes("bo@x.example", "media-owner@lists.example.org", other.as_bytes()).await;
    }
    assert_eq!(office.notices("passed-on").await.len(), 3, "another message is another");
}

#[tokio::test]
async fn a_flood_to_an_owner_goes_into_a_digest() {
    let office = PostOffice::new().await;
    let most = usize::try_from(FORWARDS_A_DAY).unwrap();
    let mails = (0..most + 5).map(|number| {
        format!(
            "From: bo{number}@x.example\r\nSubject: Fråga {number}\r\nMessage-ID: <{number}@x.example>\r\n\r\nText\r\n"
        )
    });
    come(&office, "media-owner@lists.example.org", mails).await;
    assert_eq!(office.notices("passed-on").await.len(), most);
    assert!(problems(&office).await.iter().any(|problem| problem.contains("5 messages to people")));
    assert_eq!(digests(&office).write().await.unwrap(), 1);
    let digest = office.notices("digest").await.remove(0);
    assert_eq!(digest.to, "press@example.org");
    for number in most..most + 5 {
        assert!(digest.text.contains(&format!("Fråga {number}, från bo{number}@x.example")), "{}", digest.text);
    }
    assert!(problems(&office).await.is_empty());
}

#[tokio::test]
async fn more_sign_ups_than_an_hour_takes_are_answered_in_the_next() {
    let office = PostOffice::new().await;
    let mails = (0..230).map(|number| {
        format!("From: p{number}@big.example\r\nSubject: prenumerera\r\nMessage-ID: <{number}@big.example>\r\n\r\n")
    });
    come(&office, "media-subscribe@lists.example.org", mails).await;
    assert_eq!(office.notices("confirm").await.len(), 200);
    assert!(problems(&office).await.iter().any(|problem| problem.contains("30 mails are answered in a later hour")));
    assert_eq!(digests(&office).bring_up().await.unwrap(), 0);
    office.clock.advance(chrono::Duration::hours(1));
    assert_eq!(digests(&office).bring_up().await.unwrap(), 30);
    office.worker().run_dry().await;
    let to: std::collections::BTreeSet<String> =
        office.notices("confirm").await.into_iter().map(|notice| notice.to).collect();
    assert_eq!(to.len(), 230, "each of them was asked, once");
    assert!(problems(&office).await.is_empty());
    assert_eq!(digests(&office).bring_up().await.unwrap(), 0);
}
