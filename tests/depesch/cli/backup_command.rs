//! `depesch backup` through the real binary: made by the daemon and from the files, listed, verified, restored, served.

use serde_json::Value;

use crate::support::daemon::{Place, complaint};

fn json(place: &Place, arguments: &[&str], code: i32) -> Value {
    let output = place.run(&[&["--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", complaint(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_lost_state_directory_comes_back_from_the_backups() {
    let place = Place::new("[backup]\ndirectory = \"elsewhere\"\n");
    let mut daemon = place.serve();
    let lists = format!("{}/subscribers/lists.toml", env!("CARGO_MANIFEST_DIR"));
    assert!(place.run(&["list", "import", &lists]).status.success());
    let made = json(&place, &["backup", "create"], 0);
    assert!(made["backup"]["records"].as_u64().unwrap() > 2 && made["backup"]["whole"] == true);
    let refused = place.run(&["backup", "restore"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint(&refused).contains("already exists"), "{}", complaint(&refused));
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    // Without a daemon it is made from the files.
    let again = json(&place, &["backup", "create"], 0);
    assert_ne!(again["backup"]["id"], made["backup"]["id"]);
    let listed = json(&place, &["backup", "list"], 0);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let verified = json(&place, &["backup", "verify", "--all"], 0);
    assert_eq!(verified["records"], again["backup"]["records"]);

    std::fs::remove_dir_all(place.directory.path().join("state")).unwrap();
    let would = json(&place, &["backup", "restore", "--dry-run"], 0);
    assert_eq!(would["records"], again["backup"]["records"]);
    assert!(!place.directory.path().join("state").exists());
    let restored = json(&place, &["backup", "restore"], 0);
    assert_eq!(restored["records"], again["backup"]["records"]);
    let mut daemon = place.serve_by(place.command(&["serve"]));
    let names: Vec<String> = String::from_utf8(place.run(&["list", "list"]).stdout)
        .unwrap()
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .collect();
    assert!(names.len() > 2, "{names:?}");
    let audit = String::from_utf8(place.run(&["audit", "list"]).stdout).unwrap();
    assert!(audit.contains("backup restore"), "{audit}");
    daemon.signal("TERM");
    assert!(daemon.wait().success());

    // A flipped bit is reported with its file, and nothing is restored.
    let files = place.directory.path().join("elsewhere/files");
    let folder = std::fs::read_dir(&files).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let found = json(&place, &["backup", "verify", "--all"], 1);
    assert_eq!(found["faults"][0]["file"], file.display().to_string());
}
