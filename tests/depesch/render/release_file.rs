//! A release file is read completely, and all its errors are reported at once, with line and fix.

use depesch::model::contact::ContactBook;
use depesch::model::release::{AttributionPlace, EventStatus, Release};
use depesch::render::finding::Finding;
use depesch::render::source::{SourceSettings, book::parse_book, parse};
use proptest::prelude::*;

const HEAD: &str = "kind = \"press-release\"\nlanguage = \"sv\"\nheadline = \"Nytt\"\n";

fn findings(text: &str) -> Vec<Finding> {
    parse(text, &SourceSettings::default()).findings
}

/// `front` stands from line 5 on.
fn wrong(front: &str) -> Vec<String> {
    findings(&format!("+++\n{HEAD}{front}\n+++\nText.\n")).iter().map(Finding::to_string).collect()
}

fn right(front: &str) -> Release {
    let parsed = parse(&format!("+++\n{HEAD}{front}\n+++\nText.\n"), &SourceSettings::default());
    assert_eq!(parsed.findings, []);
    parsed.draft.unwrap().resolve(&ContactBook::default()).unwrap()
}

#[track_caller]
fn check(front: &str, expected: &[&str]) {
    let said = wrong(front);
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said}\n  does not say\n{expected}");
    }
}

#[test]
fn an_unknown_field_is_named_with_its_line_and_the_nearest_known() {
    check(
        "kikcer = \"x\"",
        &["line 5: error: kikcer: there is no field \u{201c}kikcer\u{201d} here; did you mean \u{201c}kicker\u{201d}?"],
    );
    check("[event]\nstart = 2027-03-11\nvenu = \"x\"", &["line 7: error: event.venu: there is no field"]);
}

#[test]
fn a_field_below_a_table_is_reported_to_belong_above() {
    check("[[facts]]\nlabel = \"a\"\nprinted = \"b\"\nlead = \"x\"", &["above the first line in [brackets]"]);
}

#[test]
fn everything_is_reported_at_once_and_in_order() {
    check(
        "zone = \"Europe/Stokholm\"\nlead = 3\n[event]\nstart = \"soon\"\nstatus = \"mvoed\"\n[event.rsvp]\nto = \"nobody\"\n[[contacts]]\nrole = \"press\"",
        &[
            "line 5: error: zone:",
            "line 6: error: lead: a text is expected, not a number",
            "line 8: error: event.start: a date or a date with a time is expected, not a text",
            "line 9: error: event.status:",
            "line 11: error: event.rsvp.to:",
            "line 12: error: contacts[0].name: it is missing",
        ],
    );
}

#[test]
fn syntax_errors_do_not_make_fields_missing() {
    let said = findings("+++\nkind = \"press-release\"\nheadline \"x\"\n+++\n");
    assert!(!said.is_empty() && said.iter().all(|f| f.rule == "toml" && f.line.is_some()), "{said:#?}");
}

#[test]
fn a_day_that_does_not_exist_is_one_error() {
    check("published = 2027-02-29", &["line 5: error:"]);
}

#[test]
fn missing_required_fields_are_reported() {
    let said: Vec<String> = findings("+++\n+++\n").iter().map(|f| f.key.clone().unwrap()).collect();
    assert_eq!(said, ["headline", "kind", "language"]);
}

#[test]
fn a_file_without_fields_is_shown_how_to_begin() {
    assert!(findings("# Nytt\n")[0].fix.contains("+++"));
    assert_eq!(findings("\n\n+++\nkind = 1\n")[0].line, Some(3));
    assert_eq!(findings("")[0].rule, "front-matter");
}

#[test]
fn windows_and_unix_line_ends_and_a_bom_make_no_difference() {
    let unix = format!("+++\n{HEAD}lead = \"a\u{a0}b\"\n+++\n\nEtt.\n\nTva\u{30a}.\n");
    let windows = format!("\u{feff}{}", unix.replace('\n', "\r\n"));
    let read = |text: &str| parse(text, &SourceSettings::default()).draft.unwrap().release;
    assert_eq!(read(&unix), read(&windows));
    assert_eq!(read(&unix).body, "Ett.\n\nTv\u{e5}.");
    assert_eq!(read(&unix).lead.as_deref(), Some("a\u{a0}b"));
}

#[test]
fn times_are_read_in_their_zone() {
    let release = right(
        "[event]\nstart = 2027-03-11T09:30:00\nend = 2027-03-11T15:00:00Z\nstatus = \"moved\"\ncity = \"Örebro\"",
    );
    let event = release.event.unwrap();
    assert_eq!(event.start_instant().to_rfc3339(), "2027-03-11T08:30:00+00:00");
    assert_eq!(event.end.unwrap().local().to_string(), "2027-03-11 16:00:00");
    assert_eq!(event.status, EventStatus::Moved);
    check("[event]\nstart = 2027-03-28T02:30:00", &["does not exist in Europe/Stockholm"]);
}

