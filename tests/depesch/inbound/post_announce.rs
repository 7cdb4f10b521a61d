//! A post to an announce list is sent only after its authorised sender has confirmed it: From alone proves nothing.

use chrono::Duration;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::model::authentication::{Check, DomainPolicy};
use depesch::model::inbound::InboundKind;
use depesch::model::list::ListKind;
use depesch::model::mailing::MailingContent;
use depesch::model::post::{HoldReason, PostState};

use crate::support::posts::{PostOffice, Question, fields};

const POST: &[u8] = b"From: Anna Lind <anna@example.org>\r\nTo: press@lists.example.org\r\nSubject: Nytt avtal\r\n\
    Message-ID: <avtal@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAvtalet \xc3\xa4r klart.\r\n--b\r\n\
    Content-Type: application/pdf; name=\"avtal.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"avtal.pdf\"\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n";

async fn office() -> PostOffice {
    let office = PostOffice::new().await;
    let rules = |list: &mut depesch::model::list::List| {
        list.posting.senders = ["anna@example.org".parse().unwrap()].into();
    };
    office.list("press", ListKind::Announce, rules).await;
    for id in 1..=3 {
        office.reader(id, &["press"]).await;
    }
    office
}

async fn asked(office: &PostOffice) -> Question {
    let (kind, note) = office.comes("anna@example.org", "press@lists.example.org", POST).await;
    assert_eq!((kind, note.as_str()), (InboundKind::Post, "post p1 is held for confirmation"));
    let questions = office.notices("post-confirm").await;
    assert_eq!(questions.len(), 1);
    questions[0].clone()
}

#[tokio::test]
async fn a_confirmed_post_goes_to_all_members_with_its_attachments_unchanged() {
    let office = office().await;
    let question = asked(&office).await;
    assert_eq!(question.to, "anna@example.org");
    assert!(question.text.contains("Avtalet är klart."), "{}", question.text);
    assert!(question.text.contains("avtal.pdf"), "{}", question.text);
    assert!(office.mailings().await.is_empty(), "nothing goes out unconfirmed");
    // A reply as mail programs send it: nothing written, all quoted.
    let (kind, note) = office.answers(&question, "anna@example.org", "").await;
    assert_eq!((kind, note.as_str()), (InboundKind::Decision, "post p1 goes out as mailing m1"));
    office.send_all().await;
    let carried = office.carried();
    assert_eq!(carried.len(), 3);
    let (_, body) = std::str::from_utf8(POST).unwrap().split_once("\r\n\r\n").unwrap();
    for (to, sender, message) in &carried {
        assert_eq!(message.split_once("\r\n\r\n").unwrap().1, body, "to {to}");
        assert!(sender.starts_with("press-bounces+"), "{sender}");
        assert_eq!(fields(message, "From"), ["From: Anna Lind <anna@example.org>"]);
        for name in ["List-Id", "List-Unsubscribe", "List-Post", "List-Owner", "List-Help"] {
            assert_eq!(fields(message, name).len(), 1, "{name}");
        }
    }
    let senders: std::collections::BTreeSet<&String> = carried.iter().map(|(_, sender, _)| sender).collect();
    assert_eq!(senders.len(), 3, "each delivery has a sender of its own");
    assert_eq!(office.mailings().await[0].content, MailingContent::Post(depesch::base::id::PostId(1)));
}

#[tokio::test]
async fn a_no_stops_it_and_later_replies_change_nothing() {
    let office = office().await;
    let question = asked(&office).await;
    let (_, note) = office.answers(&question, "anna@example.org", "Nej, det var inte jag").await;
    assert_eq!(note, "post p1 is refused");
    let (kind, note) = office.answers(&question, "anna@example.org", "Ja").await;
    assert_eq!((kind, note.as_str()), (InboundKind::Decision, "post p1 is already refused; nothing was changed"));
    assert!(office.mailings().await.is_empty());
    assert_eq!(office.notices("post-late").await.len(), 1);
}

