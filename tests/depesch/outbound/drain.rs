//! SIGTERM while a mailing is being sent: deliveries in progress end, none begins, and the next start sends the rest,
//! each once.

use std::time::Duration;

use depesch::mock_smtp::record::Keep;
use depesch::mock_smtp::script::{Action, Event, Point};
use depesch::mock_smtp::{MockServer, MockSettings};
use serde_json::Value;

use crate::support::daemon::{Place, complaint};

const MEMBERS: u64 = 60;

fn slow_server() -> MockServer {
    let keep = Keep { message_ids: true, ..Keep::default() };
    let mock = MockServer::start(MockSettings { keep, ..MockSettings::default() }).unwrap();
    mock.follow(|event: &Event<'_>| match event.point {
        Point::Message => Action::Delay(Duration::from_millis(40)),
        _ => Action::Proceed,
    });
    mock
}

fn done(place: &Place, arguments: &[&str]) {
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", complaint(&output));
}

/// Asks until the counts of the mailing are so.
fn counts_until(place: &Place, so: impl Fn(&dyn Fn(&str) -> u64) -> bool) {
    for _ in 0..2000 {
        let shown = place.run(&["--json", "mailing", "show", "m1"]);
        let mailing: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        if so(&|name| mailing["counts"][name].as_u64().unwrap_or(0)) {
            return;
        }
    }
    panic!("it never came to be so");
}

#[test]
fn sigterm_loses_and_duplicates_nothing() {
    let mock = slow_server();
    let place = Place::new("");
    let text = format!(
        "state_directory = \"state\"\n[control]\nsocket = \"control.sock\"\n[schedule]\nundo = \"0s\"\n[dispatch]\nconnections = 2\n\
         [relay]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
        mock.address().port()
    );
    std::fs::write(place.configuration(), text).unwrap();
    let mut daemon = place.serve();
    let samples = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    done(&place, &["list", "import", &samples("subscribers/lists.toml")]);
    done(&place, &["contact", "import", &samples("docs/samples/contacts.toml")]);
    let import = ["subscriber", "import", &samples("subscribers/members.csv"), "--list", "members", "--consent", "yes"];
    done(&place, &import);
    let invitation = samples("docs/samples/inbjudan-riksmote.md");
    done(&place, &["mailing", "queue", &invitation, "--list", "members", "--at", "now"]);
    counts_until(&place, |count| count("accepted") > 4);

    daemon.signal("TERM");
    assert!(daemon.wait().success());
    assert!(!daemon.seen.iter().any(|line| line.contains("in doubt")), "{:#?}", daemon.seen);
    let sent = mock.record().totals().accepted;
    assert!((5..MEMBERS).contains(&sent), "{sent}");

    let again = place.serve();
    assert!(!again.seen.iter().any(|line| line.contains("unclean stop")), "{:#?}", again.seen);
    counts_until(&place, |count| count("accepted") == MEMBERS && count("resent") == 0);
    let copies = mock.record().copies();
    assert_eq!((copies.distinct, copies.doubled), (MEMBERS, 0));
}