#[test]
fn a_printed_slot_keeps_its_text_and_has_times() {
    let release = right(
        "[[programme]]\ntime = \"9.30\u{2013}10.00\"\ntitle = \"a\"\n[[programme]]\ntime = \"efter lunch\"\ntitle = \"b\"",
    );
    let slot = &release.programme[0];
    assert_eq!(slot.printed_time.as_deref(), Some("9.30\u{2013}10.00"));
    assert_eq!(
        (slot.start.unwrap().to_string(), slot.end.unwrap().to_string()),
        ("09:30:00".into(), "10:00:00".into())
    );
    assert_eq!((release.programme[1].printed_time.as_deref(), release.programme[1].start), (Some("efter lunch"), None));
}

#[test]
fn quotes_and_people_have_a_short_and_a_long_spelling() {
    let release = right(
        "bylines = [\"Karin Ek (X), reporter\", { name = \"Bo Al\", titles = [\"a\", \"b\"] }]\n[[quotes]]\ntext = \"Ja.\\n\\nNej.\"\nspeaker = \"Karin Ek, ordförande\"\nattribution = \"middle\"",
    );
    assert_eq!(release.bylines[0].party.as_deref(), Some("X"));
    assert_eq!(release.quotes[0].paragraphs, ["Ja.", "Nej."]);
    assert_eq!(release.quotes[0].attribution, AttributionPlace::Middle);
}

#[test]
fn nothing_hidden_gets_into_a_line() {
    check("kicker = \"a\\r\\nBcc: b@example.org\"", &["control character U+000D"]);
    check("tags = [\"a\\nb\"]", &["contains a line break"]);
    check("lead = \"a\\u0000b\"", &["U+0000"]);
    check("[[links]]\ntitle = \"x\"\nurl = \"javascript:alert(1)\"", &["this link does not work in a mail"]);
}

#[test]
fn names_are_checked_and_a_wrong_one_gets_the_nearest() {
    let book = parse_book(
        "[[organisations]]\nid = \"forbundet\"\nname = \"Förbundet\"\n[[contacts]]\nid = \"karin-ek\"\nname = \"Karin Ek\"\nphone = \"070-174 06 05\"\n[[boilerplates]]\norganisation = \"forbundet\"\nlanguage = \"sv\"\ntext = \"ett\"\n[[boilerplates]]\norganisation = \"forbundet\"\nlanguage = \"sv\"\ntext = \"två\"",
        &SourceSettings::default(),
    );
    let book = book.unwrap().into_book();
    let draft = |front: &str| parse(&format!("+++\n{HEAD}{front}\n+++\n"), &SourceSettings::default()).draft.unwrap();
    let good =
        draft("issuers = [{ organisation = \"forbundet\" }]\ncontacts = [\"karin-ek\"]\nboilerplate = \"forbundet\"");
    let release = good.resolve(&book).unwrap();
    assert_eq!(release.issuers[0].name, "Förbundet");
    assert_eq!(release.contacts[0].contact.phones[0].e164.as_deref(), Some("+46701740605"));
    assert_eq!((release.boilerplates[0].revision, release.boilerplates[0].text.as_str()), (2, "två"));
    assert_eq!(good.resolve(&good.snapshot(&book)).unwrap(), release);
    let bad = draft("contacts = [\"karin-e\"]\nboilerplate = \"forbudnet\"").resolve(&book).unwrap_err();
    assert_eq!(bad.len(), 2);
    assert!(bad[0].fix.contains("karin-ek") && bad[0].line == Some(5), "{bad:?}");
    assert!(bad[1].fix.contains("forbundet") && bad[1].line == Some(6), "{bad:?}");
}

#[test]
fn all_errors_of_a_contact_book_are_reported() {
    let said =
        parse_book("[[contacts]]\nid = \"Å\"\nname = \"x\"\n[[organisation]]\nid = \"a\"", &SourceSettings::default());
    let said = said.unwrap_err();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].fix.contains("organisations"));
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text in ".{0,400}") {
        findings(&text);
        findings(&format!("+++\n{text}\n+++\n{text}"));
    }

    #[test]
    fn hostile_fields_never_panic(key in "(kind|event|event\\.start|facts|contacts|programme|links|quotes|boilerplate|zone|event\\.rsvp)",
                                  value in "(\"[^\"\\\\]{0,20}\"|[0-9T:.+-]{1,25}|\\[[^\\]]{0,20}\\]|\\{[^}]{0,20}\\}|9999-12-31T23:59:59-23:59|0000-01-01)") {
        findings(&format!("+++\n{key} = {value}\n+++\n"));
        findings(&format!("+++\n[event]\nstart = {value}\nend = {value}\n[[facts]]\n{key} = {value}\n+++\n"));
    }

    #[test]
    fn a_cut_file_never_panics(cut in 0usize..5000) {
        let text = include_str!("../../../docs/samples/inbjudan-riksmote.md");
        let mut cut = cut.min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        findings(&text[..cut]);
        findings(&text[cut..]);
    }
}
