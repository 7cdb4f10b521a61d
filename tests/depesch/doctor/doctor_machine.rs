//! The doctor's checks of the machine: each fault is found from observed values, and the values are read from real
//! files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::Duration;
use depesch::config::Config;
use depesch::doctor::backups::{self, Backups};
use depesch::doctor::disk::{self, Disk};
use depesch::doctor::finding::{Finding, Severity};
use depesch::doctor::mail_in::{self, Endpoint, Speaks};
use depesch::doctor::permissions::{self, File, Role, Seen};
use depesch::doctor::time::{self, Time};
use depesch::doctor::{finding, settings};

use crate::support::office::noon;

const GIGABYTE: u64 = 1 << 30;

fn config(text: &str) -> Config {
    Config::parse(Path::new("/etc/depesch/depesch.toml"), text).unwrap().config
}

/// Severity and code of the findings that are not good; checks that each says why and what to do.
fn codes(found: &[Finding]) -> Vec<(Severity, &'static str)> {
    let wrong: Vec<&Finding> = found.iter().filter(|finding| finding.severity != Severity::Good).collect();
    let told = |finding: &&Finding| {
        finding.severity == Severity::NotSeen || !(finding.why.is_empty() || finding.remedy.is_empty())
    };
    assert!(wrong.iter().all(told), "{wrong:#?}");
    wrong.iter().map(|finding| (finding.severity, finding.code)).collect()
}

#[test]
fn valid_but_unwise_settings_are_reported() {
    let check = |text: &str, expected: &[(Severity, &str)]| {
        let text = format!("{text}\n[organisation]\ndomain = \"example.org\"\n");
        assert_eq!(codes(&settings::evaluate(&config(&text))), expected, "{text}");
    };
    check("", &[]);
    let remote = "[relay]\nhost = \"mail.example.org\"";
    check(remote, &[(Severity::Warning, "relay-certificate-unchecked")]);
    check(&format!("{remote}\ntls = \"starttls\""), &[]);
    check("transport = \"capture\"", &[(Severity::Warning, "captured")]);
    check("stop_timeout = \"90s\"", &[(Severity::Warning, "stop-timeout")]);
    check("base_url = \"https://press.example.org\"", &[(Severity::Note, "base-url")]);
    assert_eq!(codes(&settings::evaluate(&config(""))), [(Severity::Note, "no-domain")]);
}

#[test]
fn files_are_checked_by_who_may_read_and_write_them() {
    let check = |role, mode, expected: Option<(Severity, &str)>| {
        let file = File { role, path: "/x".into(), seen: Seen::File { mode, fits: true } };
        let found: Vec<Finding> = permissions::evaluate(&file).into_iter().collect();
        assert_eq!(codes(&found).first().copied(), expected, "{role:?} {mode:o}");
    };
    check(Role::State, 0o700, None);
    check(Role::State, 0o750, Some((Severity::Error, "state-open")));
    check(Role::Secret, 0o600, None);
    check(Role::Secret, 0o640, Some((Severity::Warning, "secret-group")));
    check(Role::Secret, 0o644, Some((Severity::Error, "secret-open")));
    check(Role::Configuration, 0o644, None);
    check(Role::Configuration, 0o664, Some((Severity::Warning, "writable")));
    check(Role::Templates, 0o777, Some((Severity::Error, "writable")));
    check(Role::ControlSocket, 0o660, None);
    check(Role::ControlSocket, 0o666, Some((Severity::Error, "socket-open")));
    let judged = |role, seen| {
        permissions::evaluate(&File { role, path: "/x".into(), seen }).map(|found| (found.severity, found.code))
    };
    assert_eq!(judged(Role::State, Seen::Missing), Some((Severity::Error, "state-missing")));
    assert_eq!(judged(Role::ControlSocket, Seen::Missing), None, "no daemon is told elsewhere");
    assert_eq!(judged(Role::State, Seen::Hidden("no".into())), Some((Severity::NotSeen, "hidden")));
    assert_eq!(judged(Role::Secret, Seen::File { mode: 0o600, fits: false }), Some((Severity::Error, "kind")));
}

#[test]
fn real_files_are_read_correctly() {
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, "x").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o604)).unwrap();
    let text = format!(
        "state_directory = \"{0}\"\n[relay]\nlogin = \"eva\"\npassword_file = \"{0}/password\"\n",
        directory.path().display()
    );
    let files = permissions::observe(&config(&text), None, &directory.path().join("control.sock"));
    let seen: Vec<_> = files.iter().map(|file| (file.role, &file.seen)).collect();
    assert!(seen.contains(&(Role::Secret, &Seen::File { mode: 0o604, fits: true })), "{seen:?}");
    assert!(seen.contains(&(Role::ControlSocket, &Seen::Missing)), "{seen:?}");
    let disk = disk::observe(directory.path()).unwrap();
    assert!(disk.free > 0 && disk.sync.is_ok(), "{disk:?}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
    assert!(disk::observe(&directory.path().join("gone")).is_err());
}

