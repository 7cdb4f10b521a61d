//! `depesch store` through the real binary: checked while whole, told and mended when damaged, refused under a daemon.

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
fn a_whole_store_is_checked_and_a_checkpoint_of_it_is_written() {
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
fn a_store_is_begun_once_and_what_is_there_is_left_as_it_is() {
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
fn a_damaged_journal_is_named_shown_and_mended_without_loss() {
    let place = place();
    let first = journal(&place).remove(0);
    let mut octets = std::fs::read(&first).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 0x40;
    std::fs::write(&first, octets).unwrap();

    let survey = json(&place, &["store", "check"], 1);
    assert_eq!(survey["sound"], false);
    let named = survey["damages"][0]["file"].as_str().unwrap();
    assert_eq!(PathBuf::from(named).file_name(), first.file_name());
    // The index is whole: nothing is lost, and without --yes nothing is done.
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
