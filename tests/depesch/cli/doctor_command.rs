//! `depesch doctor` on the real binary: with and without a daemon, with a relay that never receives a message from it,
//! and its exit codes.

use depesch::mock_smtp::{MockServer, MockSettings};
use serde_json::Value;

use crate::support::daemon::{Place, complaint};
use crate::support::dns::Zone;

/// Appends the relay `mock` and this name server to the configuration.
fn configure(place: &Place, mock: &MockServer, password: &str, more: &str) {
    std::fs::write(place.directory.path().join("password"), password).unwrap();
    let text = format!(
        "state_directory = \"state\"\n[control]\nsocket = \"control.sock\"\n[organisation]\ndomain = \"example.org\"\n\
         [relay]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nlogin = \"eva\"\npassword_file = \"password\"\n{more}",
        mock.address().port()
    );
    std::fs::write(place.configuration(), text).unwrap();
}

fn mock() -> MockServer {
    let login = Some(("eva".to_owned(), "s3cret".to_owned()));
    MockServer::start(MockSettings { login, login_without_tls: true, ..MockSettings::default() }).unwrap()
}

fn findings(place: &Place, code: i32) -> Vec<(String, String, String)> {
    let output = place.run(&["--json", "doctor"]);
    assert_eq!(output.status.code(), Some(code), "{}", complaint(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["well"], code == 0, "{told:#}");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let all = told["findings"].as_array().unwrap();
    all.iter().map(|f| (text(f, "severity"), text(f, "code"), text(f, "what"))).collect()
}

fn has(found: &[(String, String, String)], severity: &str, code: &str) -> bool {
    found.iter().any(|(s, c, _)| s == severity && c == code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_asks_relay_daemon_and_dns_and_sends_nothing() {
    let zone = Zone::default().text("lists.example.org", "v=spf1 ip4:203.0.113.25 -all");
    let more = format!(
        "[inbound]\nsmtp = [\"127.0.0.1:0\"]\nresolvers = [\"{}\"]\n[doctor]\naddresses = [\"203.0.113.25\"]\n",
        zone.serve().await
    );
    let (place, mock) = (Place::new(""), mock());
    configure(&place, &mock, "s3cret", &more);
    let found = findings(&place, 1);
    assert!(has(&found, "not-seen", "daemon"), "{found:#?}");
    assert!(has(&found, "error", "state-missing") && has(&found, "good", "relay"), "{found:#?}");
    assert!(!found.iter().any(|(_, _, what)| what.contains("lists.example.org")), "{found:#?}");

    let _daemon = place.serve();
    let lists = format!("{}/subscribers/lists.toml", env!("CARGO_MANIFEST_DIR"));
    assert!(place.run(&["list", "import", &lists]).status.success());
    let found = findings(&place, 1);
    assert!(has(&found, "good", "daemon") && has(&found, "good", "relay"), "{found:#?}");
    let spf: Vec<_> = found.iter().filter(|(_, code, _)| code.starts_with("spf")).collect();
    assert!(spf.iter().any(|(severity, _, what)| severity == "good" && what.contains("lists.example.org")), "{spf:#?}");
    assert!(spf.iter().any(|(severity, code, _)| severity == "error" && code == "spf-missing"), "{spf:#?}");
    assert_eq!(mock.record().totals().accepted, 0);
    let shown = place.run(&["doctor"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("ERROR     example.org has no SPF record") && !shown.contains("\ngood "), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_lost_relay_are_told_apart() {
    let (place, mock) = (Place::new(""), mock());
    let resolver = format!("[inbound]\nresolvers = [\"{}\"]\n", Zone::default().serve().await);
    configure(&place, &mock, "wrong", &resolver);
    let found = findings(&place, 1);
    assert!(has(&found, "error", "relay-security"), "{found:#?}");
    assert!(!found.iter().any(|(.., what)| what.contains("wrong\"")), "{found:#?}");
    drop(mock);
    let found = findings(&place, 1);
    assert!(has(&found, "error", "relay-unreachable"), "{found:#?}");
}

#[test]
fn a_wrong_configuration_ends_with_2() {
    let place = Place::new("transport_ = 1");
    let output = place.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("did you mean transport?"));
}
