//! A complaint ends a subscription only if the returned message contains a token signed by us (RFC 5965 §5).

use depesch::base::id::{ListName, MailingId, SubscriberId};
use depesch::base::token::Purpose;
use depesch::model::bounce::{BounceEffect, Verdict};
use depesch::model::consent::ConsentSource;
use depesch::model::inbound::InboundKind;
use depesch::model::subscriber::SubscriptionState::{Active, Ended};
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::profile::{PersonFields, SubscriberService};

use crate::support::bounces::{comes, complaint, mailed, notices_to_owner, returned, sender_of, standing};
use crate::support::inbound::{MailIn, key};
use crate::support::mailings::minute;

async fn is_suppressed(mail_in: &MailIn, id: u64) -> Option<SuppressionReason> {
    let address = format!("reader{id}@example.com").parse().unwrap();
    let found = mail_in.store.suppression(&key().hash_address(&address)).await.unwrap();
    found.map(|read| read.value.reason)
}

#[tokio::test]
async fn one_with_our_token_ends_the_subscription_wherever_it_comes_to() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let places = [sender_of(1, 1), "media-owner@lists.example.org".into(), "abuse@lists.example.org".into()];
    for (place, id) in places.iter().zip(1..) {
        let kind = comes(&mail_in, place, &complaint(place, "abuse", &returned(1, id))).await;
        assert_eq!(kind, InboundKind::Complaint, "{place}");
        assert_eq!(standing(&mail_in.store, id).await, Ended, "{place}");
        assert_eq!(is_suppressed(&mail_in, id).await, Some(SuppressionReason::Complaint), "{place}");
        let bounce = mail_in.store.bounce(MailingId(1), SubscriberId(id)).await.unwrap().unwrap().value;
        assert_eq!((bounce.effect, bounce.verdict), (BounceEffect::Ended, Verdict::Complaint));
    }
    let report = depesch::mailings::report_bounces::later(&mail_in.store, MailingId(1), 10).await.unwrap();
    assert_eq!((report.complained, report.bounced), (3, 0));
}

#[tokio::test]
async fn the_returned_envelope_sender_alone_is_proof_enough() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let header = format!("Return-Path: <{}>\r\nFrom: media@lists.example.org\r\n", sender_of(1, 1));
    comes(&mail_in, "media-owner@lists.example.org", &complaint("x@example.org", "abuse", &header)).await;
    assert_eq!(standing(&mail_in.store, 1).await, Ended);
    assert_eq!(is_suppressed(&mail_in, 1).await, Some(SuppressionReason::Complaint));
}

/// The recipient of a forwarded mail has its unsubscribe link too.
#[tokio::test]
async fn an_unsubscribe_link_ends_its_own_list_and_nothing_else() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let (media, sport): (ListName, ListName) = ("media".parse().unwrap(), "sport".parse().unwrap());
    mail_in
        .store
        .update_mailing(MailingId(1), |mailing, _| -> Result<(), StoreError> {
            mailing.audience.lists.insert(sport.clone());
            Ok(())
        })
        .await
        .unwrap();
    let also_sport = mail_in.store.change_subscriber(SubscriberId(2), |subscriber| -> Result<(), StoreError> {
        let source = ConsentSource::Operator { who: "anna".into() };
        let _ = subscriber.change(&sport, Active, minute(1), source, "by phone".into());
        Ok(())
    });
    also_sport.await.unwrap();
    let notice = depesch::subscribers::tokens::UnsubscribeToken::of_notice(&key(), &sport, SubscriberId(2));
    for (token, media_is, sport_is) in [
        (key().sign(Purpose::Unsubscribe, &[1, 2, 0]), Ended, Active),
        // Without the list's position the token is invalid.
        (key().sign(Purpose::Unsubscribe, &[1, 2]), Ended, Active),
        (notice, Ended, Ended),
    ] {
        let header = format!(
            "From: media@lists.example.org\r\nList-Unsubscribe: <mailto:media-unsubscribe+{token}@lists.example.org>\r\n"
        );
        comes(&mail_in, "media-owner@lists.example.org", &complaint("x@example.org", "abuse", &header)).await;
        let reader = mail_in.store.subscriber(SubscriberId(2)).await.unwrap().unwrap().value;
        assert_eq!((reader.state_on(&media), reader.state_on(&sport)), (Some(media_is), Some(sport_is)), "{token}");
        assert_eq!(is_suppressed(&mail_in, 2).await, None, "{token}");
    }
}

