//! Relays with unusual SMTP: HELO instead of EHLO, a reply without a name, invalid replies. The replies are kept, and
//! one strange reply concerns one recipient only.

use std::sync::Arc;
use std::time::Duration;

use depesch::mock_smtp::script::{Action, Point, Rules};
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::model::ledger::{Cause, DeliveryState, Sequence, Stage};
use depesch::model::mailing::UncertainPolicy;
use depesch::transport::{ConnectError, Outcome, Transport};

use crate::support::office::Office;
use crate::support::relay::{connect, envelope, message, mock, relay, scripted, send_one};

fn without_pipelining() -> MockServer {
    MockServer::start(MockSettings { extensions: vec!["SIZE".to_owned()], ..MockSettings::default() }).unwrap()
}

#[tokio::test]
async fn where_ehlo_is_refused_helo_is_sent() {
    for code in [500, 501, 502, 504, 550] {
        let refused = Action::Reply(format!("{code} 5.5.1 not implemented"));
        let mock = scripted(Rules::new().once_at(Point::Ehlo, refused));
        let mut connection = connect(&mock).await;
        for id in ["1@x", "2@x"] {
            let outcome = connection.send(&envelope("a@example.org"), &message(id)).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{code}: {outcome:?}");
        }
        // RFC 5321 §2.2.1: without EHLO there are no extensions, whatever the answer to HELO lists.
        let got = &mock.record().messages()[0];
        assert_eq!((got.sender_parameters.as_str(), got.recipient_parameters[0].as_str()), ("", ""), "{code}");
    }
}

