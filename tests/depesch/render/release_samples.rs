//! The samples, which people copy, are correct.

use depesch::model::release::Release;
use depesch::render::source::{SourceSettings, book::parse_book, parse};

fn sample(name: &str) -> Release {
    let read = |name: &str| {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/samples/").to_owned() + name).unwrap()
    };
    let settings = SourceSettings::default();
    let book = parse_book(&read("contacts.toml"), &settings).unwrap().into_book();
    let parsed = parse(&read(name), &settings);
    assert_eq!(parsed.findings, []);
    parsed.draft.unwrap().resolve(&book).unwrap()
}

#[test]
fn the_invitation_holds_what_an_invitation_needs() {
    let release = sample("inbjudan-riksmote.md");
    let event = release.event.as_ref().unwrap();
    assert_eq!(event.start_instant().to_rfc3339(), "2027-03-11T08:30:00+00:00");
    assert_eq!(event.rsvp.as_ref().unwrap().capacity, Some(40));
    assert_eq!(release.programme.len(), 5);
    assert_eq!(release.programme[3].items[0].people[0].party.as_deref(), Some("A"));
    assert_eq!(release.press_contacts().next().unwrap().contact.name, "Sara Holm");
    assert_eq!(release.boilerplates[0].name, "Fackförbundet Vardagskraft");
    assert_eq!(release.responsible_publisher.as_deref(), Some("Marianne Lindqvist"));
}

#[test]
fn the_press_release_and_the_documentation_are_read_completely() {
    let release = sample("press-release-small-towns.md");
    assert_eq!((release.links.len(), release.links[0].links.len(), release.images.len()), (1, 2, 1));
    let release = sample("dokumentation-konferens.md");
    assert_eq!((release.presentations.len(), release.attachments.len()), (3, 2));
    assert!(release.presentations[2].quote.is_some() && release.pull_quote.is_some());
}
