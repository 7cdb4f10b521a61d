//! What is passed on arrives as it came, and never goes in a circle (RFC 5321 §6.3, RFC 5322 §3.6.6).

use depesch::base::id::LetterId;
use depesch::base::token::Purpose;
use depesch::composition::notices::PassedOn;
use depesch::mail::incoming::Incoming;
use depesch::model::list::{List, Privacy};
use depesch::store::engine::{Batch, Commit};

use crate::support::letters::{Desk, field};
use crate::support::mailings::list;

const ODD: &[u8] = b"Received: from a by b; Mon, 23 Nov 2026 08:00:00 +0000\r\nFrom: =?iso-8859-1?q?K=E5re?= <kare@reader.example>\r\n\
    subject:   odd\r\n\tfolding \r\nX-Empty:\r\n\r\n.\r\n..\r\nFrom here\r\n\xe5\xe4\xf6 \x01\r\n\r\n";

async fn pass(desk: &Desk, sender: Option<&str>, octets: &[u8], list: Option<&List>) -> PassedOn {
    let (inbound, message) = desk.take_in(sender, octets).await;
    let mut batch = Batch::new();
    // To one person a message goes once a day.
    let owner = match list.map(|list| list.name.as_str()) {
        Some("media" | "strejk") => "kansli@office.example".parse().unwrap(),
        Some(other) => format!("{other}@office.example").parse().unwrap(),
        None => "postmaster@office.example".parse().unwrap(),
    };
    let done = desk.letters.pass_on(&mut batch, &inbound, &message, &owner, list).await.unwrap();
    assert_eq!(batch.is_empty(), done == PassedOn::Loop);
    assert_eq!(desk.store.commit(batch).await.unwrap(), Commit::Applied);
    desk.letters.notify();
    done
}

fn letter(done: PassedOn) -> LetterId {
    match done {
        PassedOn::As(id) => id,
        other => panic!("{other:?}"),
    }
}

/// The last message that the relay was given: its envelope sender, and its octets.
fn carried(desk: &Desk) -> (String, Vec<u8>) {
    let carried = desk.relay.carried.lock().unwrap();
    let (envelope, octets) = carried.last().unwrap();
    (envelope.reverse_path().to_owned(), octets.clone())
}

#[tokio::test]
async fn the_original_arrives_octet_by_octet_below_what_is_added() {
    let desk = Desk::new();
    let postman = desk.postman();
    let id = letter(pass(&desk, Some("kare@reader.example"), ODD, Some(&list("media"))).await);
    desk.until_settled(id).await;
    let (sender, octets) = carried(&desk);
    let token = sender.strip_prefix("media-bounces+").unwrap().strip_suffix("@lists.example.org").unwrap();
    assert_eq!(desk.key.verify(Purpose::Letter, token), Some(vec![id.0]));
    let added = octets.len() - ODD.len();
    assert_eq!(&octets[added..], ODD);
    let added = String::from_utf8(octets[..added].to_vec()).unwrap();
    assert!(added.ends_with("\r\n") && !added.contains("\r\n\r\n"), "{added}");
    for name in ["Resent-From", "Resent-To", "Resent-Date", "Resent-Message-ID"] {
        assert!(added.contains(&format!("{name}: ")), "{name} is not in {added}");
    }
    assert!(added.contains("Resent-To: kansli@office.example"), "{added}");
    postman.drain().await;
}

#[tokio::test]
async fn what_was_passed_on_before_is_not_passed_on_again() {
    let desk = Desk::new();
    let postman = desk.postman();
    let media = list("media");
    let id = letter(pass(&desk, Some("kare@reader.example"), ODD, Some(&media)).await);
    desk.until_settled(id).await;
    let (_, octets) = carried(&desk);
    // The owner's mailbox sends everything back to the list.
    assert_eq!(pass(&desk, Some("kansli@office.example"), &octets, Some(&media)).await, PassedOn::Loop);
    let more = [b"Received: from x by y; now\r\nX-Loop: somebody else\r\n".as_slice(), &octets].concat();
    assert_eq!(pass(&desk, Some("kansli@office.example"), &more, Some(&media)).await, PassedOn::Loop);
    // Another list's owner may be a list of ours: that is no circle yet.
    let board = letter(pass(&desk, Some("kansli@office.example"), &octets, Some(&list("styrelse"))).await);
    desk.until_settled(board).await;
    let (_, twice) = carried(&desk);
    for list in [media, list("styrelse")] {
        assert_eq!(pass(&desk, Some("x@office.example"), &twice, Some(&list)).await, PassedOn::Loop);
    }
    postman.drain().await;
}

#[tokio::test]
async fn nobody_else_can_make_the_mark() {
    let desk = Desk::new();
    let media = list("media");
    for mark in ["media@lists.example.org", "media", "", "0123456789abcdef"] {
        let forged = format!("X-Loop: {mark}\r\nFrom: kare@reader.example\r\n\r\nhej {mark}\r\n");
        letter(pass(&desk, Some("kare@reader.example"), forged.as_bytes(), Some(&media)).await);
    }
}

#[tokio::test]
async fn what_came_with_the_null_sender_goes_on_with_it() {
    let desk = Desk::new();
    let postman = desk.postman();
    for list in [Some(&list("media")), None] {
        let id = letter(pass(&desk, None, ODD, list).await);
        desk.until_settled(id).await;
        assert_eq!(carried(&desk).0, "");
    }
    let other = [ODD, b"x\r\n"].concat();
    let id = letter(pass(&desk, Some("kare@reader.example"), &other, None).await);
    desk.until_settled(id).await;
    assert_eq!(carried(&desk).0, "postmaster@press.example");
    postman.drain().await;
}

#[tokio::test]
async fn a_sensitive_list_is_not_named() {
    let desk = Desk::new();
    let postman = desk.postman();
    let mut strike = list("strejk");
    (strike.privacy, strike.title) = (Privacy::Sensitive, "Strejkfonden".into());
    let id = letter(pass(&desk, Some("kare@reader.example"), ODD, Some(&strike)).await);
    desk.until_settled(id).await;
    let (sender, octets) = carried(&desk);
    let added = String::from_utf8(octets[..octets.len() - ODD.len()].to_vec()).unwrap();
    assert!(!format!("{sender}{added}").to_lowercase().contains("strejk"), "{sender} {added}");
    postman.drain().await;
}

#[tokio::test]
async fn what_the_spool_has_no_more_fails_and_says_so() {
    let desk = Desk::new();
    let (mut inbound, message) = desk.take_in(Some("kare@reader.example"), ODD).await;
    inbound.place.segment += 7;
    let mut batch = Batch::new();
    let owner = "kansli@office.example".parse().unwrap();
    let done = desk.letters.pass_on(&mut batch, &inbound, &message, &owner, Some(&list("media"))).await.unwrap();
    desk.store.commit(batch).await.unwrap();
    let postman = desk.postman();
    desk.until_settled(letter(done)).await;
    let failed = desk.letter(letter(done)).await;
    assert_eq!(failed.state.word(), "failed");
    assert!(format!("{:?}", failed.cause()).contains("dropped by age"), "{:?}", failed.cause());
    assert!(desk.relay.given().is_empty());
    postman.drain().await;
}

#[test]
fn a_passed_on_message_is_no_command_of_a_person() {
    let marked = [b"X-Loop: x\r\n".as_slice(), ODD].concat();
    assert!(!Incoming::parse(&marked).unwrap().may_be_answered());
    assert_eq!(field(&marked, "X-Loop").as_deref(), Some("x"));
}
