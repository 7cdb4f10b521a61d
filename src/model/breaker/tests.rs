//! When breakers open, what they report, and what they forget.

use super::*;
use crate::model::classify::Counts;

const MAILING: MailingId = MailingId(1);

fn at(seconds: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn refuse(breakers: &mut Breakers, seconds: i64, domain: &str, class: Class) -> Option<Opened> {
    refuse_with(breakers, seconds, domain, (550, class))
}

fn refuse_with(breakers: &mut Breakers, seconds: i64, domain: &str, (code, class): (u16, Class)) -> Option<Opened> {
    let reply = Reply::new(code, "5.7.26 SPF did not pass");
    let why = "SPF, DKIM or DMARC did not pass".to_owned();
    let classified = Classified { class, why, counts: Counts::Never, slow: false };
    breakers.refused(at(seconds), MAILING, domain, (Stage::Message, &reply), &classified)
}

#[test]
fn a_mailing_pauses_when_enough_blame_it() {
    let mut breakers = Breakers::default();
    for number in 0..19 {
        assert_eq!(refuse(&mut breakers, number, &format!("d{number}.example"), Class::Policy), None);
    }
    let opened = refuse(&mut breakers, 19, "d19.example", Class::Policy).unwrap();
    assert_eq!(opened.domain_rests_until, None);
    let evidence = opened.mailing_pauses.unwrap();
    assert!(evidence.starts_with("20 of 20 answers in 10 min blame the sender; SPF"), "{evidence}");
    assert!(evidence.contains("d19.example, to message: 550 5.7.26 SPF did not pass"), "{evidence}");
    assert_eq!(refuse(&mut breakers, 20, "d20.example", Class::Policy), None, "it starts again");
}

#[test]
fn few_among_many_do_not_pause_a_mailing_but_let_their_domain_rest() {
    let mut breakers = Breakers::default();
    for second in 0..20 {
        for _ in 0..10 {
            breakers.count(at(second), MAILING, "other.example");
        }
        let opened = refuse(&mut breakers, second, "strict.example", Class::Policy);
        assert_eq!(opened.is_some(), second == 19);
        if let Some(opened) = opened {
            assert_eq!((opened.domain_rests_until, opened.mailing_pauses), (Some(at(19 + 1800)), None));
            assert_eq!(opened.doubted.domain.as_deref(), Some("strict.example"));
        }
    }
    assert!(breakers.rest(at(100), "strict.example").unwrap().evidence.contains("20 of 20"));
    assert_eq!(breakers.rest(at(100), "other.example"), None);
    assert_eq!(breakers.resting(at(100)).len(), 1);
    assert_eq!(breakers.resting(at(19 + 1800)), [], "its rest is over");
    assert_eq!(breakers.rest(at(19 + 1800), "strict.example"), None, "its rest is over");
}

#[test]
fn refusals_for_now_that_blame_a_mailbox_or_a_machine_open_nothing() {
    let mut breakers = Breakers::default();
    for class in [Class::Mailbox, Class::Network, Class::Other] {
        for second in 0..100 {
            assert_eq!(refuse_with(&mut breakers, second, "example.org", (450, class)), None);
        }
    }
}

#[test]
fn whatever_is_refused_for_good_to_all_cannot_be_true() {
    for class in [Class::Mailbox, Class::Network, Class::Other] {
        let mut breakers = Breakers::default();
        for second in 0..12 {
            assert_eq!(refuse(&mut breakers, second, "example.org", class), None);
        }
        let opened = refuse(&mut breakers, 12, "example.org", class).unwrap();
        assert!(opened.mailing_pauses.unwrap().starts_with("13 of 13 messages were refused for good"));
        assert_eq!(breakers.belief(at(13), MAILING, "example.org"), Belief::Doubted(at(13)));
        let other = breakers.belief(at(13), MailingId(2), "example.com");
        assert_eq!(other, Belief::Doubted(at(12 + 1800)), "another mailing waits until then");
        breakers.begin(MAILING, Expected::UNKNOWN);
        assert_eq!(breakers.belief(at(14), MAILING, "example.org"), Belief::Believed, "a person has seen it");
        let more = (0..100).position(|_| refuse(&mut breakers, 15, "example.org", class).is_some());
        assert_eq!(more, Some(25), "twice as much is needed then");
    }
}

#[test]
fn few_refusals_are_believed_and_after_three_in_a_row_they_are_asked_again() {
    let mut breakers = Breakers::default();
    for second in 0..3 {
        refuse(&mut breakers, second, "example.org", Class::Other);
        assert_eq!(breakers.belief(at(second), MAILING, "example.org"), Belief::Believed);
    }
    refuse(&mut breakers, 3, "example.org", Class::Other);
    assert_eq!(breakers.belief(at(3), MAILING, "example.org"), Belief::Twice);
    for _ in 0..3 {
        breakers.count(at(4), MAILING, "example.org");
    }
    assert_eq!(breakers.belief(at(4), MAILING, "example.org"), Belief::Believed);
}

#[test]
fn what_lies_before_the_window_does_not_count() {
    let mut breakers = Breakers::default();
    for number in 0..200 {
        assert_eq!(refuse(&mut breakers, number * 60, "example.org", Class::Content), None);
    }
    for number in 0..9 {
        assert_eq!(refuse(&mut breakers, 200 * 60, "example.org", Class::Content), None, "{number}");
    }
}

fn no_such_address(breakers: &mut Breakers, seconds: i64, domain: &str) -> Option<Opened> {
    let reply = Reply::new(550, "5.1.1 no such user");
    let why = "no such address".to_owned();
    let classified = Classified { class: Class::Address, why, counts: Counts::Always, slow: false };
    breakers.refused(at(seconds), MAILING, domain, (Stage::Recipient, &reply), &classified)
}

#[test]
fn a_relay_that_refuses_all_recipients_is_not_believed_for_a_while() {
    let mut breakers = Breakers::default();
    for number in 0..7 {
        assert_eq!(no_such_address(&mut breakers, number, &format!("d{number}.example")), None);
        assert!(!matches!(breakers.belief(at(number), MAILING, "d0.example"), Belief::Doubted(_)));
    }
    let opened = no_such_address(&mut breakers, 7, "d7.example").unwrap();
    let doubted = opened.doubted;
    assert_eq!((doubted.mailings, doubted.domain), (vec![MAILING], None));
    assert!(opened.mailing_pauses.unwrap().starts_with("8 of 8 recipients are said not to exist"));
    assert!(matches!(breakers.belief(at(8), MAILING, "other.example"), Belief::Doubted(_)));
    assert_eq!(breakers.belief(at(7 + 1800), MAILING, "other.example"), Belief::Believed);
}

#[test]
fn a_domain_that_refuses_all_recipients_rests_and_the_others_are_believed() {
    let mut breakers = Breakers::default();
    for number in 0..20 {
        breakers.count(at(number), MAILING, "well.example");
        breakers.count(at(number), MAILING, "well.example");
        let opened = no_such_address(&mut breakers, number, "closed.example");
        assert_eq!(opened.is_some(), number == 19, "{number}");
        if let Some(opened) = opened {
            assert_eq!(opened.doubted.domain.as_deref(), Some("closed.example"));
            assert_eq!((opened.domain_rests_until, opened.mailing_pauses), (Some(at(19 + 1800)), None));
        }
    }
    assert_eq!(breakers.belief(at(20), MAILING, "closed.example"), Belief::Doubted(at(19 + 1800)));
    assert_eq!(breakers.belief(at(20), MAILING, "well.example"), Belief::Believed);
    assert!(breakers.rest(at(20), "closed.example").unwrap().evidence.contains("20 of 20"));
}

#[test]
fn an_old_list_with_many_dead_addresses_is_believed() {
    let mut breakers = Breakers::default();
    for number in 0..300 {
        let domain = format!("d{}.example", number % 40);
        breakers.count(at(number), MAILING, &domain);
        breakers.count(at(number), MAILING, &domain);
        assert_eq!(no_such_address(&mut breakers, number, &domain), None, "a third, {number}");
    }
}

#[test]
fn quiet_domains_are_forgotten() {
    let mut breakers = Breakers::default();
    for number in 0..5_000 {
        refuse(&mut breakers, number * 60, &format!("d{number}.example"), Class::Policy);
        breakers.count(at(number * 60), MAILING, "well.example");
        breakers.count(at(number * 60), MAILING, "well.example");
        no_such_address(&mut breakers, number * 60, &format!("d{number}.example"));
    }
    assert!(breakers.domains.len() <= MANY_DOMAINS && breakers.domain_faults.len() <= MANY_DOMAINS);
}