#[tokio::test]
async fn a_token_is_valid_once_for_seven_days_and_only_unaltered() {
    let office = office().await;
    let question = asked(&office).await;
    let notice = if question.reply_to.contains("+a") { "+b" } else { "+a" };
    let at = question.reply_to.find('+').unwrap();
    let altered = format!("{}{notice}{}", &question.reply_to[..at], &question.reply_to[at + 2..]);
    let book = Directory::new(office.store.clone(), office.key.clone());
    let resolved = book.resolve(&altered).await.unwrap();
    assert!(matches!(resolved, Resolved::No(Recipient::Forged)), "an altered token is refused at RCPT: {resolved:?}");
    assert!(matches!(office.post(1).await.state, PostState::Held(_)));

    office.answers(&question, "anna@example.org", "Ja").await;
    let (_, note) = office.answers(&question, "anna@example.org", "Ja").await;
    assert_eq!(note, "post p1 is already approved; nothing was changed");
    assert_eq!(office.mailings().await.len(), 1, "a token used twice sends once");

    let late = self::office().await;
    let question = asked(&late).await;
    late.clock.advance(Duration::days(7));
    let (_, note) = late.answers(&question, "anna@example.org", "Ja").await;
    assert_eq!(note, "post p1 is already expired; nothing was changed");
    assert_eq!(late.service.expire().await.unwrap(), 1);
    assert_eq!(late.service.expire().await.unwrap(), 0);
    assert_eq!(late.notices("post-expired").await.len(), 1);
    assert!(late.mailings().await.is_empty());
}

#[tokio::test]
async fn who_may_not_send_gets_no_answer_and_the_owner_reads_it() {
    let office = office().await;
    let other = String::from_utf8(POST.to_vec()).unwrap().replace("anna@example.org", "karin@example.net");
    let (kind, _) = office.comes("karin@example.net", "press@lists.example.org", other.as_bytes()).await;
    assert_eq!(kind, InboundKind::Forwarded);
    let notices = office.questions().await;
    assert_eq!(notices.iter().map(|notice| notice.to.as_str()).collect::<Vec<_>>(), ["press@example.org"]);
    assert!(office.store.post(depesch::base::id::PostId(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_sender_whose_domain_disowns_the_mail_is_not_even_asked() {
    let office = office().await;
    office.domains.set("example.org", Check::Fail, DomainPolicy::Reject);
    let (kind, _) = office.comes("anna@example.org", "press@lists.example.org", POST).await;
    assert_eq!(kind, InboundKind::Forwarded);
    assert!(office.notices("post-confirm").await.is_empty());
}

#[tokio::test]
async fn a_reply_that_a_person_must_read_decides_nothing() {
    let office = office().await;
    let question = asked(&office).await;
    let (kind, _) = office.answers(&question, "anna@example.org", "Vänta, rubriken är fel! Jag ringer.").await;
    assert_eq!(kind, InboundKind::Forwarded);
    assert!(matches!(office.post(1).await.state, PostState::Held(_)));
}

#[tokio::test]
async fn a_list_that_requires_approval_asks_a_second_person() {
    let office = office().await;
    let change = |list: &mut depesch::model::list::List| {
        list.approval = true;
        list.posting.moderators = ["anna@example.org".parse().unwrap(), "eva@example.org".parse().unwrap()].into();
    };
    office.store.change_list(&"press".parse().unwrap(), change).await.unwrap();
    let question = asked(&office).await;
    let (_, note) = office.answers(&question, "anna@example.org", "ja").await;
    assert_eq!(note, "post p1 is held for approval");
    let held = office.notices("post-held").await;
    assert_eq!(held.iter().map(|notice| notice.to.as_str()).collect::<Vec<_>>(), ["eva@example.org"]);
    let (_, note) = office.answers(&question, "anna@example.org", "ja").await;
    assert!(note.contains("held for another reason now"), "{note}");
    assert_eq!(office.post(1).await.hold().map(|hold| hold.reason), Some(HoldReason::Approval));
    let (_, note) = office.answers(&held[0], "eva@example.org", "Godkänn").await;
    assert_eq!(note, "post p1 goes out as mailing m1");
    let mailing = office.mailings().await.remove(0);
    assert!(mailing.is_approved() && mailing.approval_required);
    assert_eq!(mailing.approval.unwrap().by, "eva@example.org");
    office.send_all().await;
    assert_eq!(office.carried().len(), 3);
}

#[tokio::test]
async fn a_second_copy_is_sent_once() {
    let office = office().await;
    asked(&office).await;
    let (kind, note) = office.comes("anna@example.org", "press@lists.example.org", POST).await;
    assert_eq!((kind, note.as_str()), (InboundKind::Post, "a second copy of post p1"));
    assert_eq!(office.notices("post-confirm").await.len(), 1);
}
