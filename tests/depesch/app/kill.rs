//! Invariants 1 to 3 on the real binary: it is killed with SIGKILL again and again during a mailing, additions and
//! unsubscribes; at the end, the relay's own log shows whether the ledger is true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use depesch::mock_smtp::record::Keep;
use depesch::mock_smtp::script::{Action, Event, Point};
use depesch::mock_smtp::{MockServer, MockSettings};
use serde_json::Value;

use crate::support::daemon::{Place, complaint};

const ROUNDS: u32 = 30;
const CONNECTIONS: usize = 8;
const PEOPLE: usize = 2500;

/// A small random generator, so that a failing run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

struct Trial {
    mock: MockServer,
    place: Place,
    mailings: Vec<String>,
    added: BTreeSet<String>,
    left: BTreeMap<String, usize>,
}

impl Trial {
    fn new() -> Self {
        let place = Place::new("");
        let log = place.directory.path().join("relay.log");
        let keep = Keep { message_ids: true, log: Some(log), ..Keep::default() };
        let mock = MockServer::start(MockSettings { keep, ..MockSettings::default() }).unwrap();
        mock.follow(|event: &Event<'_>| match event.point {
            Point::Message => Action::Delay(Duration::from_millis(20)),
            _ => Action::Proceed,
        });
        let text = format!(
            "state_directory = \"state\"\n[control]\nsocket = \"control.sock\"\n[schedule]\nundo = \"0s\"\n[dispatch]\nconnections = {CONNECTIONS}\n\
             [relay]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
            mock.address().port()
        );
        std::fs::write(place.configuration(), text).unwrap();
        Self { mock, place, mailings: Vec::new(), added: BTreeSet::new(), left: BTreeMap::new() }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.place.run(&[&["--json"], arguments].concat());
        assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {}", complaint(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn prepare(&self) {
        let samples = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut csv = String::from("email;name\n");
        (0..PEOPLE).for_each(|number| csv += &format!("p{number}@press.example;Person {number}\n"));
        let file = self.place.directory.path().join("people.csv");
        std::fs::write(&file, csv).unwrap();
        self.json(&["list", "import", &samples("subscribers/lists.toml")]);
        self.json(&["contact", "import", &samples("docs/samples/contacts.toml")]);
        self.json(&["subscriber", "import", file.to_str().unwrap(), "--list", "media", "--consent", "asked"]);
        self.json(&["release", "add", &samples("docs/samples/inbjudan-riksmote.md")]);
    }

    /// Sees that there is a mailing under way.
    fn keep_busy(&mut self) {
        let ended = self.mailings.last().is_none_or(|id| self.json(&["mailing", "show", id])["stage"] == "finished");
        if ended {
            let queued =
                self.json(&["mailing", "queue", "--release", "r1", "--list", "media", "--at", "now", "--again"]);
            self.mailings.push(queued["mailing"]["id"].as_str().unwrap().to_owned());
        }
    }

    /// The counts of a mailing; checks that they add up (invariant 2).
    fn counts(&self, id: &str) -> BTreeMap<String, u64> {
        let shown = self.json(&["mailing", "show", id]);
        let counts: BTreeMap<String, u64> = serde_json::from_value(shown["counts"].clone()).unwrap_or_default();
        let states = ["waiting", "in_doubt", "accepted", "deferred", "failed", "suppressed", "cancelled", "uncertain"];
        let sum: u64 = states.iter().filter_map(|state| counts.get(*state)).sum();
        assert_eq!(Some(&sum), counts.get("audience"), "{shown}");
        counts
    }

    /// One round: starts a daemon, runs some commands, and kills it while it sends.
    fn round(&mut self, number: u32, dice: &mut Dice) {
        let mut daemon = self.place.serve();
        self.keep_busy();
        for _ in 0..dice.below(3) {
            let id = self.mailings.last().cloned().unwrap();
            self.counts(&id);
        }
        let address = format!("new{number}@press.example");
        self.json(&["subscriber", "add", &address, "--list", "media", "--consent", "asked"]);
        self.added.insert(address);
        if dice.below(2) == 0 {
            let address = format!("p{}@press.example", dice.below(PEOPLE as u64));
            self.json(&["subscriber", "unsubscribe", &address, "media", "--reason", "no more"]);
            self.left.insert(address, self.mailings.len());
        }
        daemon.child.kill().unwrap();
        daemon.wait();
    }

    /// How often the relay accepted each mailing for each recipient, from its own log.
    fn taken(&self) -> BTreeMap<(String, String), u64> {
        let log = std::fs::read_to_string(self.place.directory.path().join("relay.log")).unwrap();
        let mut taken = BTreeMap::new();
        for line in log.lines() {
            let (message_id, recipient) = line.split_once(' ').unwrap();
            let (mailing, _) = message_id.trim_start_matches('<').split_once('.').unwrap();
            *taken.entry((mailing.to_owned(), recipient.trim_matches(['<', '>']).to_owned())).or_default() += 1;
        }
        taken
    }

    fn deliveries(&self, id: &str) -> Vec<Value> {
        let output = self.place.run(&["--json", "mailing", "report", id, "--csv", "--addresses"]);
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn killed_thirty_times_it_loses_nothing_and_hides_nothing() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut trial = Trial::new();
    let daemon = trial.place.serve();
    trial.prepare();
    drop(daemon);
    for number in 0..ROUNDS {
        trial.round(number, &mut dice);
    }

    let _daemon = trial.place.serve();
    for id in trial.mailings.clone() {
        while trial.json(&["mailing", "show", &id])["stage"] != "finished" {
            trial.counts(&id);
        }
    }
    let taken = trial.taken();
    let mut doubled = 0;
    for (place, id) in trial.mailings.iter().enumerate() {
        let counts = trial.counts(id);
        let settled = counts["accepted"] + counts["suppressed"] + counts.get("uncertain").copied().unwrap_or(0);
        assert!(settled == counts["audience"], "{counts:?}");
        for delivery in trial.deliveries(id) {
            let (address, resent) = (delivery["address"].as_str().unwrap(), delivery["resent"].as_u64().unwrap());
            let copies = taken.get(&(id.clone(), address.to_owned())).copied().unwrap_or(0);
            let accepted = delivery["state"] == "accepted";
            // Left in doubt by a kill, and unsubscribed before it could be sent again.
            let uncertain = delivery["state"] == "uncertain" && trial.left.contains_key(address);
            assert!(!accepted || copies >= 1, "{address} counts as accepted in {id}, and the relay never got it");
            assert!(copies <= u64::from(accepted || uncertain) + resent, "{address} got {copies} of {id}: {delivery}");
            let left_before = trial.left.get(address).is_some_and(|mailings| *mailings <= place);
            assert!(!left_before || copies == 0, "{address} had left before {id}");
            doubled += copies.saturating_sub(1);
        }
    }
    assert!(doubled <= u64::from(ROUNDS) * CONNECTIONS as u64, "{doubled} doubled");
    for address in &trial.added {
        assert_eq!(
            trial.json(&["subscriber", "show", address])["address"],
            *address,
            "an acknowledged addition is lost"
        );
    }
    for address in trial.left.keys() {
        let shown = trial.json(&["subscriber", "show", address]);
        assert!(shown.to_string().contains("ended"), "an acknowledged unsubscribe is lost: {shown}");
    }
    assert!(trial.mock.record().totals().accepted > u64::from(ROUNDS), "hardly anything was sent");
}
