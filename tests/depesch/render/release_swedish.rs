//! Release files with Swedish names of fields: they are read as those with English names, and their authors get Swedish
//! messages that name fields as they wrote them.

use std::collections::BTreeMap;

use depesch::composition::content::{CheckAgainst, Content};
use depesch::model::contact::ContactBook;
use depesch::model::release::Release;
use depesch::render::finding::{Finding, Severity};

fn check(text: &str) -> (Option<Release>, Vec<Finding>) {
    let (book, files) = (ContactBook::default(), BTreeMap::new());
    let now = "2027-01-20T08:00:00Z".parse().unwrap();
    let checked = Content::built_in()
        .unwrap()
        .check(text, &CheckAgainst { book: &book, files: &files, pictures: &Default::default(), now, send_at: None });
    (checked.release, checked.findings)
}

fn said(text: &str) -> Vec<String> {
    check(text).1.iter().map(Finding::to_string).collect()
}

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    let said = said(text);
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said}\n  does not say\n{expected}");
    }
}

const SWEDISH: &str = r#"+++
typ = "inbjudan"
språk = "sv"
rubrik = "Riksmöte i Örebro"
ingress = "Media hälsas välkomna."
avsändare = [{ namn = "Exempelförbundet", roll = "tillsammans med" }, "Föreningen"]
om_oss = { namn = "Exempelförbundet", text = "Ett exempel." }
publicerad = 2027-01-20

[evenemang]
börjar = 2027-03-11T09:30:00
slut = 2027-03-11T16:00:00
lokal = "Folkets hus"
ort = "Örebro"
status = "inställt"
uid = "a@example.org"

[evenemang.anmälan]
till = "press@example.org"
senast = 2027-03-09

[[program]]
tid = "9.30–10.00"
titel = "Inledning"
personer = [{ namn = "Karin Ek", tillhörighet = "Föreningen" }]

[[program.punkter]]
form = "föredrag"
titel = "Läget"

[[citat]]
text = "Ja."
talare = "Karin Ek"
anföring = "före"

[[kontakter]]
namn = "Karin Ek"
telefon = "070-174 06 12"
e-post = "karin@example.org"

[rubriker]
program = "Ur programmet:"

[[relationer]]
typ = "uppdatering-av"
till = "r12"
+++
Text.

[[citat 1]]
"#;

const ENGLISH: &str = r#"+++
kind = "invitation"
language = "sv"
headline = "Riksmöte i Örebro"
lead = "Media hälsas välkomna."
issuers = [{ name = "Exempelförbundet", role = "tillsammans med" }, "Föreningen"]
boilerplate = { name = "Exempelförbundet", text = "Ett exempel." }
published = 2027-01-20

[event]
start = 2027-03-11T09:30:00
end = 2027-03-11T16:00:00
venue = "Folkets hus"
city = "Örebro"
status = "cancelled"
uid = "a@example.org"

[event.rsvp]
to = "press@example.org"
deadline = 2027-03-09

[[programme]]
time = "9.30–10.00"
title = "Inledning"
people = [{ name = "Karin Ek", affiliation = "Föreningen" }]

[[programme.items]]
form = "talk"
title = "Läget"

[[quotes]]
text = "Ja."
speaker = "Karin Ek"
attribution = "before"

[[contacts]]
name = "Karin Ek"
phone = "070-174 06 12"
email = "karin@example.org"

[headings]
programme = "Ur programmet:"

[[relations]]
kind = "update-of"
to = "r12"
+++
Text.

[[quotes 1]]
"#;

#[test]
fn both_languages_give_the_same_release() {
    let ((swedish, said), (english, _)) = (check(SWEDISH), check(ENGLISH));
    let errors: Vec<_> = said.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let (swedish, mut english) = (swedish.unwrap(), english.unwrap());
    english.body = swedish.body.clone();
    assert_eq!(swedish, english);
    let plain = SWEDISH.replace("språk", "sprak").replace("anmälan", "anmalan");
    assert_eq!(check(&plain).0.unwrap(), swedish);
}

const HEAD: &str = "+++\ntyp = \"pressmeddelande\"\nspråk = \"sv\"\nrubrik = \"Nytt\"\ningress = \"Ingress.\"\navsändare = \"F\"\nom_oss = { namn = \"F\", text = \"Text.\" }\n";
const CONTACT: &str = "[[kontakter]]\nnamn = \"Karin Ek\"\ntelefon = \"070-174 06 12\"\n";

fn front(front: &str) -> String {
    format!("{HEAD}{front}\n{CONTACT}+++\nText.\n")
}

#[test]
fn a_good_swedish_release_has_no_findings() {
    says(&front(""), &[]);
    says(&front("").replace("pressmeddelande", "Pressmeddelande"), &[]);
}

