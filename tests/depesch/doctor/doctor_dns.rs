//! The doctor's checks of the sending domains, over a real DNS socket: each fault is found, with the record that fixes
//! it, and a query without an answer counts neither as good nor as bad.

use std::path::Path;
use std::time::Duration;

use depesch::authentication::lookups::LookupSettings;
use depesch::authentication::names::Names;
use depesch::config::Config;
use depesch::doctor::dns::{evaluate, observe};
use depesch::doctor::finding::{Finding, Severity};

use crate::support::dns::{Record, Zone};

/// RSA public keys made for this test; the private keys were discarded.
const KEY_2048: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4D+MN/CL1ZMt9yun4s/LdUkWu0lplWGJqFFcDWv1fJ2d350pr5DQ\
    dNO6ykgg6RDOpvVeRaUv7hJhcOO11w+l4QQWu37ndrkwijTkZgwssWt/LKctOmE5v9r+kfNQ0O/lGxnJyEIo3qMqPndge3OrkasiJr7BdQWhTAMqw0s+\
    7gYZ8j+K9SXHzdBpCZQqv8hrRH482CjWq0WTD1URr0gzbOS6ihlbhT5MW+X6yg5yXRbFfI24jEFcP7D6pOJMBUrTHSaOptE4X6RJgEZtEgo6Ffahrph\
    OMXTZA4tGNNhb44Q/1TgFAngPpi0pVY9TxQu3+XrtVlsP9lxHCfmCvTQDNwIDAQAB";
const KEY_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCjfEE7cjCr5EkYAN3yem3vjPe8KeNH09UCSV/8c2ujpZvvbaEC4qSWvaDk\
    eW5LCq3T/hfrYDVJXhLYRBO4ght2SxToMvDRYCTUXRwDQobrf1vgXQXgMYx+oUxLWQHrKuKvFgv0lugncB3RmrhGreQIttD6BfkvJVFQW1UAoSAtdQ\
    IDAQAB";

const KEY_768: &str = "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMrdeQT1n19jjzNV5jlea2Z5LHHmC2E63l+3jdnFqDexqlBjY6oIv/OGRZx6paJFp/ENGuRVszJ4HLIC5Ai3EZztVeACaQHMWyUcwf6tM07/u//Iy49VQ7NnAgDFJ6PIhwIDAQAB";

const LISTS: &str = "lists.example.org";
const KEY: &str = "s1._domainkey.lists.example.org";
const DMARC: &str = "_dmarc.lists.example.org";

/// A domain with nothing wrong, which sends from 203.0.113.25.
fn good() -> Zone {
    Zone::default()
        .text(LISTS, "v=spf1 ip4:203.0.113.25 -all")
        .text(LISTS, "some-site-verification=1")
        .text(KEY, &format!("v=DKIM1; k=rsa; p={KEY_2048}"))
        .text(DMARC, "v=DMARC1; p=quarantine; rua=mailto:dmarc@lists.example.org")
        .mx(LISTS, 10, "mx.example.org")
        .address("mx.example.org", "203.0.113.25")
        .pointer("203.0.113.25", "mx.example.org")
}

const CONFIGURED: &str = "[doctor]\ndkim_selectors = [\"s1\"]\naddresses = [\"203.0.113.25\"]\n";

async fn found_with(zone: Zone, configuration: &str) -> Vec<Finding> {
    let config = Config::parse(Path::new("/etc/depesch/depesch.toml"), configuration).unwrap().config;
    let settings = LookupSettings {
        servers: vec![zone.serve().await],
        time_limit: Duration::from_secs(3),
        ..LookupSettings::default()
    };
    let names = Names::new(&settings).unwrap();
    evaluate(&config, &observe(&config, &[LISTS.to_owned()].into(), &names).await)
}

/// Expects exactly one finding that is not good: with this severity, code and words in its remedy.
async fn check(zone: Zone, severity: Severity, code: &str, remedy: &str) {
    check_with(zone, CONFIGURED, severity, code, remedy).await;
}

async fn check_with(zone: Zone, configuration: &str, severity: Severity, code: &str, remedy: &str) {
    let found = found_with(zone, configuration).await;
    let wrong: Vec<&Finding> = found.iter().filter(|finding| finding.severity != Severity::Good).collect();
    assert_eq!(wrong.iter().map(|f| (f.severity, f.code)).collect::<Vec<_>>(), [(severity, code)], "{wrong:#?}");
    assert!(wrong[0].remedy.contains(remedy), "{}", wrong[0].remedy);
}

#[tokio::test]
async fn a_domain_with_nothing_wrong() {
    let found = found_with(good(), CONFIGURED).await;
    let codes: Vec<_> = found.iter().map(|finding| (finding.severity, finding.code)).collect();
    assert_eq!(codes, ["ptr", "spf", "dkim", "dmarc", "mx"].map(|code| (Severity::Good, code)), "{found:#?}");
}

