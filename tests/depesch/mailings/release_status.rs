//! A moved or cancelled event is announced first in subject and mail; a cancelled one asks for no answer; calendars can
//! identify the event.

use crate::support::written::Written;

fn invitation(status: &str) -> Written {
    let event = format!(
        "media_welcome = \"Välkomna.\"\n[event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n{status}\n[event.rsvp]\nto = \"press@example.org\"\n"
    );
    Written::of("invitation", "sv", &event, "Text.")
}

const KNOWN: &str = "uid = \"a@example.org\"\nsequence = 1\n";

#[test]
fn a_move_comes_first() {
    let written = invitation(&format!("status = \"moved\"\nprevious_start = 2027-03-10T09:30:00\n{KNOWN}"));
    written.check(&[]);
    let read = written.read();
    assert_eq!(read.subject, "NY TID: Provtext");
    let first = "*** NY TID: torsdag 11 mars 2027, kl.\u{a0}9.30";
    assert!(read.text.starts_with(first), "{}", read.text);
    read.holds(&["Anmälan: press@example.org"], &["NY TID: torsdag 11 mars 2027", "Anmälan"]);
    let place = invitation(&format!("status = \"moved\"\nprevious_start = 2027-03-11T09:30:00\n{KNOWN}")).read();
    assert_eq!(place.subject, "Flyttat: Provtext");
}

#[test]
fn a_cancellation_comes_first_and_asks_for_no_answer() {
    let written = invitation(&format!("status = \"cancelled\"\n{KNOWN}"));
    written.check(&[]);
    let read = written.read();
    assert_eq!(read.subject, "INSTÄLLT: Provtext");
    assert!(read.text.starts_with("*** INSTÄLLT: torsdag 11 mars 2027"), "{}", read.text);
    for part in ["Anmälan", "Välkomna"] {
        assert!(!read.text.contains(part) && !read.html.contains(part), "{part}: {}", read.text);
    }
}

#[test]
fn a_change_that_calendars_cannot_tell_is_reported() {
    invitation("status = \"cancelled\"").check(&["event-uid"]);
    invitation("status = \"cancelled\"\nuid = \"a@example.org\"").check(&[]);
    invitation("status = \"moved\"\nsequence = 2\nprevious_start = 2027-03-10T09:30:00").check(&["event-uid"]);
    let relation = "[[relations]]\nkind = \"update-of\"\nto = \"r12\"\n[event]\nstart = 2027-03-11\ncity = \"Örebro\"\n\
                    status = \"cancelled\"\nsequence = 1\n[event.rsvp]\nto = \"press@example.org\"";
    Written::of("invitation", "sv", relation, "").check(&[]);
}

#[test]
fn a_subject_that_says_it_already_does_not_say_it_twice() {
    let event = format!(
        "subject = \"Inställt: frukostmöte\"\nmedia_welcome = \"V.\"\n[event]\nstart = 2027-03-11\ncity = \"Ö\"\nstatus = \"cancelled\"\n{KNOWN}"
    );
    assert_eq!(Written::of("invitation", "sv", &event, "").read().subject, "Inställt: frukostmöte");
}

#[test]
fn a_calendar_that_asks_needs_an_address_for_the_answers() {
    let event = |more: &str| {
        let event = format!("media_welcome = \"V.\"\n[event]\nstart = 2027-03-11\ncity = \"Ö\"\n{more}");
        Written::of("invitation", "sv", &event, "")
    };
    event("invite = \"request\"\n").check(&["invite"]);
    event("invite = \"publish\"\n").check(&[]);
    event("invite = \"request\"\n[event.rsvp]\nto = \"press@example.org\"\n").check(&[]);
}
