//! The daemon as a service, through the real binary: one per store, SIGTERM, SIGHUP, and the ways to start it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use crate::support::daemon::{Place, complaint};

#[test]
fn a_second_daemon_on_one_store_is_refused() {
    let place = Place::new("");
    let mut daemon = place.serve();
    let second = place.run(&["serve", "--socket", "/nonexistent/other.sock"]);
    assert_eq!(second.status.code(), Some(5));
    let complaint = complaint(&second);
    assert!(complaint.contains("is in use by another process"), "{complaint}");
    assert!(complaint.contains(&daemon.child.id().to_string()), "{complaint}");
    assert_eq!(place.run(&["status"]).status.code(), Some(0), "the first one goes on");
    daemon.signal("TERM");
    assert!(daemon.wait().success());
}

#[test]
fn it_starts_empty_only_when_told_to() {
    let place = Place::new("");
    let refused = place.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(complaint(&refused).contains("depesch serve --create"), "{}", complaint(&refused));
    assert!(!place.directory.path().join("state").exists());
}

#[test]
fn sigterm_drains_and_closes_the_store() {
    let place = Place::new("");
    let mut daemon = place.serve();
    let state = std::fs::metadata(place.directory.path().join("state")).unwrap();
    assert_eq!(state.permissions().mode() & 0o777, 0o700);
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    assert!(daemon.seen.iter().any(|line| line.contains("closed the store")), "{:#?}", daemon.seen);
    assert!(!place.directory.path().join("control.sock").exists());
    let again = place.serve();
    assert!(again.seen.iter().any(|line| line.contains("opened the store") && !line.contains("unclean stop")));
}

#[test]
fn store_commands_find_the_store_of_the_daemon_and_only_while_it_is_stopped() {
    let place = Place::new("");
    let mut daemon = place.serve();
    assert_eq!(place.run(&["store", "check"]).status.code(), Some(2));
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    for command in ["check", "recover", "checkpoint"] {
        let done = place.run(&["store", command]);
        assert_eq!(done.status.code(), Some(0), "{command}: {}", complaint(&done));
    }
}

#[test]
fn after_kill_it_starts_over_the_stale_socket() {
    let place = Place::new("");
    let mut daemon = place.serve();
    daemon.child.kill().unwrap();
    daemon.wait();
    assert!(place.directory.path().join("control.sock").exists());
    assert_eq!(place.run(&["status"]).status.code(), Some(3));
    let again = place.serve();
    assert!(again.seen.iter().any(|line| line.contains("unclean stop")), "{:#?}", again.seen);
    assert_eq!(place.run(&["status"]).status.code(), Some(0));
}

#[test]
fn sighup_keeps_the_old_configuration_if_the_new_is_invalid() {
    let place = Place::new("");
    let mut daemon = place.serve();
    place.configure("transport_ = 1");
    daemon.signal("HUP");
    let refusal = daemon.wait_for_line("the old stays in force");
    assert!(refusal.contains("depesch.toml:3: transport_: there is no such key; did you mean transport?"), "{refusal}");
    place.configure("base_url = \"https://press.example.org\"\nstop_timeout = \"9s\"");
    daemon.signal("HUP");
    daemon.wait_for_line("read configuration and templates again");
    let waiting = daemon.wait_for_line("need a restart");
    assert!(waiting.contains("stop_timeout") && !waiting.contains("base_url"), "{waiting}");
    assert_eq!(place.run(&["status"]).status.code(), Some(0));
}

#[test]
fn sighup_keeps_the_old_templates_if_the_new_are_invalid() {
    let place = Place::new("templates_directory = \"own\"");
    let own = place.directory.path().join("own/invitation");
    std::fs::create_dir_all(&own).unwrap();
    let mut daemon = place.serve();
    let sample = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    let done = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
    };
    done(&["list", "import", &sample("subscribers/lists.toml")]);
    done(&["contact", "import", &sample("docs/samples/contacts.toml")]);
    done(&["subscriber", "import", &sample("subscribers/media.csv"), "--list", "media", "--consent", "Asked"]);
    done(&["release", "add", &sample("docs/samples/inbjudan-riksmote.md")]);
    std::fs::write(own.join("text.hbs"), "{{#if headline}}never closed").unwrap();
    daemon.signal("HUP");
    let refusal = daemon.wait_for_line("nothing was applied, the old configuration stays in force");
    assert!(refusal.contains("invitation/text.hbs"), "{refusal}");
    // The daemon renders it for all subscribers of the list, with the old templates.
    done(&["mailing", "queue", "--release", "r1", "--list", "media", "--at", "now", "--dry-run"]);
    std::fs::remove_file(own.join("text.hbs")).unwrap();
    daemon.signal("HUP");
    daemon.wait_for_line("read configuration and templates again");
}