#[test]
fn disks_are_checked_by_space_kind_and_speed() {
    let check = |edit: fn(&mut Disk), expected: &[(Severity, &str)]| {
        let mut disk = Disk { free: 50 * GIGABYTE, free_files: Some(1_000_000), kind: 0xef53, sync: Ok(900) };
        edit(&mut disk);
        assert_eq!(codes(&disk::evaluate(Path::new("/var/lib/depesch"), &disk)), expected);
    };
    check(|_| {}, &[]);
    check(|disk| disk.free = GIGABYTE / 2, &[(Severity::Warning, "disk-space")]);
    check(|disk| disk.free = GIGABYTE / 8, &[(Severity::Error, "disk-space")]);
    check(|disk| disk.free_files = Some(50), &[(Severity::Warning, "files")]);
    check(|disk| disk.free_files = None, &[]);
    check(|disk| disk.kind = 0x0102_1994, &[(Severity::Error, "memory-disk")]);
    check(|disk| disk.kind = 0x6969, &[(Severity::Warning, "network-disk")]);
    check(|disk| disk.sync = Ok(40_000), &[(Severity::Warning, "sync")]);
    check(|disk| disk.sync = Err("no".into()), &[(Severity::NotSeen, "sync")]);
}

#[test]
fn a_clock_must_be_kept_and_never_go_back() {
    let check = |edit: fn(&mut Time), expected: &[(Severity, &str)]| {
        let mut time = Time { now: noon(), written: Some(noon() - Duration::hours(1)), synchronised: Some(true) };
        edit(&mut time);
        assert_eq!(codes(&time::evaluate(&time)), expected);
    };
    check(|_| {}, &[]);
    check(|time| time.written = Some(time.now + Duration::hours(1)), &[(Severity::Error, "backwards")]);
    check(|time| time.written = Some(time.now + Duration::seconds(30)), &[]);
    check(|time| time.synchronised = Some(false), &[(Severity::Warning, "synchronised")]);
    check(|time| time.synchronised = None, &[(Severity::NotSeen, "synchronised")]);
    let epoch = chrono::DateTime::from_timestamp(0, 0).unwrap();
    let found = time::evaluate(&Time { now: epoch, written: None, synchronised: Some(true) });
    assert_eq!(codes(&found), [(Severity::Error, "year")]);
}

#[test]
fn a_mail_listener_must_be_open_and_ours() {
    let ours = || Ok(vec!["220 mx.example.org ESMTP Depesch".to_owned(), "250 STARTTLS".to_owned()]);
    let endpoint =
        |configured, answer| Endpoint { speaks: Speaks::Smtp, address: "127.0.0.1:25".to_owned(), configured, answer };
    let check = |endpoint: Endpoint, expected: &[(Severity, &str)]| {
        assert_eq!(codes(&mail_in::evaluate(&[endpoint])), expected);
    };
    let closed = || Err("refused".to_owned());
    check(endpoint(true, ours()), &[]);
    check(endpoint(false, ours()), &[]);
    check(endpoint(true, closed()), &[(Severity::Error, "listener")]);
    check(endpoint(false, closed()), &[(Severity::Warning, "no-listener")]);
    check(endpoint(true, Ok(vec!["220 mail.example.org ESMTP Postfix".to_owned()])), &[(Severity::Error, "listener")]);
    check(
        endpoint(false, Ok(vec!["220 mail.example.org ESMTP Postfix".to_owned()])),
        &[(Severity::Warning, "no-listener")],
    );
    let plain = Ok(vec!["220 mx.example.org ESMTP Depesch".to_owned(), "250 SIZE".to_owned()]);
    check(endpoint(true, plain), &[(Severity::Warning, "no-starttls")]);
}

#[test]
fn what_was_not_checked_is_neither_good_nor_bad() {
    let found = |severity| Finding::new(severity, finding::Area::Disk, "x", "x", "x", "x");
    assert_eq!(finding::worst(&[found(Severity::NotSeen)]), Severity::Good);
    assert_eq!(finding::worst(&[found(Severity::NotSeen), found(Severity::Warning)]), Severity::Warning);
}

#[test]
fn backups_are_checked_by_age_and_place() {
    let now = depesch::base::clock::Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
    let check = |edit: fn(&mut Backups), expected: &[(Severity, &str)]| {
        let hour = chrono::Duration::hours(1);
        let directory = "/mnt/other/depesch".into();
        let mut seen = Backups { directory, scheduled: true, same_disk: Some(false), newest: Ok(Some(now - hour)) };
        edit(&mut seen);
        assert_eq!(codes(&backups::evaluate(&seen, now)), expected);
    };
    check(|_| {}, &[]);
    check(|seen| seen.same_disk = Some(true), &[(Severity::Warning, "backup-same-disk")]);
    check(|seen| seen.scheduled = false, &[(Severity::Warning, "no-backups")]);
    check(|seen| seen.newest = Ok(None), &[(Severity::Note, "backup")]);
    check(|seen| seen.newest = Err("no".into()), &[(Severity::NotSeen, "backup")]);
    let old = |seen: &mut Backups| {
        let newest = seen.newest.clone().unwrap().unwrap() - chrono::Duration::days(3);
        seen.newest = Ok(Some(newest));
    };
    check(old, &[(Severity::Warning, "backup-old")]);
}

#[test]
fn a_missing_backup_directory_is_checked_on_its_future_disk() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("state_directory = {:?}", directory.path().join("state"));
    let seen = backups::observe(&config(&text));
    assert_eq!((seen.same_disk, seen.newest), (Some(true), Ok(None)));
}
