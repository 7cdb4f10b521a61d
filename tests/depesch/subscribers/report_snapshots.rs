//! The reports about people as they are printed for people and for programs: bounces, consents, and the export of a
//! list. `cargo insta review`, or the `.snap.new` file, shows the effect of a change.

use depesch::base::peer::Network;
use depesch::model::consent::ConsentSource;
use depesch::model::subscriber::SubscriptionState::{Active, Ended};

use crate::support::api;
use crate::support::bounces::{full, gone, noted};
use crate::support::mailings::{list, minute, put_frozen, put_subscriber, store};
use crate::support::people;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_bounces_reads_as_it_was_last_approved() {
    let store = store();
    assert!(store.create_list(&list("media")).await.unwrap());
    for mailing in [1, 2] {
        put_frozen(&store, mailing, 3).await;
    }
    for id in 1..=3 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    noted(&store, &gone(1, 1, 1)).await;
    noted(&store, &full(1, 2, 1)).await;
    noted(&store, &full(2, 2, 2)).await;
    let api = api::start_on(store).await;
    let lists = ["bounce list", "bounce list --mailing m1 --addresses", "bounce list --json"];
    api.approved("subscribers", "report_of_bounces", &lists);
    let people = ["bounce show s1", "bounce show s2", "bounce show s3", "bounce show s1 --json"];
    api.approved("subscribers", "report_of_the_bounces_of_a_person", &people);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_consents_reads_as_it_was_last_approved() {
    let store = store();
    assert!(store.create_list(&list("media")).await.unwrap());
    let network = Network::of("192.0.2.77".parse().unwrap());
    let mail = || ConsentSource::Mail { message_id: "svar.1@press.example".into(), evidence: None };
    let sources = [
        (mail(), "I agree [reply: \u{201c}ja\u{201d}]"),
        (ConsentSource::Web { network, revision: "2026-11-01".into() }, "Ja, skicka mig pressmeddelanden"),
        (ConsentSource::Api { client: "union-website".into() }, "Yes, send me press releases"),
        (ConsentSource::Import { file: "press.csv".into(), line: 7 }, "=HYPERLINK(\"x\"), asked at the fair"),
        (ConsentSource::Import { file: "press.csv".into(), line: 8 }, ""),
    ];
    let media = "media".parse().unwrap();
    for (id, (source, words)) in (1..).zip(sources) {
        let agrees = |reader: &mut depesch::model::subscriber::Subscriber| {
            reader.change(&media, Active, minute(id), source, words.to_owned()).unwrap();
        };
        put_subscriber(&store, id as u64, &[], agrees).await;
    }
    let left = |reader: &mut depesch::model::subscriber::Subscriber| {
        reader.change(&media, Ended, minute(9), mail(), "stop".to_owned()).unwrap();
    };
    put_subscriber(&store, 6, &["media"], left).await;
    let api = api::start_on(store).await;
    let commands = ["list consent media", "list consent media --json", "subscriber consent s2"];
    api.approved("subscribers", "report_of_consents", &commands);
    api.approved("subscribers", "report_of_consents_as_a_file", &["list consent media --csv --addresses"]);
}

const PEOPLE: &str = "email;name;language;organisation;beats;regions;lists;phone;note\n\
    karin@example.org;Karin Ek;sv;Skövde Dagblad;kultur, skola;skaraborg;members;'+46 8 465 004 00;=1+1\n\
    bo@example.org;@Bo, \"Bosse\";en;-;;;;;\"two\nlines\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_people_reads_as_it_was_last_approved() {
    let store = people::store().await;
    people::import_text(&store, PEOPLE).await.summary.unwrap();
    let api = api::start_on(store).await;
    let commands = ["subscriber export", "subscriber export --list members --excel"];
    api.approved("subscribers", "export_of_people", &commands);
}
