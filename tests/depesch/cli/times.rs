//! Commands print times in the zone of the person who runs them; an event's times are in the event's zone.

use depesch::base::clock::Timestamp;
use serde_json::Value;

use crate::support::api::start_on;
use crate::support::rsvps::Hosts;

#[tokio::test(flavor = "multi_thread")]
async fn times_are_in_the_zone_of_tz_or_else_of_the_machine() {
    let hosts = Hosts::with_one().await;
    let control = start_on(hosts.world.store.clone()).await;
    let json: Value = serde_json::from_str(&control.prints_in(Some("Asia/Tokyo"), "release list --json")).unwrap();
    let created = json[0]["created"].as_str().unwrap();
    assert!(created.ends_with('Z'), "JSON is in UTC: {created}");
    let added: Timestamp = created.parse().unwrap();

    let shown = control.prints_in(Some("Europe/Stockholm"), "release list");
    let expected = added.with_timezone(&chrono_tz::Europe::Stockholm).format("%Y-%m-%d %H:%M:%S CET").to_string();
    assert!(shown.contains(&expected), "no {expected} in {shown}");
    let shown = control.prints_in(Some("Asia/Tokyo"), "release list");
    let expected = added.with_timezone(&chrono_tz::Asia::Tokyo).format("%Y-%m-%d %H:%M:%S JST").to_string();
    assert!(shown.contains(&expected), "no {expected} in {shown}");

    // No zone: as on a machine where TZ is not set.
    assert_eq!(control.prints_in(Some("Nowhere/Else"), "release list"), control.prints_in(None, "release list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_begins_in_its_own_zone() {
    let hosts = Hosts::new().await;
    let event = "[event]\nstart = 2026-11-26T09:30:00\nzone = \"Europe/Helsinki\"\nvenue = \"Salen\"\n";
    let release = hosts.invite_with("Så bygger vi", event, "deadline = 2026-11-25T12:00:00").await;
    hosts.send(1, release).await;
    hosts.writes("karin", "Jag kommer.\nNamn: Karin Ek\n").await;
    let control = start_on(hosts.world.store.clone()).await;
    let lines = |tz| {
        let shown = control.prints_in(Some(tz), "rsvp list r1");
        let of_event = |line: &&str| line.starts_with("begins") || line.starts_with("answer before");
        let found: Vec<String> = shown.lines().filter(of_event).map(str::to_owned).collect();
        (found, shown)
    };
    let (tokyo, shown) = lines("Asia/Tokyo");
    assert_eq!(tokyo.len(), 2, "{shown}");
    assert!(tokyo.iter().all(|line| line.ends_with(" EET")), "{shown}");
    assert!(shown.contains(" JST"), "the answers came in the person's time: {shown}");
    assert_eq!(lines("UTC").0, tokyo);
}
