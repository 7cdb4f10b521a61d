//! A command sent to the list's own address is answered and never sent to the list.

use depesch::model::inbound::InboundKind;
use depesch::model::list::ListKind;

use crate::support::posts::PostOffice;

async fn office(kind: ListKind) -> PostOffice {
    let office = PostOffice::new().await;
    office.list("samtal", kind, |_| {}).await;
    for id in 1..=2 {
        office.reader(id, &["samtal"]).await;
    }
    office
}

async fn comes(office: &PostOffice, number: usize, subject: &str, text: &str) -> (InboundKind, String) {
    let mail = format!(
        "From: Kim <reader1@example.com>\r\nTo: samtal@lists.example.org\r\nSubject: {subject}\r\n\
         Message-ID: <w{number}@example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    );
    office.comes("reader1@example.com", "samtal@lists.example.org", mail.as_bytes()).await
}

#[tokio::test]
async fn a_request_is_answered_and_is_not_a_post() {
    for kind in [ListKind::Discussion, ListKind::Announce] {
        for (number, (subject, text, notice)) in [
            ("unsubscribe", "", "confirm"),
            ("hej", "Ta bort mig från listan tack", "confirm"),
            ("Re: Hej", "Avanma\u{308}l\r\n\r\n> Vi ses", "confirm"),
            ("hjälp", "", "help"),
            ("Radera mina uppgifter", "", "erasure"),
        ]
        .into_iter()
        .enumerate()
        {
            let office = office(kind).await;
            let (kind, note) = comes(&office, number, subject, text).await;
            assert_eq!(kind, InboundKind::Command, "{subject} {text}: {note}");
            let notices: Vec<_> = office.notices(notice).await.into_iter().map(|notice| notice.to).collect();
            assert_eq!(notices, ["reader1@example.com"], "{subject} {text}");
            assert!(office.mailings().await.is_empty(), "{subject} {text}");
        }
    }
}

#[tokio::test]
async fn a_notice_with_such_a_word_in_it_is_a_post() {
    let long =
        "Avsluta\r\n\r\nSå stod det på skylten, och sedan dess har jag undrat vad de egentligen menade med det hela.";
    for (number, (subject, text)) in
        [("Hur man avprenumererar", "Så här gör ni."), ("Skylten", long), ("Re: Fler möten?", "Stopp!"), ("Svar", "Ja")]
            .into_iter()
            .enumerate()
    {
        let office = office(ListKind::Discussion).await;
        let (kind, note) = comes(&office, number, subject, text).await;
        assert_eq!((kind, office.mailings().await.len()), (InboundKind::Post, 1), "{subject}: {note}");
    }
}

/// A sender who must not get an automatic answer is left to a person; the list's subscribers get nothing in either
/// case.
#[tokio::test]
async fn what_may_not_be_answered_goes_to_the_owner() {
    let office = office(ListKind::Discussion).await;
    let mail = "From: Kim <noreply@example.com>\r\nTo: samtal@lists.example.org\r\nSubject: unsubscribe\r\nMessage-ID: <n@x.example>\r\n\r\n";
    let (kind, _) = office.comes("noreply@example.com", "samtal@lists.example.org", mail.as_bytes()).await;
    assert_eq!((kind, office.mailings().await.len()), (InboundKind::Forwarded, 0));
}