#[test]
fn an_unknown_field_gets_the_likely_one_in_the_authors_language() {
    says(&front("vinjet = \"x\""), &["line 8: error: vinjet: det finns inget fält ”vinjet” här; menade du ”vinjett”?"]);
    says(&front("kikcer = \"x\""), &["menade du ”vinjett”?"]);
    says(
        &front("[evenemang]\nstart = 2027-03-11\nort = \"Örebro\"\nlokall = \"x\""),
        &["line 11: error: evenemang.lokall: det finns inget fält ”lokall” här; menade du ”lokal”?"],
    );
    says(&front("[evenemang]\nstart = 2027-03-11\nort = \"Örebro\"\nkategori = \"x\""), &["skriv det högre upp"]);
    says(
        &front("").replace("pressmeddelande", "presmeddelande"),
        &["typ: typen ”presmeddelande” finns inte; menade du ”pressmeddelande”?"],
    );
}

#[test]
fn findings_name_fields_as_they_are_written() {
    says(
        &front("[evenemang]\nstart = \"snart\"\nstatus = \"inställlt\"\n[evenemang.anmälan]\ntill = \"ingen\""),
        &[
            "line 9: error: evenemang.start: här ska stå ett datum",
            "line 10: error: evenemang.status: ”inställlt” är inget av orden som gäller här; skriv något av: planerat, flyttat, inställt",
            "line 12: error: evenemang.anmälan.till: ”ingen” är ingen e-postadress",
        ],
    );
    says(
        &front("[[fakta]]\nledtext = \"Tid\"\nvisas = \"onsdag 11 mars 2027\""),
        &["fakta[0].visas: 2027-03-11 är en torsdag, men det står ”onsdag”"],
    );
    says(
        &front("").replace("ingress = \"Ingress.\"\n", ""),
        &["ingress: typen pressmeddelande kräver ingress; skriv ingress = …"],
    );
    says(&front("[[länkar]]\ntitel = \"x\""), &["länkar[0].länk: fältet saknas; skriv länk = "]);
    says(&front("headline = \"Också\""), &["”rubrik” och ”headline” är samma fält"]);
    says(
        &front("").replace("\nText.\n", "\n[[progam]]\n"),
        &["brödtext: det finns ingen del ”progam” att placera; menade du [[program]]?"],
    );
}

#[test]
fn wrong_quotation_marks_are_shown_with_the_line_to_write_and_all_else_is_still_checked() {
    says(
        &front("vinjett = ”Nytt”\nämnesrad = \"Hon sa \"ja\" i dag\"\nkategori = Avtal\nkiker = \"x\""),
        &[
            "line 8: error: vinjett: texten står mellan böjda citattecken; skriv raka: vinjett = \"Nytt\"",
            "line 9: error: ämnesrad: ett rakt citattecken inne i texten avslutar den för tidigt; skriv böjda inne i texten: ämnesrad = \"Hon sa ”ja” i dag\"",
            "line 10: error: kategori: texten saknar citattecken; skriv kategori = \"Avtal\"",
            "line 11: error: kiker: det finns inget fält",
        ],
    );
    let english = ENGLISH.replace("headline = \"Riksmöte i Örebro\"", "headline = “Riksmöte i Örebro”");
    assert!(
        said(&english)[0].contains("line 4: error: headline: the text is between curly quotation marks"),
        "{:?}",
        said(&english)
    );
}

#[test]
fn ordinary_signs_are_ordinary() {
    says(
        &front("vinjett = \"A < B & C > D 🎉 sam\u{ad}hälle\"")
            .replace("\nText.\n", "\nA < B & C 🎉, sam\u{ad}hälle.\n"),
        &[],
    );
}

#[test]
fn a_month_a_season_and_a_year_are_times() {
    let fact = |start: &str, printed: &str| {
        front(&format!("[[fakta]]\nledtext = \"Tid\"\nvisas = \"{printed}\"\nstart = {start}"))
    };
    for start in ["2017", "2017-05", "\"2017-05\"", "\"våren 2017\""] {
        says(&fact(start, "våren 2017"), &[]);
    }
    says(&fact("2017-05", "3 juni 2017"), &["det står 2017-06-03, men kalendern får 2017-05-01"]);
    says(&fact("\"snart\"", "snart"), &["här ska stå ett datum, en månad, en årstid eller ett år, inte en text"]);
}

#[test]
fn without_a_date_a_weekday_is_judged_by_the_years_that_the_text_names() {
    let body = |text: &str| front("").replace("\nText.\n", &format!("\n{text}\n"));
    // 1 March 2017 was a Wednesday; in 2027 it is a Monday.
    says(&body("Under 2017 möttes vi onsdag 1 mars."), &[]);
    says(&body("Vi möts onsdag 1 mars."), &["2027-03-01 är en måndag"]);
    says(&front("publicerad = 2017-02-20").replace("\nText.\n", "\nVi möts onsdag 1 mars.\n"), &[]);
}
