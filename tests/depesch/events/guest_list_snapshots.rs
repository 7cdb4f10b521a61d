//! The guests of an event as they are listed for people and for programs, and as a file. `cargo insta review`, or the
//! `.snap.new` file, shows the effect of a change.

use crate::support::api;
use crate::support::rsvps::Hosts;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_guests_reads_as_it_was_last_approved() {
    let hosts = Hosts::with_one().await;
    let karin = "Jag kommer.\n\nNamn: Karin Ek\nRedaktion: Skövde Dagblad\nFunktion: =cmd()\nPresskort: 1234\n";
    hosts.writes("karin", karin).await;
    hosts.writes("nils", "Jag kommer inte.").await;
    hosts.writes("eva", "Kanske, jag vet inte ännu.").await;
    hosts.writes("bo", "Hej!").await;
    hosts.writes("karin", "Hur lång tid tar det?").await;
    let api = api::start_on(hosts.world.store.clone()).await;
    api.approved("events", "guests", &["rsvp list r1", "rsvp list m1 --history", "rsvp list r1 --json"]);
    api.approved("events", "guests_as_a_file", &["rsvp export r1", "rsvp export r1 --excel"]);
}
