//! `depesch check`: one line with numbers, and the exit codes of monitoring plugins.

use std::os::unix::net::UnixListener;

use crate::support::daemon::Place;

fn check(place: &Place, more: &[&str]) -> (Option<i32>, String) {
    let output = place.run(&[&["check"], more].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_healthy_daemon_is_ok_with_numbers() {
    let place = Place::new("");
    let _daemon = place.serve();
    let (code, said) = check(&place, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (words, numbers) = said.trim_end().split_once(" | ").unwrap();
    assert!(words.starts_with("DEPESCH OK - "), "{words}");
    for number in numbers.split(' ') {
        let (label, value) = number.split_once('=').unwrap();
        assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{number}");
        assert!(value.starts_with(|c: char| c.is_ascii_digit()), "{number}");
    }
    assert!(numbers.contains("disk_free=") && numbers.contains("%;10:;5:;0;100"), "{numbers}");
}

#[test]
fn what_needs_a_person_is_a_warning_and_no_daemon_is_critical() {
    let place = Place::new("");
    assert_eq!(check(&place, &[]).0, Some(2));
    let _daemon = place.serve();
    place.configure("transport_ = 1");
    assert_eq!(place.run(&["reload"]).status.code(), Some(4));
    let (code, said) = check(&place, &[]);
    assert!(code == Some(1) && said.starts_with("DEPESCH WARNING - the reload of "), "{said}");
}

#[test]
fn a_name_that_cannot_be_queried_is_unknown() {
    let place = Place::new("");
    assert_eq!(check(&place, &["--timeout", "0"]).0, Some(3));
    let nowhere = std::process::Command::new(env!("CARGO_BIN_EXE_depesch"))
        .args(["check", "--config", "/nonexistent/depesch.toml"])
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&nowhere.stdout).starts_with("DEPESCH UNKNOWN - "));
}

#[test]
fn a_daemon_that_does_not_answer_in_time_is_critical() {
    let place = Place::new("");
    // Connections are queued by the kernel and never answered, as by a daemon that hangs.
    let _silent = UnixListener::bind(place.directory.path().join("control.sock")).unwrap();
    let (code, said) = check(&place, &["--timeout", "1"]);
    assert_eq!((code, said.as_str()), (Some(2), "DEPESCH CRITICAL - no answer within 1 s\n"));
    let (code, said) = check(&place, &["--timeout", "1", "--json"]);
    let expected = serde_json::json!({ "state": "CRITICAL", "problems": ["no answer within 1 s"] });
    assert_eq!((code, serde_json::from_str::<serde_json::Value>(&said).unwrap()), (Some(2), expected));
}