#[tokio::test]
async fn microsofts_junk_report_is_a_complaint_without_a_form() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let report = format!(
        "From: <staff@hotmail.example>\r\nSubject: complaint about message from 192.0.2.1\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b3\"\r\n\r\n--b3\r\nContent-Type: message/rfc822\r\n\r\n\
         X-HmXmrOriginalRecipient: reader1@example.com\r\n{}\r\nHej!\r\n--b3--\r\n",
        returned(1, 1)
    );
    assert_eq!(comes(&mail_in, "media-owner@lists.example.org", &report).await, InboundKind::Complaint);
    assert_eq!((standing(&mail_in.store, 1).await, standing(&mail_in.store, 2).await), (Ended, Active));
}

#[tokio::test]
async fn one_without_a_token_of_ours_changes_nothing_and_a_person_reads_it() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let bare = "From: media@lists.example.org\r\nTo: reader1@example.com\r\nMessage-ID: <m1.x@lists.example.org>\r\n";
    let foreign = depesch::base::token::Key::new([9; 32]).sign(Purpose::Unsubscribe, &[1, 1, 0]);
    let forged = format!("{bare}List-Unsubscribe: <mailto:media-unsubscribe+{foreign}@lists.example.org>\r\n");
    // The address it was sent to is signed, but readers of our mail know it; the report does not return a mail of ours.
    // Every answer to a mail quotes its Message-ID, so a reader of one could complain in another person's name.
    let quoted = key().sign(Purpose::MessageId, &[1, 1]);
    let quoted = format!("From: media@lists.example.org\r\nMessage-ID: <m1.{quoted}@lists.example.org>\r\n");
    let owner = "media-owner@lists.example.org".to_owned();
    for (place, header) in [(sender_of(1, 1), bare), (owner.clone(), &forged), (owner, &quoted)] {
        assert_eq!(comes(&mail_in, &place, &complaint(&place, "abuse", header)).await, InboundKind::Forwarded);
    }
    assert_eq!((standing(&mail_in.store, 1).await, is_suppressed(&mail_in, 1).await), (Active, None));
    assert_eq!(notices_to_owner(&mail_in.store).await, 3);
}

#[tokio::test]
async fn a_report_about_something_else_is_not_a_complaint() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    for kind in ["auth-failure", "not-spam", "virus"] {
        let kind = comes(&mail_in, &sender_of(1, 1), &complaint("x@example.org", kind, &returned(1, 1))).await;
        assert_eq!(kind, InboundKind::Forwarded);
    }
    assert_eq!((standing(&mail_in.store, 1).await, is_suppressed(&mail_in, 1).await), (Active, None));
}

#[tokio::test]
async fn one_about_a_former_address_is_noted_and_changes_nothing() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let service = SubscriberService { store: mail_in.store.clone(), key: key(), at: minute(115), who: "anna".into() };
    let fields = PersonFields { address: Some("new@example.net".into()), ..PersonFields::default() };
    service.edit(SubscriberId(1), &fields).await.unwrap();
    comes(&mail_in, &sender_of(1, 1), &complaint("x@example.org", "abuse", &returned(1, 1))).await;
    assert_eq!(standing(&mail_in.store, 1).await, Active);
    let bounce = mail_in.store.bounce(MailingId(1), SubscriberId(1)).await.unwrap().unwrap().value;
    assert_eq!(bounce.effect, BounceEffect::FormerAddress);
}
