//! Only a person's readable reply counts as yes: unreadable text, text elsewhere in the mail and text written by a
//! program leave the question open for a person to read. A person's own answer counts, whatever their mail system adds.

use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::{Sent, World};

const KARIN: &str = "karin@press.example";

async fn asked() -> (World, Sent) {
    let world = World::new().await;
    world.writes(KARIN, "subscribe", "prenumerera", "").await;
    let question = world.last().await;
    (world, question)
}

/// A reply with these header fields and this body.
fn reply(question: &Sent, fields: &str, body: &str) -> String {
    format!(
        "From: Karin Ek <{KARIN}>\nTo: {}\nSubject: SV: {}\nMessage-ID: <r@press.example>\nIn-Reply-To: <{}>\nMIME-Version: 1.0\n{fields}\n{body}\n",
        question.reply_to,
        question.mail.subject(),
        question.mail.message_id().unwrap(),
    )
}

/// The handling of a reply, and whether it subscribed.
async fn becomes(fields: &str, body: &str) -> (String, bool) {
    let (world, question) = asked().await;
    let quoted: String = question.mail.text().lines().map(|line| format!("> {line}\n")).collect();
    let body = body
        .replace("ADDRESS", &question.reply_to)
        .replace("QUOTED", &quoted)
        .replace("PLAIN", question.mail.text())
        .replace("HTML", question.mail.html().unwrap());
    let note = world.arrives(Some(KARIN), &question.reply_to, &reply(&question, fields, &body)).await;
    (note, world.standing(KARIN).await == Some(SubscriptionState::Active))
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\n";
const WEB: &str = "Content-Type: text/html; charset=utf-8\n";

#[tokio::test]
async fn the_question_sent_back_is_a_yes_however_it_is_quoted() {
    for (fields, body) in [
        (TEXT, "\n\nDen lör 28 nov. 2026 kl 23:10 skrev Media och redaktioner <\nADDRESS>:\n\nQUOTED"),
        (TEXT, "\n\nOn Sat, Nov 28, 2026 at 11:10 PM Media och redaktioner <\nADDRESS> wrote:\n\nQUOTED"),
        (TEXT, "\n\nla 28. marrask. 2026 klo 23.10 Media <\nADDRESS\n> kirjoitti:\n\nQUOTED"),
        (TEXT, "Skickat från min iPhone\n\n> 28 nov. 2026 kl. 23:10 skrev Media <ADDRESS>:\n>\nQUOTED"),
        (
            TEXT,
            "\nMvh\nKarin Ek\nExempelbladet\n\n-----Ursprungligt meddelande-----\nFrån: Media <ADDRESS>\nSkickat: den 28 november 2026 23:10\nTill: Karin\nÄmne: x\n\nPLAIN",
        ),
        (
            TEXT,
            "\n________________________________\nFrån: Media <ADDRESS>\nSkickat: den 28 november 2026 23:10\nTill: Karin\nÄmne: x\n\nPLAIN",
        ),
        (TEXT, "\n---- On Sat, 28 Nov 2026 23:10:02 +0100 Media <ADDRESS> wrote ----\n\nPLAIN"),
        (
            WEB,
            "<div><br></div><div class=\"gmail_quote\"><div class=\"gmail_attr\">Den lör 28 nov. 2026 skrev Media &lt;ADDRESS&gt;:<br></div><blockquote class=\"gmail_quote\">HTML</blockquote></div>",
        ),
        (
            WEB,
            "<div><br></div><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>Från:</b> Media &lt;ADDRESS&gt;<br><b>Skickat:</b> den 28 november<br><b>Ämne:</b> x</div>HTML",
        ),
    ] {
        let (note, active) = becomes(fields, body).await;
        assert!(active, "{note}\n{body}");
    }
}

#[tokio::test]
async fn a_no_below_the_question_keeps_it_open() {
    for (fields, body) in [
        (TEXT, "\nDen lör 28 nov. 2026 kl 23:10 skrev Media <\nADDRESS>:\n\nQUOTED\nNej, jag vill inte!"),
        (TEXT, "\nDen lör 28 nov. 2026 kl 23:10 skrev Media <ADDRESS>:\n\nPLAIN\nNej"),
        (TEXT, "-----Ursprungligt meddelande-----\nFrån: Media <ADDRESS>\n\nPLAIN\nNej, jag vill inte!"),
        (TEXT, "| Nej tack"),
        (TEXT, "Mvh Karin\n\nPS. Nej, jag vill inte!"),
        (TEXT, "\u{1f44e}"),
        (TEXT, "?"),
        (WEB, "<p>Nej!</p>"),
        (WEB, "<img alt=\"Nej tack\" src=\"cid:x\">"),
        (WEB, "<div class=\"gmail_quote\"><blockquote class=\"gmail_quote\">HTML</blockquote><div>Nej</div></div>"),
        (
            WEB,
            "<div id=\"divRplyFwdMsg\"><b>Från:</b> Media<br><b>Skickat:</b> i dag</div>HTML<p>Nej, jag vill inte</p>",
        ),
        (
            "Content-Type: multipart/alternative; boundary=b\n",
            "--b\nContent-Type: text/plain\n\nQUOTED\n--b\nContent-Type: text/html\n\n<p>Nej!</p>\n--b--",
        ),
    ] {
        let (note, active) = becomes(fields, body).await;
        assert!(!active && !note.starts_with("auto-reply"), "{note}\n{body}");
    }
}

#[tokio::test]
async fn an_unreadable_reply_is_for_a_person() {
    for (fields, body) in [
        (
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n",
            "MIIG",
        ),
        (
            "Content-Type: multipart/encrypted; boundary=b\n",
            "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\nx\n--b--",
        ),
        ("Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n", "eJ8+IgAA"),
        ("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n", "TmVq"),
        ("Content-Type: text/rtf\n", "{\\rtf1 Nej}"),
        ("Content-Type: text/plain; charset=x-unknown\nContent-Transfer-Encoding: base64\n", "TmVq"),
        ("Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n", "begin 644 text\n92F%G\n`\nend"),
        ("Content-Type: text/vnd.google.email-reaction+json\n", "{\"version\":1,\"emoji\":\"x\"}"),
        (TEXT, "-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----"),
    ] {
        let (note, active) = becomes(fields, body).await;
        assert!(!active && note.starts_with("forwarded"), "{note}\n{fields}");
    }
}

#[tokio::test]
async fn a_written_yes_counts_whatever_the_mail_system_adds() {
    for field in [
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "Auto-Submitted: no",
        "List-Id: <grupp.press.example>",
        "List-Unsubscribe: <mailto:leave@press.example>",
        "X-Loop: karin@press.example",
        "Precedence: list",
    ] {
        let (note, active) = becomes(&format!("{TEXT}{field}\n"), "Ja\n\nMvh\nKarin").await;
        assert!(active, "{field}: {note}");
    }
    let signed = "--b\nContent-Type: text/plain; charset=utf-8\n\nJa\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n\nMIIG\n--b--";
    let (note, active) =
        becomes("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n", signed).await;
    assert!(active, "{note}");
    let logo = "--b\nContent-Type: text/html; charset=utf-8\n\n<p>Ja</p><p>Mvh<br>Karin<br><img src=\"cid:logo\"></p>\n--b\nContent-Type: image/png\nContent-ID: <logo>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\niVBORw0K\n--b--";
    let (note, active) = becomes("Content-Type: multipart/related; boundary=b\n", logo).await;
    assert!(active, "{note}");
}

#[tokio::test]
async fn the_question_stays_open_for_the_person_s_own_answer() {
    let (world, question) = asked().await;
    let opaque = reply(&question, "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n", "MIIG");
    world.arrives(Some(KARIN), &question.reply_to, &opaque).await;
    world.replies(&question, "Ja").await;
    let subscriber = world.subscriber(KARIN).await.unwrap();
    let kept = format!("{:?}", subscriber.subscriptions);
    let code = question.reply_to.split(['+', '@']).nth(1).unwrap();
    assert!(!kept.contains(code), "no code of ours is kept with the words: {kept}");
}

#[tokio::test]
async fn a_changed_subject_is_not_a_yes() {
    for prefix in [
        "Abwesend: ",
        "Läst: ",
        "Poissa: ",
        "SV: [Ärende 4711] ",
        "Återkalla: ",
        "Please confirm your message: ",
        "VB: ",
        "",
    ] {
        let (world, question) = asked().await;
        let mail =
            reply(&question, TEXT, "\nKarin Ek\nExempelbladet").replace("Subject: SV: ", &format!("Subject: {prefix}"));
        let note = world.arrives(Some(KARIN), &question.reply_to, &mail).await;
        assert!(world.standing(KARIN).await.is_none() && note.starts_with("forwarded"), "{prefix}: {note}");
    }
}