#[tokio::test]
async fn a_domain_without_anything_gets_every_record() {
    let found = found_with(Zone::default(), CONFIGURED).await;
    let wrong = |code: &str| found.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("{found:#?}"));
    let remedy = |code: &str| wrong(code).remedy.as_str();
    assert!(remedy("spf-missing").ends_with("lists.example.org. IN TXT \"v=spf1 ip4:203.0.113.25 -all\""));
    assert!(remedy("dkim-missing").contains("s1._domainkey.lists.example.org. IN TXT \"v=DKIM1; k=rsa; p=KEY\""));
    assert!(remedy("dmarc-missing").contains("_dmarc.lists.example.org. IN TXT \"v=DMARC1; p=none;"));
    assert!(remedy("mx-missing").contains("lists.example.org. IN MX 10 "));
    assert_eq!(wrong("ptr-missing").severity, Severity::Error);
    assert_eq!(found.len(), 5);
}

#[tokio::test]
async fn an_unanswered_query_is_reported_as_not_checked() {
    let config = "[organisation]\ndomain = \"broken.example.org\"\n".to_owned() + CONFIGURED;
    let found = found_with(good(), &config).await;
    let about: Vec<_> = found.iter().filter(|finding| finding.what.contains("broken")).collect();
    assert_eq!(about.len(), 4, "{found:#?}");
    assert!(about.iter().all(|finding| finding.severity == Severity::NotSeen), "{about:#?}");
}

#[tokio::test]
async fn spf_must_be_one_record_that_can_be_evaluated() {
    let spf = |text: &str| good().without(LISTS).mx(LISTS, 10, "mx.example.org").text(LISTS, text);
    let two = spf("v=spf1 ip4:203.0.113.25 -all").text(LISTS, "v=spf1 include:relay.example -all");
    let one = "\"v=spf1 ip4:203.0.113.25 include:relay.example -all\"";
    check(two, Severity::Error, "spf-several", one).await;
    check(spf("v=spf1 ip4:203.0.113.25 +all"), Severity::Error, "spf-everybody", "ip4:203.0.113.25 -all").await;
    check(spf("v=spf1 ip4:203.0.113.25"), Severity::Warning, "spf-open-end", "ip4:203.0.113.25 -all").await;
    check(spf("v=spf1 include:gone.example -all"), Severity::Error, "spf-wrong", "includes").await;
    let far = "v=spf1 include:i0.example -all";
    let chain = (0..12)
        .fold(spf(far), |zone, n| zone.text(&format!("i{n}.example"), &format!("v=spf1 include:i{}.example", n + 1)));
    check(chain, Severity::Error, "spf-wrong", "Remove unused includes").await;
    let misspelt = spf("v=spf1 ip4:203.0.113.25 ipv4:203.0.113.26 -all");
    check(misspelt, Severity::Error, "spf-term", "ipv4:203.0.113.26").await;
    let included = spf("v=spf1 ip4:203.0.113.25 include:relay.example -all")
        .text("relay.example", "v=spf1 include:deep.relay.example -all")
        .text("deep.relay.example", "v=spf1 ip4:198.51.100.0/42 -all");
    check(included, Severity::Error, "spf-term", "deep.relay.example").await;
    let others = spf("v=spf1 ip4:198.51.100.7 ~all");
    check(others, Severity::Error, "spf-not-ours", "\"v=spf1 ip4:198.51.100.7 ip4:203.0.113.25 ~all\"").await;
}

#[tokio::test]
async fn the_address_of_a_relay_is_only_a_guess() {
    let relay = "[relay]\nhost = \"mail.relay.example\"\n[doctor]\ndkim_selectors = [\"s1\"]\n";
    let zone = good().address("mail.relay.example", "198.51.100.7");
    check_with(zone, relay, Severity::Warning, "spf-not-ours", "name those in [doctor] addresses").await;
    let local = "[doctor]\ndkim_selectors = [\"s1\"]\n";
    check_with(good(), local, Severity::NotSeen, "no-addresses", "[doctor] addresses").await;
}

#[tokio::test]
async fn dkim_keys_must_be_there_whole_and_long_enough() {
    let key = |text: &str| good().without(KEY).text(KEY, text);
    let unknown = "[doctor]\naddresses = [\"203.0.113.25\"]\n";
    check_with(good(), unknown, Severity::Warning, "dkim-unknown", "dkim_selectors").await;
    check(good().without(KEY), Severity::Error, "dkim-missing", KEY).await;
    check(key("v=DKIM1; p="), Severity::Error, "dkim-revoked", "another selector").await;
    check(key("v=DKIM1; p=MIIBIjANBg"), Severity::Error, "dkim-wrong", "once more").await;
    check(key(&format!("v=DKIM1; p={KEY_1024}")), Severity::Warning, "dkim-short", "2048").await;
    check(key(&format!("v=DKIM1; p={KEY_768}")), Severity::Error, "dkim-too-short", "2048").await;
    check(key(&format!("v=DKIM1; t=y:s; p={KEY_2048}")), Severity::Warning, "dkim-testing", "t=y").await;
    check(good().text(KEY, "v=DKIM1; p="), Severity::Error, "dkim-several", "only the one").await;
}

