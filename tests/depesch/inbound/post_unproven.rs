//! A member's post that fails its author's domain's authentication waits for a moderator if the list requires it; one
//! that cannot be looked up waits on every list.

use depesch::model::authentication::{Check, DomainPolicy};
use depesch::model::inbound::InboundKind;
use depesch::model::list::{ListKind, Moderation, Posting, Unproven};

use crate::support::posts::PostOffice;

async fn comes(moderation: Moderation, unproven: Unproven, says: (Check, DomainPolicy)) -> (InboundKind, String) {
    let office = PostOffice::new().await;
    let rules = |posting: &mut Posting| (posting.moderation, posting.unproven) = (moderation, unproven);
    office.list("samtal", ListKind::Discussion, |list| rules(&mut list.posting)).await;
    office.reader(1, &["samtal"]).await;
    office.domains.set("example.com", says.0, says.1);
    let post = b"From: Kim <reader1@example.com>\r\nSubject: Hej\r\nMessage-ID: <1@example.com>\r\n\r\nText\r\n";
    office.comes("reader1@example.com", "samtal@lists.example.org", post).await
}

#[tokio::test]
async fn the_list_decides_about_unproven_posts() {
    let held = "post p1 is held for moderation: its author's domain does not vouch for it";
    for (author, unproven, note) in [
        (Check::Fail, Unproven::Hold, held),
        (Check::Unknown, Unproven::Hold, held),
        (Check::Fail, Unproven::Send, "post p1 goes out as mailing m1"),
        (Check::None, Unproven::Hold, "post p1 goes out as mailing m1"),
        (Check::Pass, Unproven::Hold, "post p1 goes out as mailing m1"),
    ] {
        assert_eq!(comes(Moderation::NonMembers, unproven, (author, DomainPolicy::None)).await.1, note, "{author:?}");
    }
    let (kind, note) = comes(Moderation::None, Unproven::Hold, (Check::Fail, DomainPolicy::None)).await;
    assert_eq!(kind, InboundKind::Forwarded, "where nothing is held the owner reads it: {note}");
    assert!(note.ends_with("its author's domain does not vouch for it"), "{note}");
}

#[tokio::test]
async fn what_cannot_be_looked_up_waits_on_every_list() {
    for moderation in [Moderation::NonMembers, Moderation::None, Moderation::All] {
        for unproven in [Unproven::Hold, Unproven::Send] {
            for (author, policy) in [
                (Check::Unknown, DomainPolicy::Unknown),
                (Check::None, DomainPolicy::Unknown),
                (Check::Unknown, DomainPolicy::Reject),
                (Check::Fail, DomainPolicy::Quarantine),
            ] {
                let (_, note) = comes(moderation, unproven, (author, policy)).await;
                assert!(!note.contains("goes out"), "{moderation:?} {unproven:?} {author:?} {policy:?}: {note}");
            }
        }
    }
}

#[tokio::test]
async fn a_new_list_holds_it() {
    assert_eq!(Posting::default().unproven, Unproven::Hold);
}