#[tokio::test]
async fn where_helo_is_refused_too_its_reply_is_reported() {
    let rules = Rules::new()
        .once_at(Point::Ehlo, Action::Reply("502 5.5.1 no EHLO".to_owned()))
        .at(Point::Ehlo, Action::Reply("550 5.7.1 we do not know you".to_owned()));
    match relay(&scripted(rules)).connect().await.err() {
        Some(ConnectError::TurnedAway(reply)) => assert_eq!(reply.to_string(), "550 5.7.1 we do not know you"),
        other => panic!("{other:?}"),
    }
    // Nor does a refusal in the greeting, or one for now, lead to HELO.
    for (point, said) in
        [(Point::Greeting, "554 5.3.2 go away"), (Point::Ehlo, "421 4.3.2 later"), (Point::Ehlo, "450 later")]
    {
        let mock = scripted(Rules::new().once_at(point, Action::Reply(said.to_owned())));
        let error = relay(&mock).connect().await.err();
        assert!(
            matches!(&error, Some(ConnectError::TurnedAway(reply)) if said.starts_with(&reply.code.to_string())),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_to_ehlo_needs_no_name() {
    for said in ["250", "250 ", "250-\r\n250 8BITMIME"] {
        let mock = scripted(Rules::new().at(Point::Ehlo, Action::Reply(said.to_owned())));
        let outcome = send_one(&relay(&mock), "a@example.org", "1@x").await;
        assert!(matches!(outcome, Some(Outcome::Accepted(_))), "{said:?}: {outcome:?}");
    }
}

/// Replies that are none, and a piece of their words.
const GARBLED: [(&str, &str); 5] = [
    ("550-5.1.1 unknown\r\n554 5.7.1 blocked using list", "550-5.1.1 unknown / 554 5.7.1 blocked using list"),
    ("250-taken\r\n550 5.1.1 not taken", "250-taken / 550 5.1.1 not taken"),
    ("5.1.1 user unknown", "5.1.1 user unknown"),
    ("600 strange", "600 strange"),
    ("no such user", "no such user"),
];

#[tokio::test]
async fn a_malformed_reply_defers_its_recipient_with_its_text() {
    for (said, words) in GARBLED {
        for (point, stage) in
            [(Point::Mail, Stage::Mail), (Point::Recipient, Stage::Recipient), (Point::Data, Stage::Data)]
        {
            for mock in [mock(), without_pipelining()] {
                mock.follow(Rules::new().once_at(point, Action::Reply(said.to_owned())));
                let mut connection = connect(&mock).await;
                match connection.send(&envelope("a@example.org"), &message("1@x")).await {
                    Outcome::Refused { stage: told, reply } => {
                        assert_eq!((told, reply.code), (stage, 451), "{said:?} at {point:?}");
                        assert!(reply.text.contains(words), "{said:?} at {point:?}: {}", reply.text);
                    }
                    other => panic!("{said:?} at {point:?}: {other:?}"),
                }
                assert!(!connection.is_usable(), "whose the next reply is, is not known: {said:?}");
                assert_eq!(mock.record().totals().accepted, 0, "{said:?} at {point:?}");
            }
        }
    }
}

#[tokio::test]
async fn after_the_message_only_a_refusal_means_that_it_was_not_taken() {
    for (said, words) in GARBLED {
        let mock = scripted(Rules::new().at(Point::Message, Action::Reply(said.to_owned())));
        let outcome = send_one(&relay(&mock), "a@example.org", "1@x").await;
        match outcome {
            Some(Outcome::Refused { stage: Stage::Message, reply }) if said.starts_with("550-") => {
                assert!(reply.code == 451 && reply.text.contains(words), "{reply}");
            }
            Some(Outcome::Unknown(text)) if !said.starts_with("550-") => assert!(text.contains(words), "{text}"),
            other => panic!("{said:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn strange_but_plain_replies_are_understood() {
    let long = format!("550 5.1.1 {} user unknown", "x".repeat(70_000));
    let many = format!("{}550 5.1.1 end", "550-5.1.1 line\r\n".repeat(400));
    let cases = [
        ("550-5.1.1 user unknown\r\nsee https://help.example/\r\n550 5.1.1 bye", "5.1.1 user unknown"),
        ("550No such user", "No such user"),
        ("550\t5.1.1 No such user", "5.1.1 No such user"),
        ("550", ""),
        ("550-5.1.1 No such user\r\n550-\r\n550 ", "5.1.1 No such user"),
        (long.as_str(), "5.1.1 xxxx"),
        (many.as_str(), "5.1.1 line"),
    ];
    for (said, words) in cases {
        let mock = scripted(Rules::new().refuse("gone", said));
        let mut connection = connect(&mock).await;
        match connection.send(&envelope("gone@example.org"), &message("1@x")).await {
            Outcome::Refused { stage: Stage::Recipient, reply } => {
                assert!(reply.code == 550 && reply.text.starts_with(words), "{reply}");
            }
            other => panic!("{:?}: {other:?}", &said[..said.len().min(80)]),
        }
        let next = connection.send(&envelope("b@example.org"), &message("2@x")).await;
        assert!(matches!(next, Outcome::Accepted(_)), "{next:?}");
    }
}

#[tokio::test]
async fn one_strange_answer_holds_up_no_other_recipient() {
    let mut office = Office::new();
    office.connections = 1;
    for name in ["anna", "odd", "zeth"] {
        office.subscriber(name).await;
    }
    let mock = scripted(Rules::new().refuse("odd", "600 5.1.1 no such user"));
    let transport = Arc::new(relay(&mock));
    let dispatcher = office.dispatcher_over(transport).await.unwrap();
    let id = office.mailing(UncertainPolicy::Resend).await;
    let settled = async {
        while (office.tally(id).await.accepted, office.tally(id).await.deferred) != (2, 1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), settled).await.unwrap();
    assert_eq!(dispatcher.trouble(), None);
    let (delivery, _) = office.store.delivery(id, Sequence(1)).await.unwrap();
    let DeliveryState::Deferred { cause: Cause::Reply { stage: Stage::Recipient, reply }, .. } = delivery.state else {
        panic!("{delivery:?}")
    };
    assert!(reply.text.contains("600 5.1.1 no such user"), "{reply}");
    dispatcher.drain().await;
}

#[tokio::test]
async fn only_2xx_is_a_yes_to_mail_and_rcpt() {
    for (point, stage) in [(Point::Mail, Stage::Mail), (Point::Recipient, Stage::Recipient)] {
        for mock in [mock(), without_pipelining()] {
            mock.follow(Rules::new().once_at(point, Action::Reply("354 go ahead".to_owned())));
            let mut connection = connect(&mock).await;
            match connection.send(&envelope("a@example.org"), &message("1@x")).await {
                Outcome::Refused { stage: told, reply } => assert_eq!((told, reply.code), (stage, 451), "{reply}"),
                other => panic!("354 at {point:?}: {other:?}"),
            }
            assert!(!connection.is_usable(), "whose the next reply is, is not known");
            assert_eq!(mock.record().totals().accepted, 0, "at {point:?}");
        }
    }
}

#[tokio::test]
async fn only_2xx_is_a_yes_to_rset() {
    for (said, yes) in
        [("250 2.0.0 ok", true), ("354 go ahead", false), ("334 more", false), ("451 4.3.0 later", false)]
    {
        for mock in [mock(), without_pipelining()] {
            let gone = Rules::new().refuse("gone", "550 5.1.1 no such user");
            mock.follow(gone.at(Point::Reset, Action::Reply(said.to_owned())));
            let mut connection = connect(&mock).await;
            connection.send(&envelope("gone@example.org"), &message("1@x")).await;
            let outcome = connection.send(&envelope("b@example.org"), &message("2@x")).await;
            match (&outcome, yes) {
                (Outcome::Accepted(_), true) => {}
                (Outcome::NotSent(why), false) => assert!(why.contains(&said[..3]) && why.contains("RSET"), "{why}"),
                _ => panic!("{said}: {outcome:?}"),
            }
            assert_eq!(connection.is_usable(), yes, "{said}: whose the next reply is, is not known");
            assert_eq!(mock.record().totals().accepted, u64::from(yes), "{said}");
        }
    }
}

#[tokio::test]
async fn a_greeting_of_thousands_of_lines_is_not_smtp() {
    let many = format!("{}250 end", "250-X-EXTENSION\r\n".repeat(5000));
    let mock = scripted(Rules::new().at(Point::Ehlo, Action::Reply(many)));
    let error = relay(&mock).connect().await.err().unwrap().to_string();
    assert!(error.contains("an endless reply"), "{error}");
}