#[tokio::test]
async fn dmarc_is_looked_for_at_the_domain_and_above() {
    let dmarc = |text: &str| good().without(DMARC).text(DMARC, text);
    check(good().without(DMARC), Severity::Error, "dmarc-missing", DMARC).await;
    let above = "v=DMARC1; p=none; sp=reject; rua=mailto:dmarc@example.org";
    let inherited = found_with(good().without(DMARC).text("_dmarc.example.org", above), CONFIGURED).await;
    assert!(
        inherited.iter().any(|finding| finding.what.contains("policy reject (from example.org)")),
        "{inherited:#?}"
    );
    check(dmarc("v=DMARC1; p=perhaps"), Severity::Error, "dmarc-wrong", DMARC).await;
    check(dmarc("v=DMARC1; p=none; rua=mailto:a@example.org"), Severity::Note, "dmarc-none", "p=quarantine").await;
    check(dmarc("v=DMARC1; p=reject"), Severity::Note, "dmarc-no-reports", "rua=mailto:").await;
    check(good().text(DMARC, "v=DMARC1; p=none"), Severity::Error, "dmarc-several", "one of them").await;
    let lower = dmarc("v=dmarc1; p=reject; rua=mailto:a@example.org");
    check(lower, Severity::Error, "dmarc-version", "\"v=DMARC1; p=reject; rua=mailto:a@example.org\"").await;
    let late = dmarc("p=reject; v=DMARC1; rua=mailto:a@example.org");
    check(late, Severity::Error, "dmarc-version", "v=DMARC1; p=reject").await;
}

#[tokio::test]
async fn a_strict_policy_that_our_own_mail_fails() {
    let zone = good().without(KEY).without(LISTS).mx(LISTS, 10, "mx.example.org").text(LISTS, "v=spf1 -all");
    let found = found_with(zone, CONFIGURED).await;
    let codes: Vec<_> = found.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect();
    assert_eq!(codes, ["spf-not-ours", "dkim-missing", "dmarc-fails"], "{found:#?}");
}

#[tokio::test]
async fn mail_to_the_lists_must_find_a_host_that_can_be_reached() {
    let spf = "v=spf1 ip4:203.0.113.25 -all";
    let mx = |host| good().without(LISTS).text(LISTS, spf).mx(LISTS, 10, host);
    check(good().without(LISTS).text(LISTS, spf), Severity::Error, "mx-missing", "IN MX 10").await;
    check(mx(""), Severity::Error, "mx-null", "Remove that record").await;
    check(mx("gone.example.org"), Severity::Error, "mx-nowhere", "gone.example.org. IN A").await;
    check(mx("192.0.2.7"), Severity::Error, "mx-address", "name").await;
    let inside = mx("inside.example.org").address("inside.example.org", "10.0.0.7");
    check(inside, Severity::Error, "mx-private", "public address").await;
    let alias = mx("mail.example.org")
        .address("mail.example.org", "203.0.113.25")
        .with("mail.example.org", Record::Alias("mx.example.org"));
    check(alias, Severity::Error, "mx-alias", "IN MX 10 mx.example.org.").await;
    let modern = mx("six.example.org").address("six.example.org", "2001:db9::25");
    check(modern, Severity::Warning, "mx-only-ipv6", "six.example.org. IN A").await;
    let own = format!("[inbound]\nsmtp = [\"0.0.0.0:2525\"]\nhost_name = \"depesch.example.org\"\n{CONFIGURED}");
    check_with(good(), &own, Severity::Warning, "mx-elsewhere", "IN MX 10 depesch.example.org.").await;
}

#[tokio::test]
async fn an_address_that_sends_has_a_name_that_leads_back() {
    let reverse = "25.113.0.203.in-addr.arpa";
    check(good().without(reverse), Severity::Error, "ptr-missing", "PTR").await;
    let astray = good()
        .without(reverse)
        .pointer("203.0.113.25", "other.example.org")
        .address("other.example.org", "203.0.113.9");
    check(astray, Severity::Error, "ptr-unconfirmed", "other.example.org. IN A 203.0.113.25").await;
    let generic = good()
        .without(reverse)
        .pointer("203.0.113.25", "203-0-113-25.static.provider.example")
        .address("203-0-113-25.static.provider.example", "203.0.113.25");
    check(generic, Severity::Warning, "ptr-generic", "name of your own").await;
    let hello = format!("[relay]\nhello_name = \"depesch.example.org\"\n{CONFIGURED}");
    check_with(good(), &hello, Severity::Note, "ptr-hello", "hello_name = \"mx.example.org\"").await;
}
