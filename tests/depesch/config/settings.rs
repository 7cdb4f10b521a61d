//! The configuration: the example is complete and correct, and errors name the place and the problem.

use std::path::Path;
use std::time::Duration;

use depesch::config::secret::SecretSource;
use depesch::config::{Config, ConfigError};

const EXAMPLE: &str = include_str!("../../../systemd/depesch.toml");

fn problems(text: &str) -> Vec<(Option<usize>, String, String)> {
    match Config::parse(Path::new("/etc/depesch/depesch.toml"), text) {
        Err(ConfigError::Wrong { problems, .. }) => {
            problems.into_iter().map(|problem| (problem.line, problem.key, problem.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn check(text: &str, line: usize, key: &str, message: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1.as_str()), (Some(line), key));
    assert!(found[0].2.contains(message), "{}", found[0].2);
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let example = Config::parse(Path::new("/etc/depesch/depesch.toml"), EXAMPLE).unwrap();
    let defaults = Config::parse(Path::new("/etc/depesch/depesch.toml"), "").unwrap();
    assert_eq!(example.config, Config::default());
    for (shown, default) in example.entries.iter().zip(&defaults.entries) {
        assert!(shown.set, "the example does not name {}", shown.key);
        assert_eq!((&shown.key, &shown.value), (&default.key, &default.value));
    }
}

#[test]
fn no_file_means_defaults_but_a_named_file_must_be_there() {
    assert_eq!(Config::parse(Path::new("x.toml"), "").unwrap().config, Config::default());
    let missing = Config::load(Some(Path::new("/nonexistent/depesch.toml"))).unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/depesch.toml"));
}

#[test]
fn an_error_names_file_line_key_and_what_was_expected() {
    check("[relay]\nport = \"smtp\"\n", 2, "relay.port", "a whole number from 1 to 65535, found \"smtp\"");
    check("\n\ntransport = \"pigeon\"", 3, "transport", "one of \"relay\", \"capture\", found \"pigeon\"");
    check("[retry]\nfirst = 600", 2, "retry.first", "such as \"90s\"");
    check("[control]\nmode = \"0666\"", 2, "control.mode", "nothing for others");
    check("[schedule]\nzone = \"Europe/Stokholm\"", 2, "schedule.zone", "Europe/Stockholm");
    check("[log]\nlevel = \"depesch=loud\"", 2, "log.level", "a level");
    check("[log]\nlevel = \"loud\"", 2, "log.level", "a level");
    check("[schedule]\ncheckpoint = \"61 3 * * *\"", 2, "schedule.checkpoint", "is not 0 to 59");
    check("relay = \"mail.example.org\"", 1, "relay", "write [relay]");
    check("base_url = \"press.example.org\"", 1, "base_url", "https://");
    check("[breaker]\nshare = 3", 2, "breaker.share", "a number from 0 to 1, found 3");
    let text = Config::parse(Path::new("my.toml"), "[relay]\nport = 0").unwrap_err().to_string();
    assert!(text.starts_with("my.toml:2: relay.port: expected a whole number"), "{text}");
}

#[test]
fn an_unknown_key_comes_with_the_nearest_known_one() {
    check("[relay]\nprot = 25", 2, "relay.prot", "did you mean relay.port?");
    check("state_dir = \"x\"", 1, "state_dir", "did you mean state_directory?");
    check("[rellay]\nport = 25", 1, "rellay", "did you mean relay?");
}

#[test]
fn all_errors_are_reported_at_once_in_order() {
    let found = problems("transport = 1\n[relay]\nport = 0\nhos = \"x\"\n[dispatch]\nconnections = 0\n");
    let places: Vec<_> = found.iter().map(|(line, key, _)| (line.unwrap(), key.as_str())).collect();
    assert_eq!(places, [(1, "transport"), (3, "relay.port"), (4, "relay.hos"), (6, "dispatch.connections")]);
    let broken = problems("a = 1\n= 2\nc = 3 4\n");
    assert_eq!(broken.iter().map(|problem| problem.0).collect::<Vec<_>>(), [Some(2), Some(3)], "{broken:?}");
}

#[test]
fn secrets_come_from_files_or_credentials_only() {
    let text =
        "[relay]\nhost = \"smtp.example.org\"\ntls = \"starttls\"\nlogin = \"press\"\npassword_file = \"secret\"";
    let loaded = Config::parse(Path::new("/etc/depesch/depesch.toml"), text).unwrap();
    assert_eq!(loaded.config.relay.password, Some(SecretSource::File("/etc/depesch/secret".into())));
    check("[relay]\npassword = \"x\"", 2, "relay.password", "no such key");
    check("[relay]\nlogin = \"press\"", 2, "relay.login", "needs relay.password_file");
    let plain = text.replace("starttls", "opportunistic");
    check(&plain, 4, "relay.login", "tls");
    let both = format!("{text}\npassword_credential = \"relay\"");
    check(&both, 6, "relay.password_credential", "not both");
}

#[test]
fn lengths_of_time_are_read_and_shown_alike() {
    let loaded = Config::parse(Path::new("x.toml"), "[retention]\nattachments = \"2w\"").unwrap();
    assert_eq!(loaded.config.retention.attachments, Duration::from_secs(14 * 86_400));
    let entry = loaded.entries.iter().find(|entry| entry.key == "retention.attachments").unwrap();
    assert_eq!((entry.value.as_str(), entry.set), ("\"14d\"", true));
}

#[test]
fn a_reload_applies_only_the_marked_keys() {
    let parse = |text: &str| Config::parse(Path::new("/etc/depesch/depesch.toml"), text).unwrap();
    let changed = "templates_directory = \"own\"\nbase_url = \"https://press.example.org\"\n[content]\n\
                   attachments_in_mail = 1\ncountry_code = \"47\"\nrequire_alt_text = true\n[log]\nlevel = \"debug\"\n";
    let (old, new) = (parse(""), parse(&format!("{changed}format = \"json\"\n[relay]\nhost = \"mail.example.org\"\n")));
    assert_eq!(old.config.reloaded(&new.config), parse(changed).config);
    assert_eq!(old.waiting_for_restart(&new), ["relay.host", "log.format"]);
    for key in depesch::config::RELOADABLE {
        let (old, new) = (&old.entries, &new.entries);
        let at = old.iter().position(|entry| entry.key == *key).unwrap_or_else(|| panic!("there is no key {key}"));
        assert_ne!(old[at].value, new[at].value, "this test does not change {key}");
    }
}

#[test]
fn the_certificate_and_its_key_come_from_files_or_credentials() {
    check("[inbound]\ncertificate_file = \"cert.pem\"\n", 2, "inbound.certificate_file", "together");
    check("[inbound]\nkey_credential = \"key\"\n", 2, "inbound.key_credential", "together");
    let both = "[inbound]\ncertificate_file = \"cert.pem\"\nkey_file = \"key.pem\"\nkey_credential = \"key\"\n";
    check(both, 4, "inbound.key_credential", "not both");
    let path = "[inbound]\ncertificate_file = \"cert.pem\"\nkey_credential = \"../key\"\n";
    check(path, 3, "inbound.key_credential", "without a path");
    let text = "[inbound]\ncertificate_file = \"cert.pem\"\nkey_credential = \"key\"\n";
    let inbound = Config::parse(Path::new("/etc/depesch/depesch.toml"), text).unwrap().config.inbound;
    assert_eq!(inbound.certificate, Some(SecretSource::File("/etc/depesch/cert.pem".into())));
    assert!(inbound.listener("mx.example.org").unwrap_err().to_string().contains("LoadCredential=key:PATH"));
}

#[test]
fn captured_mails_are_looked_for_only_in_a_folder_of_our_own() {
    let folder = |text: &str| Config::parse(Path::new("x.toml"), text).unwrap().config.captured_mails();
    assert_eq!(
        folder("transport = \"capture\"\ncapture_directory = \"/home/a/Maildir\""),
        Some("/home/a/Maildir".into())
    );
    assert_eq!(folder("capture_directory = \"/home/a/Maildir\""), None);
    assert_eq!(folder(""), Some("/var/lib/depesch/capture".into()));
}

#[test]
fn warnings_of_the_doctor_are_accepted_by_id_with_a_reason() {
    let text = "[doctor]\naccept = [{ id = \"sync\", reason = \"the slow disk is known\" }]";
    let loaded = Config::parse(Path::new("x.toml"), text).unwrap();
    assert_eq!(loaded.config.doctor.accept[0].reason, "the slow disk is known");
    let shown = loaded.entries.iter().find(|entry| entry.key == "doctor.accept").unwrap();
    assert_eq!(shown.value, "[{ id = \"sync\", reason = \"the slow disk is known\" }]");
    check("[doctor]\naccept = [{ id = \"sync\" }]", 2, "doctor.accept", "each with a reason");
    check("[doctor]\naccept = [{ id = \"sync\", reason = \" \" }]", 2, "doctor.accept", "each with a reason");
    check(
        "[doctor]\naccept = [{ id = \"sync\", reason = \"x\", until = \"y\" }]",
        2,
        "doctor.accept",
        "each with a reason",
    );
}
