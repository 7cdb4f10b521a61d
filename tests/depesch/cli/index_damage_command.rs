//! A damaged index through the real binary: what `store check` and `store recover` predict happens, and the daemon
//! starts and reports what it did; if the journal is damaged too, it exits with a code after which systemd does not
//! restart it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::daemon::{Daemon, Place, complaint};
use crate::support::damage::index_files;

/// A place whose store holds lists, with its daemon stopped in order.
fn place() -> Place {
    let place = Place::new("");
    let daemon = place.serve();
    let lists = format!("{}/subscribers/lists.toml", env!("CARGO_MANIFEST_DIR"));
    let imported = place.run(&["list", "import", &lists]);
    assert_eq!(imported.status.code(), Some(0), "{}", complaint(&imported));
    stop(daemon);
    place
}

fn stop(mut daemon: Daemon) {
    daemon.signal("TERM");
    assert!(daemon.wait().success());
}

/// Zeros in place of the second half of the index's largest file.
fn damage_index(place: &Place) {
    let files = index_files(&place.directory.path().join("state/store"));
    let (path, length) = files.into_iter().max_by_key(|(_, length)| *length).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[length as usize / 2..].fill(0);
    bytes[..length as usize / 2].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
    fs::write(path, bytes).unwrap();
}

fn damage_journal(place: &Place) {
    let journal = place.directory.path().join("state/store/journal");
    let mut found: Vec<PathBuf> = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let mut bytes = fs::read(&found[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&found[0], bytes).unwrap();
}

fn json(place: &Place, arguments: &[&str], code: i32) -> Value {
    let output = place.run(&[&["--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", complaint(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn predictions_come_true_and_the_daemon_reports_them() {
    let place = place();
    let records = json(&place, &["store", "check"], 0)["index"]["records"].clone();
    damage_index(&place);
    let checked = json(&place, &["store", "check"], 1);
    assert!(checked["index_damage"].is_string(), "{checked}");
    let recover = place.run(&["store", "recover"]);
    let text = String::from_utf8_lossy(&recover.stdout).into_owned();
    assert_eq!(recover.status.code(), Some(0), "{text}");
    assert!(text.contains("No recovery is needed: the next start repairs the index"), "{text}");

    let daemon = place.serve();
    assert!(daemon.seen.iter().any(|line| line.contains("the index of the store was rebuilt")), "{:?}", daemon.seen);
    let status = json(&place, &["status"], 1);
    assert_eq!(status["index"]["rebuilds"], 1);
    let problems = status["problems"].to_string();
    assert!(problems.contains("the index of the store was rebuilt"), "{problems}");
    assert_eq!(place.run(&["list", "show", "media"]).status.code(), Some(0));
    stop(daemon);

    let checked = json(&place, &["store", "check"], 0);
    assert!(checked["index_damage"].is_null() && checked["index"]["records"].as_u64() >= records.as_u64(), "{checked}");
    let daemon = place.serve();
    assert_eq!(json(&place, &["status"], 0)["index"]["rebuilds"], 0);
    stop(daemon);
}

#[test]
fn with_a_damaged_journal_beside_it_the_start_is_refused_and_not_tried_again() {
    let place = place();
    damage_index(&place);
    damage_journal(&place);
    for _ in 0..2 {
        let refused = place.run(&["serve"]);
        assert_eq!(refused.status.code(), Some(6), "{}", complaint(&refused));
        assert!(complaint(&refused).contains("store recover"), "{}", complaint(&refused));
    }
    let unit = include_str!("../../../systemd/depesch.service");
    let prevented = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    assert!(prevented.split(' ').any(|code| code == "6"), "{prevented}");
}
