//! Authors are authenticated against their domains with SPF, DKIM and DMARC, over a real DNS socket; what cannot be
//! looked up is unknown and never passes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use depesch::authentication::Authenticator;
use depesch::authentication::lookups::{LookupSettings, Lookups};
use depesch::model::authentication::{Authentication, Check, DomainPolicy};
use depesch::model::inbound::{Arrival, Via};
use depesch::model::list::Unproven;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;

use crate::support::dns::Zone;
use crate::support::office::noon;

/// A name server with these TXT records.
async fn name_server(records: BTreeMap<String, String>) -> SocketAddr {
    let zone = records.iter().fold(Zone::default(), |zone, (name, text)| zone.text(name, text));
    zone.serve().await
}

const MESSAGE: &str = "From: Anna Lind <anna@example.org>\r\nTo: press@lists.example.org\r\nSubject: Hej\r\n\
    Message-ID: <1@example.org>\r\nDate: Sat, 21 Nov 2026 09:00:00 +0000\r\n\r\nText\r\n";

struct Signed {
    message: String,
    records: BTreeMap<String, String>,
}

/// A message signed by example.org, and that domain's DNS records.
fn signed(policy: &str) -> Signed {
    let key = Ed25519Key::from_pkcs8_der(&Ed25519Key::generate_pkcs8().unwrap()).unwrap();
    let public = STANDARD.encode(key.public_key());
    let signer = DkimSigner::from_key(key).domain("example.org").selector("s").headers(["From", "Subject", "Date"]);
    let signature = signer.sign(MESSAGE.as_bytes()).unwrap().to_header();
    let mut records = BTreeMap::new();
    records.insert("s._domainkey.example.org".to_owned(), format!("v=DKIM1; k=ed25519; p={public}"));
    records.insert("_dmarc.example.org".to_owned(), format!("v=DMARC1; p={policy}"));
    records.insert("example.org".to_owned(), "v=spf1 ip4:192.0.2.1 -all".to_owned());
    Signed { message: format!("{signature}{MESSAGE}"), records }
}

fn came(via: Via, peer: &str) -> Arrival {
    Arrival {
        at: noon(),
        via,
        peer: Some(peer.parse().unwrap()),
        helo: "mx.example.org".into(),
        encrypted: true,
        sender: Some("anna@example.org".into()),
    }
}

async fn check(records: BTreeMap<String, String>, arrival: &Arrival, message: &str) -> Authentication {
    let settings = LookupSettings {
        servers: vec![name_server(records).await],
        trusted: Some("front.example.org".into()),
        time_limit: Duration::from_secs(3),
        ..LookupSettings::default()
    };
    let author = depesch::mail::author::author(message.as_bytes()).unwrap().address;
    Lookups::new(settings).unwrap().authenticate(arrival, message.as_bytes(), &author).await
}

