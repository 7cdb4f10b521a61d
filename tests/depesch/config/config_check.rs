//! `config check` builds what `serve` builds: what `serve` refuses, `config check` refuses with the same message.

use std::path::Path;

use crate::support::daemon::{Place, complaint};

/// Writes a configuration with these lines at the top, and these sections.
fn configure(place: &Place, top: &str, sections: &str) {
    let text = format!(
        "state_directory = \"state\"\n{top}\n[monitor]\naddress = \"\"\n{}{sections}\n",
        if sections.contains("[control]") { "" } else { "[control]\nsocket = \"control.sock\"\n" }
    );
    std::fs::write(place.configuration(), text).unwrap();
}

fn check(place: &Place, more: &[&str]) -> (Option<i32>, String) {
    let output = place.run(&[&["config", "check"], more].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Top-level lines and sections that `serve` refuses, and a part of the error message.
const REFUSED: &[(&str, &str, &str)] = &[
    ("", "[relay]\nhost = \"x:587\"", "neither a host name nor an IP address"),
    ("", "[relay]\nhost = \"mail.example.org/\"", "neither a host name nor an IP address"),
    (
        "",
        "[relay]\nhost = \"mail.example.org\"\ntls = \"starttls\"\nlogin = \"press\"\npassword_file = \"no-such-file\"",
        "no-such-file",
    ),
    (
        "",
        "[relay]\nhost = \"mail.example.org\"\ntls = \"starttls\"\nlogin = \"press\"\npassword_file = \"empty\"",
        "is empty",
    ),
    ("", "[relay]\nhost = \"mail.example.org\"\ntls = \"starttls\"\nauthority_file = \"no-ca.pem\"", "no-ca.pem"),
    ("", "[relay]\nhost = \"mail.example.org\"\ntls = \"implicit\"\nauthority_file = \"empty\"", "empty"),
    ("", "[relay]\nhost = \"mail.example.org\"\nport = 465\ntls = \"starttls\"", "port 465"),
    ("", "[relay]\nhost = \"mail.example.org\"\nport = 465\ntls = \"opportunistic\"", "port 465"),
    ("transport = \"capture\"\ntemplates_directory = \"no-templates\"", "", "no-templates"),
    ("transport = \"capture\"", "[control]\nsocket = \"c.sock\"\ngroup = \"no-such-group\"", "no-such-group"),
    ("transport = \"capture\"", "[control]\nsocket = \"empty\"", "is not a socket"),
    ("transport = \"capture\"", "[inbound]\nlmtp_socket = \"l.sock\"\nlmtp_group = \"no-group\"", "no-group"),
    ("transport = \"capture\"", "[inbound]\nlmtp_socket = \"empty\"", "is not a socket"),
    ("transport = \"capture\"", "[inbound]\nhost_name = \"not a name\"", "must be a domain name"),
    ("transport = \"capture\"", "[inbound]\ncertificate_file = \"no.pem\"\nkey_file = \"no-key.pem\"", "no.pem"),
    ("transport = \"capture\"", "[inbound]\ncertificate_file = \"empty\"\nkey_file = \"empty\"", "empty"),
    ("transport = \"capture\"", "[log]\nlevel = \"info,depesh::store=debug\"", "log.level"),
    ("transport = \"capture\"", "[log]\nlevel = \"depesch::nosuch=debug\"", "log.level"),
];

#[test]
fn what_serve_refuses_check_refuses_in_the_same_words() {
    for (top, sections, words) in REFUSED {
        let place = Place::new("");
        std::fs::write(place.directory.path().join("empty"), "\n").unwrap();
        configure(&place, top, sections);
        let served = place.run(&["serve", "--create"]);
        assert_eq!(served.status.code(), Some(2), "{sections}: {}", complaint(&served));
        assert!(complaint(&served).contains(words), "{sections}: {}", complaint(&served));
        assert!(!place.directory.path().join("state/store").exists(), "{sections}: the store was touched");
        let (code, said) = check(&place, &[]);
        assert_eq!(code, Some(1), "{sections}: {said}");
        for line in said.lines() {
            // After the file's name comes the message of `serve`.
            let said = line.split_once("depesch.toml: ").map_or(line, |(_, said)| said);
            let said = said.split_once("depesch.toml:").map_or(said, |(_, said)| said);
            assert!(complaint(&served).contains(said), "{said:?} is not in {}", complaint(&served));
        }
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let place = Place::new("");
    configure(
        &place,
        "templates_directory = \"no-templates\"",
        "group = \"no-such-group\"\n[relay]\nhost = \"x:587\"\n[inbound]\nlmtp_socket = \"l.sock\"\nlmtp_group = \"no-group\"",
    );
    let (code, said) = check(&place, &[]);
    assert_eq!(code, Some(1));
    for words in ["no-templates", "no-such-group", "x:587", "no-group"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let json = place.run(&["config", "check", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["right"].as_bool(), json["problems"].as_array().unwrap().len()), (Some(false), 4), "{json}");
}

#[test]
fn offline_examines_only_the_file() {
    let place = Place::new("");
    let missing = "group = \"no-such-group\"\n[relay]\nhost = \"mail.example.org\"\ntls = \"starttls\"\nlogin = \"press\"\n\
                   password_file = \"no-such-file\"\n[inbound]\ncertificate_file = \"no.pem\"\nkey_file = \"no-key.pem\"";
    configure(&place, "templates_directory = \"no-templates\"", missing);
    assert_eq!(check(&place, &[]).0, Some(1));
    let (code, said) = check(&place, &["--offline"]);
    assert_eq!(code, Some(0), "{said}");
    configure(&place, "", "[relay]\nhost = \"x:587\"");
    assert_eq!(check(&place, &["--offline"]).0, Some(1), "a wrong host is wrong on every machine");
}

#[test]
fn check_writes_nothing_and_is_good_where_serve_starts() {
    let place = Place::new("");
    let (code, said) = check(&place, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no errors"), "{said}");
    assert_eq!(std::fs::read_dir(place.directory.path()).unwrap().count(), 1, "the configuration alone");
    let _daemon = place.serve();
    assert_eq!(check(&place, &[]).0, Some(0), "also while the daemon runs");
}

#[test]
fn the_unit_bounds_the_stop_and_names_the_secrets() {
    let place = Place::new("");
    let unit = place.directory.path().join("depesch.service");
    let secret = place.directory.path().join("password");
    std::fs::write(&unit, format!("[Service]\nTimeoutStopSec=90s\nLoadCredential=relay:{}\n", secret.display()))
        .unwrap();
    let unit = unit.to_str().unwrap().to_owned();
    let relay =
        "[relay]\nhost = \"mail.example.org\"\ntls = \"starttls\"\nlogin = \"press\"\npassword_credential = \"relay\"";
    configure(&place, "stop_timeout = \"2m\"", relay);
    let (code, said) = check(&place, &["--unit", &unit]);
    assert_eq!(code, Some(1));
    assert!(said.contains("TimeoutStopSec=90 s") && said.contains(secret.to_str().unwrap()), "{said}");
    std::fs::write(&secret, "korrekt häst\n").unwrap();
    configure(&place, "stop_timeout = \"80s\"", relay);
    let (code, said) = check(&place, &["--unit", &unit]);
    assert_eq!(code, Some(0), "{said}");
    configure(&place, "", &relay.replace("\"relay\"", "\"relai\""));
    let (code, said) = check(&place, &["--unit", &unit]);
    assert_eq!(code, Some(1), "the unit loads no such credential: {said}");
    assert!(said.contains("relai"), "{said}");
}

#[test]
fn the_parts_that_log_are_those_of_the_program() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for target in depesch::config::LOG_TARGETS.iter().filter_map(|target| target.strip_prefix("depesch::")) {
        assert!(source.join(target).is_dir() || source.join(format!("{target}.rs")).is_file(), "depesch::{target}");
    }
    let parse = |level: &str| depesch::config::Config::parse(Path::new("x.toml"), &format!("[log]\nlevel = {level:?}"));
    for good in [
        "info",
        "warn,depesch::store=debug",
        "info,depesch=trace",
        "depesch::outbound::dispatch=debug",
        "off",
        "info,lettre=warn",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
}