#[test]
fn sighup_applies_nothing_if_the_certificate_is_invalid() {
    let place = Place::new("");
    let directory = place.directory.path();
    let made = rcgen::generate_simple_self_signed(vec!["mx.example.org".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let inbound = "[inbound]\nsmtp = [\"127.0.0.1:0\"]\ncertificate_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    let text = std::fs::read_to_string(place.configuration()).unwrap() + inbound;
    std::fs::write(place.configuration(), &text).unwrap();
    let mut daemon = place.serve();
    std::fs::write(directory.join("key.pem"), "no key").unwrap();
    std::fs::write(place.configuration(), text + "[log]\nlevel = \"error\"\n").unwrap();
    daemon.signal("HUP");
    let refusal = daemon.wait_for_line("nothing was applied, the old configuration stays in force");
    assert!(refusal.contains("key.pem"), "{refusal}");
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    daemon.signal("HUP");
    // Logged at the level "info", which the first attempt left in force.
    daemon.wait_for_line("the certificate was read again");
}

#[test]
fn a_file_queued_again_by_its_key_is_one_release_and_one_mailing() {
    let place = Place::new("");
    let _daemon = place.serve();
    let sample = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    let done = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    done(&["list", "import", &sample("subscribers/lists.toml")]);
    done(&["contact", "import", &sample("docs/samples/contacts.toml")]);
    done(&["subscriber", "add", "kim@example.org", "--list", "media", "--consent", "Asked"]);
    let refused = place.run(&["subscriber", "add", "bo@example.org", "--list", "nosuch", "--consent", "Asked"]);
    assert_eq!(refused.status.code(), Some(4));
    assert_eq!(place.run(&["subscriber", "show", "bo@example.org"]).status.code(), Some(4), "nothing half done");
    let file = sample("docs/samples/inbjudan-riksmote.md");
    let queue = ["mailing", "queue", &file, "--list", "media", "--at", "2099-02-25 09:00"];
    done(&[&queue[..], &["--dry-run"]].concat());
    assert_eq!(done(&[&queue[..], &["--key", "riksmote"]].concat()), "queued m1\n");
    let again = done(&[&queue[..], &["--key", "riksmote"]].concat());
    assert!(again.starts_with("m1 was queued before with this key"), "{again}");
    let releases = done(&["release", "list"]);
    assert_eq!(releases.lines().count(), 2, "{releases}");
    let delivery = place.run(&["mailing", "show", "m1", "--subscriber", "Kim@example.org"]);
    assert!(complaint(&delivery).contains("m1 is scheduled"), "{}", complaint(&delivery));
    done(&["suppression", "add", "kim@example.org", "--reason", "request"]);
    let shown = done(&["subscriber", "show", "s1"]);
    assert!(shown.contains("gets no mail from any list: request"), "{shown}");
}

#[test]
fn a_wrong_configuration_ends_the_start_with_2() {
    let place = Place::new("stop_timeout = 30");
    let refused = place.run(&["serve", "--create"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint(&refused).contains("depesch.toml:3: stop_timeout: expected a duration"));
}

#[test]
fn systemd_is_told_when_it_is_ready_reloads_and_stops() {
    let place = Place::new("");
    let path = place.directory.path().join("notify.sock");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut command = place.command(&["serve", "--create"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000").env_remove("WATCHDOG_PID");
    let mut daemon = place.serve_by(command);
    let told = |words: &str| {
        let mut bytes = [0; 4096];
        loop {
            let length = systemd.recv(&mut bytes).unwrap_or_else(|error| panic!("not told {words}: {error}"));
            if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line.starts_with(words)) {
                return;
            }
        }
    };
    told("READY=1");
    told("WATCHDOG=1");
    daemon.signal("HUP");
    told("RELOADING=1");
    told("READY=1");
    daemon.signal("TERM");
    told("STOPPING=1");
    assert!(daemon.wait().success());
}

#[test]
fn the_log_for_programs_is_json_line_by_line() {
    let place = Place::new("");
    let text = std::fs::read_to_string(place.configuration()).unwrap();
    std::fs::write(place.configuration(), text + "[log]\nformat = \"json\"\n").unwrap();
    let mut daemon = place.serve();
    daemon.signal("TERM");
    daemon.wait();
    assert!(daemon.seen.len() >= 3);
    for line in &daemon.seen {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["timestamp"].is_string() && event["message"].is_string(), "{line}");
    }
}
