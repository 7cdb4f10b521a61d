//! A held post is decided only by a person's reply that was read in full, not by a report, a program or mail without a
//! sender. Our codes are not quoted to others, and a member's automatic reply is not sent to the list.

use depesch::model::inbound::InboundKind;
use depesch::model::list::ListKind;
use depesch::model::post::PostState;

use crate::support::posts::{PostOffice, Question};

const POST: &str = "From: Anna Lind <anna@example.org>\r\nTo: press@lists.example.org\r\nSubject: Nyhet\r\n\
    Message-ID: <p1@example.org>\r\n\r\nText\r\n";

async fn announce() -> (PostOffice, Question) {
    let office = PostOffice::new().await;
    let anna = || ["anna@example.org".parse().unwrap()].into();
    office.list("press", ListKind::Announce, |list| list.posting.senders = anna()).await;
    office.reader(1, &["press"]).await;
    office.comes("anna@example.org", "press@lists.example.org", POST.as_bytes()).await;
    let question = office.notices("post-confirm").await.remove(0);
    (office, question)
}

async fn discussion() -> PostOffice {
    let office = PostOffice::new().await;
    office.list("samtal", ListKind::Discussion, |_| {}).await;
    office.reader(1, &["samtal"]).await;
    office
}

fn reply(question: &Question, fields: &str, body: &str) -> String {
    format!(
        "From: Anna Lind <anna@example.org>\r\nSubject: Re: {}\r\nMessage-ID: <a@example.org>\r\n{fields}\r\n{body}\r\n",
        question.subject
    )
}

#[tokio::test]
async fn reports_programs_and_mail_without_a_sender_decide_nothing() {
    let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n";
    let status = "--b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n\
        Final-Recipient: rfc822; anna@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--";
    for (sender, fields, body) in [
        ("", report, status),
        ("anna@example.org", report, status),
        ("anna@example.org", report, "--b\r\n\r\n--b--"),
        ("", "", ""),
        ("", "", "ja"),
        ("MAILER-DAEMON@example.org", "", "ja"),
        ("anna@example.org", "Auto-Submitted: auto-replied\r\n", "ja"),
        ("anna@example.org", "X-Autoresponder: 1\r\n", "ja"),
        ("anna@example.org", "Precedence: bulk\r\n", ""),
        ("anna@example.org", "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n", "MIIG"),
        ("anna@example.org", "Content-Type: text/html\r\n", "<p>Nej!</p><p>Vänta</p><img src='cid:x'>"),
    ] {
        let (office, question) = announce().await;
        office.comes(sender, &question.reply_to, reply(&question, fields, body).as_bytes()).await;
        assert!(!matches!(office.post(1).await.state, PostState::Approved { .. }), "{sender} {fields} {body}");
        assert!(office.mailings().await.is_empty());
    }
    let (office, question) = announce().await;
    office.answers(&question, "anna@example.org", "").await;
    assert!(matches!(office.post(1).await.state, PostState::Approved { .. }), "the author's bare reply does");
}

#[tokio::test]
async fn a_written_word_decides_whatever_the_mail_system_adds() {
    let (office, question) = announce().await;
    let mail = reply(&question, "X-Auto-Response-Suppress: All\r\nList-Id: <a.example.org>\r\n", "Ja");
    office.comes("anna@example.org", &question.reply_to, mail.as_bytes()).await;
    assert!(matches!(office.post(1).await.state, PostState::Approved { .. }));
}

#[tokio::test]
async fn no_code_of_ours_is_quoted_to_the_author_as_the_reason() {
    for (words, reason) in [("Nej", ""), ("Nej, fel lista", "fel lista"), ("Nej, se ADDRESS", "se")] {
        let office = discussion().await;
        let stranger = POST.replace("anna@example.org", "frank@example.net").replace("press@lists", "samtal@lists");
        office.comes("frank@example.net", "samtal@lists.example.org", stranger.as_bytes()).await;
        let question = office.notices("post-held").await.remove(0);
        let code = question.reply_to.split(['+', '@']).nth(1).unwrap();
        let body = format!(
            "{}\r\n\r\nDen lör 28 nov. 2026 kl 23:10 skrev Samtal <\r\n{}>:\r\n\r\n> Hej\r\n",
            words.replace("ADDRESS", &question.reply_to),
            question.reply_to
        );
        office.comes("press@example.org", &question.reply_to, reply(&question, "", &body).as_bytes()).await;
        let PostState::Refused { why, .. } = office.post(1).await.state else { panic!("{words}") };
        assert_eq!(why.trim(), reason);
        let told = office.notices("post-refused").await;
        assert!(told.iter().all(|notice| !notice.text.contains(code)), "{told:?}");
    }
}

#[tokio::test]
async fn a_code_of_ours_in_a_post_is_not_shown_to_moderators() {
    let office = discussion().await;
    let code = "aebagbafaydqqcikbmgaydq2ce";
    let post = format!(
        "From: frank@example.net\r\nSubject: Tips\r\n\r\nHej\r\nskrev <media-confirm+{code}@lists.example.org>:\r\n"
    );
    office.comes("frank@example.net", "samtal@lists.example.org", post.as_bytes()).await;
    let question = office.notices("post-held").await.remove(0);
    assert!(question.text.contains("Hej") && !question.text.contains(code), "{}", question.text);
}

#[tokio::test]
async fn what_may_be_an_automatic_reply_is_held_and_what_is_marked_does_not_go_out() {
    for subject in
        ["Frånvaro: nya regler från 1 januari", "Out of office: new policy", "Ej på kontoret: Sv: Nyhet", "Semester"]
    {
        let office = discussion().await;
        let mail = format!(
            "From: reader1@example.com\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHej\r\n"
        );
        let (kind, note) = office.comes("reader1@example.com", "samtal@lists.example.org", mail.as_bytes()).await;
        assert!(kind == InboundKind::Post && note.contains("held for moderation"), "{subject}: {kind:?} {note}");
        assert!(office.mailings().await.is_empty());
        assert_eq!(office.notices("post-held").await.len(), 1);
    }
    for field in ["X-Autoresponder: 1", "X-Mail-Autoreply: yes", "Auto-Submitted: auto-replied"] {
        let office = discussion().await;
        let mail = format!("From: reader1@example.com\r\nSubject: Sv: Nyhet\r\n{field}\r\n\r\nBorta\r\n");
        office.comes("reader1@example.com", "samtal@lists.example.org", mail.as_bytes()).await;
        assert!(office.mailings().await.is_empty(), "{field}");
    }
    let office = discussion().await;
    let mail = "From: reader1@example.com\r\nSubject: Semestertider i sommar\r\n\r\nHej\r\n";
    office.comes("reader1@example.com", "samtal@lists.example.org", mail.as_bytes()).await;
    assert_eq!(office.mailings().await.len(), 1);
}
