//! Where a second person is required, two spellings of one mailbox count as one person.

use depesch::model::list::ListKind;
use depesch::model::post::HoldReason;

use crate::support::posts::PostOffice;

async fn office(author: &str, moderators: &[&str]) -> PostOffice {
    let office = PostOffice::new().await;
    let rules = |list: &mut depesch::model::list::List| {
        list.approval = true;
        list.posting.senders = [author.parse().unwrap()].into();
        list.posting.moderators = moderators.iter().map(|one| one.parse().unwrap()).collect();
    };
    office.list("press", ListKind::Announce, rules).await;
    office.reader(1, &["press"]).await;
    office
}

#[tokio::test]
async fn another_spelling_of_the_author_is_not_a_second_person() {
    for (author, moderator) in [
        ("Åsa@example.org", "åsa@example.org"),
        ("boss+x@example.org", "boss@example.org"),
        ("boss@example.org", "Boss+post@EXAMPLE.org"),
        ("boss@sköv.example", "boss@xn--skv-tna.example"),
    ] {
        let office = office(author, &[moderator, "eva@example.org"]).await;
        let mail = format!(
            "From: {author}\r\nTo: press@lists.example.org\r\nSubject: Nytt\r\nMessage-ID: <1@example.org>\r\n\r\nText\r\n"
        );
        office.comes(author, "press@lists.example.org", mail.as_bytes()).await;
        let question = office.notices("post-confirm").await.remove(0);
        office.answers(&question, author, "ja").await;
        let hold = office.post(1).await.hold().cloned().unwrap();
        assert_eq!(hold.reason, HoldReason::Approval, "{author}");
        let asked: Vec<_> = hold.asked.iter().map(|one| one.as_str()).collect();
        assert_eq!(asked, ["eva@example.org"], "{author} and {moderator}");
        // Nor through another channel.
        let error = office.service.approve(depesch::base::id::PostId(1), moderator).await.unwrap_err();
        assert!(error.to_string().contains("another person"), "{author} and {moderator}: {error}");
        assert!(office.mailings().await.is_empty());
    }
}

#[tokio::test]
async fn the_question_goes_to_the_sender_as_the_list_has_them() {
    let office = office("anna@example.org", &["eva@example.org"]).await;
    let mail = "From: ANNA@example.org\r\nTo: press@lists.example.org\r\nSubject: Nytt\r\nMessage-ID: <1@example.org>\r\n\r\nText\r\n";
    office.comes("ANNA@example.org", "press@lists.example.org", mail.as_bytes()).await;
    assert_eq!(office.notices("post-confirm").await[0].to, "anna@example.org");
}
