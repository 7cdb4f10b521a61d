//! `depesch store` through the real binary: checks a good store, reports and repairs a damaged one, refuses to run with
//! a daemon.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::daemon::{Place, complaint};

/// A place whose store holds two lists, with its daemon stopped in order.
fn place() -> Place {
    let place = Place::new("");
    let mut daemon = place.serve();
    let lists = format!("{}/subscribers/lists.toml", env!("CARGO_MANIFEST_DIR"));
    let imported = place.run(&["list", "import", &lists]);
    assert_eq!(imported.status.code(), Some(0), "{}", complaint(&imported));
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    place
}

fn journal(place: &Place) -> Vec<PathBuf> {
    let journal = place.directory.path().join("state/store/journal");
    let mut found: Vec<_> = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn json(place: &Place, arguments: &[&str], code: i32) -> Value {
    let output = place.run(&[&["--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", complaint(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_intact_store_is_checked_and_a_checkpoint_is_written() {
    let place = place();
    let text = place.run(&["store", "check"]);
    assert_eq!(text.status.code(), Some(0), "{}", complaint(&text));
    assert!(String::from_utf8_lossy(&text.stdout).contains("Nothing is wrong."));
    let survey = json(&place, &["store", "check"], 0);
    assert_eq!((&survey["sound"], &survey["index"]["adds_up"]), (&Value::Bool(true), &Value::Bool(true)));
    let written = json(&place, &["store", "checkpoint"], 0);
    assert_eq!(written["records"], survey["index"]["records"]);
    let checked = json(&place, &["store", "check"], 0);
    assert_eq!(checked["checkpoints"][0]["records"], written["records"]);
}

#[test]
fn a_store_is_created_once_and_an_existing_one_is_unchanged() {
    let place = Place::new("");
    let absent = place.run(&["serve"]);
    assert_eq!(absent.status.code(), Some(6), "{}", complaint(&absent));
    assert_eq!(json(&place, &["store", "create"], 0)["created"], true);
    let mut daemon = place.serve();
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    let again = json(&place, &["store", "create"], 0);
    assert_eq!(again["created"], false);
    assert!(again["records"].as_u64() > Some(0), "{again}");
}

#[test]
fn a_store_in_use_is_left_alone() {
    let place = Place::new("");
    let _daemon = place.serve();
    for command in
        [&["store", "create"][..], &["store", "check"], &["store", "recover", "--yes"], &["store", "checkpoint"]]
    {
        let refused = place.run(command);
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        assert!(complaint(&refused).contains("in use"), "{}", complaint(&refused));
    }
}

#[test]
fn a_damaged_journal_is_reported_and_repaired_without_loss() {
    let place = place();
    let first = journal(&place).remove(0);
    let mut bytes = std::fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&first, bytes).unwrap();

    let survey = json(&place, &["store", "check"], 1);
    assert_eq!(survey["sound"], false);
    let named = survey["damages"][0]["file"].as_str().unwrap();
    assert_eq!(PathBuf::from(named).file_name(), first.file_name());
    // The index is intact: nothing is lost, and without --yes nothing is done.
    let planned = json(&place, &["store", "recover"], 0);
    assert_eq!(planned["plan"]["loses_nothing"], true);
    assert_eq!(json(&place, &["store", "check"], 1)["sound"], false);
    let recovered = json(&place, &["store", "recover", "--yes"], 0);
    assert_eq!(recovered["exact"], true);
    assert!(PathBuf::from(recovered["aside"].as_str().unwrap()).is_dir(), "{recovered}");
    assert_eq!(json(&place, &["store", "check"], 0)["sound"], true);

    let _daemon = place.serve();
    let lists = place.run(&["list", "show", "media"]);
    assert_eq!(lists.status.code(), Some(0), "{}", complaint(&lists));
}

/// Acknowledged unsubscribes of people on the list, each in its own group.
fn acknowledge(place: &Place, count: u32) {
    for number in 0..count {
        let address = format!("person{number}@press.example");
        let added = place.run(&["subscriber", "add", &address, "--list", "media", "--consent", "asked"]);
        assert_eq!(added.status.code(), Some(0), "{}", complaint(&added));
    }
}

/// Removes the index and the last groups of the newest journal segment.
fn lose_the_end(place: &Place) {
    std::fs::remove_dir_all(place.directory.path().join("state/store/index")).unwrap();
    let newest = journal(place).pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    let begins: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\xd7Grp")).collect();
    std::fs::write(&newest, &bytes[..begins[begins.len() - 5]]).unwrap();
}

/// Checks that every command that examines a store without its end reports the loss, and none exits with 0.
fn is_never_denied(place: &Place) {
    for _ in 0..2 {
        let refused = place.run(&["serve"]);
        assert_eq!(refused.status.code(), Some(6), "{}", complaint(&refused));
        assert!(complaint(&refused).contains("that were acknowledged are missing"), "{}", complaint(&refused));
    }
    let checked = place.run(&["store", "check"]);
    assert_eq!(checked.status.code(), Some(1), "{}", complaint(&checked));
    assert!(String::from_utf8_lossy(&checked.stdout).contains("that were acknowledged are missing"));
    let (checked, planned) = (json(place, &["store", "check"], 1), json(place, &["store", "recover"], 1));
    assert_eq!(checked["sound"], false);
    let lost = &planned["plan"]["missing_groups"];
    assert_eq!((lost, &planned["plan"]["loses_nothing"]), (&checked["missing_groups"], &Value::Bool(false)));
    assert_eq!(lost[1].as_u64().unwrap() - lost[0].as_u64().unwrap(), 4, "{lost}");

    let recovered = place.run(&["store", "recover", "--yes"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", complaint(&recovered));
    let text = String::from_utf8_lossy(&recovered.stdout);
    let (before, after) = text.split_once("The store was recovered").unwrap();
    let said = format!("Lost: groups {} to {} that were acknowledged are missing", lost[0], lost[1]);
    assert!(before.contains(&said) && after.contains(&said), "{text}");

    let _daemon = place.serve();
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(1), "{}", complaint(&verified));
    let text = String::from_utf8_lossy(&verified.stdout);
    assert!(
        text.contains("with losses") && text.contains(&format!("lost: groups {} to {}", lost[0], lost[1])),
        "{text}"
    );
}

#[test]
fn an_end_that_is_lost_after_an_orderly_stop_is_never_denied() {
    let place = place();
    let mut daemon = place.serve();
    acknowledge(&place, 3);
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    lose_the_end(&place);
    is_never_denied(&place);
}

#[test]
fn an_end_that_is_lost_after_a_kill_is_never_denied() {
    let place = place();
    let daemon = place.serve();
    acknowledge(&place, 3);
    drop(daemon);
    lose_the_end(&place);
    is_never_denied(&place);
}

#[test]
fn a_start_after_a_kill_says_that_nothing_is_missing_because_it_is_known() {
    let place = place();
    let daemon = place.serve();
    acknowledge(&place, 2);
    drop(daemon);
    std::fs::remove_dir_all(place.directory.path().join("state/store/index")).unwrap();
    assert_eq!(json(&place, &["store", "check"], 0)["end_is_proven"], true);
    let daemon = place.serve();
    let line = daemon.seen.iter().find(|line| line.contains("index of the store was rebuilt")).unwrap();
    assert!(line.contains("nothing that was acknowledged is missing"), "{line}");
    drop(daemon);

    // Without the notes a loss cannot be proven, and completeness is not claimed.
    std::fs::remove_dir_all(place.directory.path().join("state/store/index")).unwrap();
    std::fs::remove_file(place.directory.path().join("state/store/journal-head")).unwrap();
    assert_eq!(json(&place, &["store", "check"], 0)["end_is_proven"], false);
    let daemon = place.serve();
    let line = daemon.seen.iter().find(|line| line.contains("index of the store was rebuilt")).unwrap();
    assert!(line.contains("cannot be proven"), "{line}");
}