#[tokio::test]
async fn a_signature_of_the_authors_domain_counts_from_any_machine() {
    let Signed { message, records } = signed("reject");
    let found = check(records, &came(Via::Smtp, "203.0.113.9"), &message).await;
    let expected =
        Authentication { author: Check::Pass, spf: Check::Fail, dkim: Check::Pass, policy: DomainPolicy::Reject };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn so_does_a_machine_of_the_domain() {
    let Signed { records, .. } = signed("quarantine");
    let found = check(records, &came(Via::Smtp, "192.0.2.1"), MESSAGE).await;
    let expected =
        Authentication { author: Check::Pass, spf: Check::Pass, dkim: Check::None, policy: DomainPolicy::Quarantine };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_forged_message_fails() {
    let Signed { message, records } = signed("reject");
    let changed = message.replace("Subject: Hej", "Subject: Nej");
    let found = check(records, &came(Via::Smtp, "203.0.113.9"), &changed).await;
    assert_eq!((found.author, found.dkim), (Check::Fail, Check::Fail));
    assert!(found.is_forged());
}

#[tokio::test]
async fn a_domain_without_records_proves_nothing() {
    let found = check(BTreeMap::new(), &came(Via::Smtp, "203.0.113.9"), MESSAGE).await;
    assert_eq!((found.author, found.policy), (Check::None, DomainPolicy::None));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_unknown() {
    let message = MESSAGE.replace("example.org", "silent.example");
    let arrival = Arrival { sender: Some("anna@silent.example".into()), ..came(Via::Smtp, "192.0.2.1") };
    let found = check(BTreeMap::new(), &arrival, &message).await;
    assert_eq!((found.author, found.policy), (Check::Unknown, DomainPolicy::Unknown));
}

#[tokio::test]
async fn a_sender_whose_domain_never_answers_does_not_hide_the_policy_of_the_author() {
    for (policy, published, author) in [
        ("reject", DomainPolicy::Reject, Check::Fail),
        ("quarantine", DomainPolicy::Quarantine, Check::Fail),
        ("none", DomainPolicy::None, Check::Fail),
    ] {
        let Signed { records, .. } = signed(policy);
        let arrival = Arrival {
            sender: Some("a@silent.example".into()),
            helo: "silent.example".into(),
            ..came(Via::Smtp, "203.0.113.9")
        };
        let found = check(records, &arrival, MESSAGE).await;
        assert_eq!((found.author, found.spf, found.policy), (author, Check::Unknown, published));
    }
}

#[tokio::test]
async fn nor_do_signatures_of_domains_that_never_answer() {
    let Signed { message, records } = signed("reject");
    let signature = message.split("\r\nFrom:").next().unwrap().replace("d=example.org", "d=silent.example");
    let message = format!("{}{MESSAGE}", format!("{signature}\r\n").repeat(8));
    let found = check(records, &came(Via::Smtp, "203.0.113.9"), &message).await;
    assert_eq!((found.author, found.policy), (Check::Unknown, DomainPolicy::Reject));
    assert!(found.objection(true, Unproven::Send).is_some());
}

#[tokio::test]
async fn a_domain_without_dmarc_is_checked_by_its_spf_whatever_the_envelope_sender() {
    let records = || {
        let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        BTreeMap::from([
            text("example.org", "v=spf1 ip4:192.0.2.1 -all"),
            text("evil.example", "v=spf1 ip4:203.0.113.9 -all"),
        ])
    };
    let evil = Arrival { sender: Some("a@evil.example".into()), ..came(Via::Smtp, "203.0.113.9") };
    let found = check(records(), &evil, MESSAGE).await;
    assert_eq!((found.author, found.spf, found.policy), (Check::Fail, Check::Pass, DomainPolicy::None));
    let own = check(records(), &came(Via::Smtp, "192.0.2.1"), MESSAGE).await;
    assert_eq!((own.author, own.policy), (Check::Pass, DomainPolicy::None));
}

#[tokio::test]
async fn a_message_in_which_the_library_finds_another_author_is_unknown() {
    let Signed { records, .. } = signed("reject");
    let author = "anna@example.org".parse().unwrap();
    let settings = LookupSettings { servers: vec![name_server(records).await], ..LookupSettings::default() };
    let lookups = Lookups::new(settings).unwrap();
    for forged in [
        format!("X\r\n{MESSAGE}"),
        MESSAGE.replace("anna@example.org>", "a@evil.example>"),
        format!("From: a@evil.example\r\n{MESSAGE}"),
    ] {
        let found = lookups.authenticate(&came(Via::Smtp, "192.0.2.1"), forged.as_bytes(), &author).await;
        assert_eq!(found, Authentication::default(), "{forged}");
    }
}

#[tokio::test]
async fn only_the_trusted_servers_results_count_for_its_mail() {
    let Signed { message, records } = signed("reject");
    let own = format!("Authentication-Results: front.example.org; dmarc=fail header.from=example.org\r\n{message}");
    let forged = format!("Authentication-Results: example.org; dmarc=pass header.from=example.org\r\n{message}");
    for (message, author) in [(&own, Check::Fail), (&forged, Check::Unknown), (&message, Check::Unknown)] {
        let found = check(records.clone(), &came(Via::Lmtp, "192.0.2.1"), message).await;
        assert_eq!((found.author, found.policy), (author, DomainPolicy::Reject), "{message}");
    }
}
