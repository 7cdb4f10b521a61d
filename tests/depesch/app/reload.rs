//! Reloading the configuration: a refusal is reported to the command that requested it, stays in the status until the
//! next successful reload, and does not block any command.

use crate::support::daemon::{Place, complaint};

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_refused_reload_fails_and_shows_until_the_next_good_one() {
    let place = Place::new("");
    let mut daemon = place.serve();
    place.configure("transport_ = 1");
    let refused = place.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(4), "{}", complaint(&refused));
    assert!(complaint(&refused).contains("transport_: there is no such key"), "{}", complaint(&refused));
    // The file is still invalid, and commands reach the daemon nevertheless.
    let status = place.run(&["status"]);
    assert_eq!(status.status.code(), Some(1), "{}", complaint(&status));
    assert!(said(&status).contains("the reload of ") && said(&status).contains("transport_"), "{}", said(&status));
    assert!(complaint(&status).contains("the daemon is asked all the same"), "{}", complaint(&status));
    place.configure("base_url = \"https://press.example.org\"\nstop_timeout = \"9s\"");
    let done = place.run(&["reload"]);
    assert_eq!(done.status.code(), Some(0), "{}", complaint(&done));
    assert!(said(&done).contains("wait for a restart: stop_timeout\n"), "{}", said(&done));
    assert_eq!(place.run(&["status"]).status.code(), Some(0));
    // A signal has no caller to answer, so the status reports it.
    place.configure("transport_ = 1");
    daemon.signal("HUP");
    daemon.wait_for_line("SIGHUP: the new configuration cannot be used");
    assert_eq!(place.run(&["status"]).status.code(), Some(1));
}

#[test]
fn a_reload_refuses_what_serve_would_refuse() {
    let place = Place::new("");
    let _daemon = place.serve();
    let good = std::fs::read_to_string(place.configuration()).unwrap();
    std::fs::write(place.configuration(), good.replace("\"capture\"", "\"relay\"") + "[relay]\nhost = \"x:587\"\n")
        .unwrap();
    let refused = place.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(complaint(&refused).contains("x:587"), "{}", complaint(&refused));
    std::fs::write(place.configuration(), good).unwrap();
    assert_eq!(place.run(&["reload"]).status.code(), Some(0));
}

#[test]
fn a_reload_without_a_daemon_says_so() {
    assert_eq!(Place::new("").run(&["reload"]).status.code(), Some(3));
}

#[test]
fn show_asks_the_daemon_and_marks_what_waits() {
    let place = Place::new("");
    let mut daemon = place.serve();
    place.configure("base_url = \"https://press.example.org\"\nstop_timeout = \"9s\"");
    let shown = said(&place.run(&["config", "show"]));
    assert!(shown.starts_with("# in force in the daemon"), "{shown}");
    assert!(shown.contains("stop_timeout = \"30s\"  # the file says \"9s\": waits for a restart"), "{shown}");
    assert!(
        shown.contains("base_url = \"\"  # the file says \"https://press.example.org\": waits for a reload"),
        "{shown}"
    );
    assert_eq!(place.run(&["reload"]).status.code(), Some(0));
    let shown = said(&place.run(&["config", "show"]));
    assert!(shown.contains("\nbase_url = \"https://press.example.org\"\n"), "{shown}");
    assert!(shown.contains("stop_timeout = \"30s\"  # the file says \"9s\": waits for a restart"), "{shown}");
    let json: serde_json::Value = serde_json::from_slice(&place.run(&["config", "show", "--json"]).stdout).unwrap();
    assert_eq!(json["stop_timeout"], "30s");
    assert!(said(&place.run(&["config", "show", "--file"])).contains("stop_timeout = \"9s\"\n"));
    place.configure("transport_ = 1");
    let shown = said(&place.run(&["config", "show"]));
    assert!(shown.contains("stop_timeout = \"30s\"") && shown.contains("# the file cannot be used now: "), "{shown}");
    place.configure("");
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    assert!(said(&place.run(&["config", "show"])).contains("no daemon answers"));
}
