//! The command line as used by programs: exit codes, JSON, closed pipes, errors on standard error.

use crate::support::daemon::{Place, complaint, run_into_closed_pipe};

#[test]
fn exit_codes_mean_something() {
    let place = Place::new("");
    assert_eq!(place.run(&["--version"]).status.code(), Some(0));
    assert_eq!(place.run(&["no-such-noun"]).status.code(), Some(2));
    let unreachable = place.run(&["status"]);
    assert_eq!(unreachable.status.code(), Some(3));
    assert!(complaint(&unreachable).contains("depesch serve"), "it says how to start the daemon");
    assert!(unreachable.stdout.is_empty());
    std::fs::write(place.configuration(), "transport = 1").unwrap();
    assert_eq!(place.run(&["config", "check"]).status.code(), Some(1));
    assert_eq!(place.run(&["status"]).status.code(), Some(2));
    assert_eq!(place.run(&["config", "check", "/nonexistent.toml"]).status.code(), Some(2));
}

#[test]
fn the_help_tells_the_exit_codes_and_gives_examples() {
    let place = Place::new("");
    let help = String::from_utf8(place.run(&["--help"]).stdout).unwrap();
    for word in ["Exit codes", "the daemon cannot be reached", "Examples", "--socket", "--config", "--json"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn json_is_one_line_of_json_and_nothing_else() {
    let place = Place::new("");
    let _daemon = place.serve();
    let output = place.run(&["--json", "status"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(output.stderr.is_empty());
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let place = Place::new("");
    for arguments in [&["config", "show"][..], &["--help"], &["--json", "config", "show"]] {
        let (status, complaint) = run_into_closed_pipe(place.command(arguments));
        assert_eq!((status.code(), complaint.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn config_show_can_be_read_back() {
    let place = Place::new("base_url = \"https://press.example.org\"");
    let shown = place.run(&["config", "show"]);
    let again = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(again.path(), &shown.stdout).unwrap();
    let check = place.run(&["config", "check", again.path().to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("base_url = \"https://press.example.org\"\n"), "{text}");
    assert!(text.contains("port = 25  # default"), "{text}");
}
