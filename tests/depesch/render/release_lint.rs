//! The checks of a release before it is sent: each rule finds its mistake, and the samples have no findings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use depesch::base::language::Language;
use depesch::model::contact::ContactBook;
use depesch::model::release::Blob;
use depesch::model::release::attachment::AttachmentBudget;
use depesch::render::finding::{Finding, Severity};
use depesch::render::lint::{FileState, LintContext, lint};
use depesch::render::manifest::Manifest;
use depesch::render::markdown::Reading;
use depesch::render::picture::{PictureFault, ScaledPictures};
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, book::parse_book, parse};

const MANIFEST: &str = "name = \"press-release\"\ntitle = { sv = \"x\" }\nrequired = [\"lead\", \"boilerplate\"]\none_of = [[\"event.rsvp\", \"media_welcome\"]]\n";
const HEAD: &str = "kind = \"press-release\"\nlanguage = \"sv\"\nmedia_welcome = \"Välkomna.\"\nissuers = [\"F\"]\nboilerplate = { name = \"F\", text = \"x\" }\n";
const HEADLINE: &str = "headline = \"Nytt avtal\"\n";
const LEAD: &str = "lead = \"Ingress.\"\n";
const CONTACT: &str = "[[contacts]]\nname = \"A\"\nphone = \"070-174 06 05\"\n";

struct Case {
    text: String,
    book: ContactBook,
    files: BTreeMap<String, FileState>,
    pictures: ScaledPictures,
    require_alt_text: bool,
    send_at: Option<DateTime<Utc>>,
}

impl Case {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            book: ContactBook::default(),
            files: BTreeMap::new(),
            pictures: BTreeMap::new(),
            require_alt_text: false,
            send_at: None,
        }
    }

    /// A good release with `front` added after the fields of the first level.
    fn front(front: &str) -> Self {
        Self::text(format!("+++\n{HEAD}{HEADLINE}{LEAD}{CONTACT}{front}\n+++\n"))
    }

    fn body(body: &str) -> Self {
        Self::text(format!("+++\n{HEAD}{HEADLINE}{LEAD}{CONTACT}+++\n{body}\n"))
    }

    fn file(mut self, name: &str, state: FileState) -> Self {
        self.files.insert(name.into(), state);
        self
    }

    fn findings(&self) -> Vec<Finding> {
        let parsed = parse(&self.text, &SourceSettings::default());
        assert_eq!(parsed.findings, []);
        let draft = parsed.draft.unwrap();
        let (release, _) = draft.resolve_leniently(&self.book);
        let manifest = Manifest::parse("template.toml", MANIFEST).unwrap();
        let context = LintContext {
            now: "2027-01-20T08:00:00Z".parse().unwrap(),
            send_at: self.send_at,
            manifest: (release.kind.as_str() == "press-release").then_some(&manifest),
            reading: &reading(),
            kinds: vec!["press-release".to_owned(), "invitation".to_owned()],
            book: &self.book,
            files: &self.files,
            pictures: &self.pictures,
            budget: AttachmentBudget { total: 1_000_000 },
            require_alt_text: self.require_alt_text,
        };
        lint(&draft, &release, &context)
    }

    #[track_caller]
    fn check(&self, rules: &[&str]) -> Vec<Finding> {
        let found = self.findings();
        assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), rules, "{found:#?}");
        found
    }
}

fn reading() -> Reading {
    Templates::load(None).unwrap().labels(&Language::swedish()).unwrap().reading.clone()
}

fn found(size: u64) -> FileState {
    FileState::Found(Blob { sha256: [1; 32], size })
}

#[test]
fn a_good_release_has_no_findings() {
    Case::front("").check(&[]);
}

#[test]
fn what_the_kind_requires_must_be_there() {
    let head = HEAD.replace("media_welcome = \"Välkomna.\"\n", "").replace("issuers = [\"F\"]\n", "");
    let said = Case::text(format!("+++\n{head}{HEADLINE}{CONTACT}+++\n")).check(&["required", "required", "required"]);
    let text: Vec<String> = said.iter().map(Finding::to_string).collect();
    assert!(said.iter().all(|f| f.severity == Severity::Error));
    assert!(text.iter().any(|t| t.contains("needs one of event.rsvp, media_welcome")), "{text:?}");
    let said = Case::text(format!("+++\n{}{HEADLINE}{LEAD}{CONTACT}+++\n", HEAD.replace("press-release", "invitaton")));
    assert!(said.check(&["kind"])[0].fix.contains("invitation"));
}

#[test]
fn long_and_loud_headlines_are_shown() {
    let headline = |text: &str| Case::text(format!("+++\n{HEAD}headline = \"{text}\"\n{LEAD}{CONTACT}+++\n"));
    headline(&"å".repeat(61)).check(&["headline-length"]);
    headline(&"å".repeat(60)).check(&[]);
    headline("PRESSMEDDELANDE: nytt avtal").check(&["shouting"]);
}

#[test]
fn a_weekday_must_match_its_date() {
    let said =
        Case::front("[[facts]]\nlabel = \"Tid\"\nprinted = \"onsdag 11 mars 2027, kl. 9.30\"").check(&["weekday"]);
    assert!(said[0].message.contains("is a Thursday") && said[0].line == Some(14), "{said:?}");
    let said = Case::body("\n\nEtt.\n\nCome on Friday, March 11, 2027.").check(&["weekday"]);
    assert!(said[0].message.contains("is a Thursday") && said[0].line == Some(17), "{said:?}");
    Case::front("[[programme]]\ntitle = \"Fredagen den 11 mars\"").check(&["weekday"]);
    Case::body("Torsdagen den 11 mars och Thursday 11 March 2027.").check(&[]);
}

#[test]
fn a_printed_date_must_match_the_calendar() {
    let fact = |printed: &str| {
        Case::front(&format!("[[facts]]\nlabel = \"Tid\"\nprinted = \"{printed}\"\nstart = 2027-03-11T09:30:00"))
    };
    fact("fredag 12 mars 2027").check(&["printed-date"]);
    fact("torsdag 11 mars").check(&[]);
}

#[test]
fn images_need_alt_text() {
    Case::front("[[images]]\nurl = \"https://example.org/a.jpg\"").check(&["alt-text"]);
    assert_eq!(Case::body("a\n\n![](https://example.org/a.jpg)").check(&["alt-text"])[0].line, Some(15));
    Case::body("![En båt](https://example.org/a.jpg)").check(&[]);
}

#[test]
fn contacts_can_be_reached_and_are_not_mixed_up() {
    Case::text(format!("+++\n{HEAD}{HEADLINE}{LEAD}+++\n")).check(&["no-press-contact"]);
    Case::front("[[contacts]]\nname = \"B\"").check(&["unreachable-contact"]);
    let said = Case::front("[[contacts]]\nrole = \"subject\"\nname = \"B\"\nphone = \"+46 70 174 06 05\"")
        .check(&["same-phone"]);
    assert!(said[0].message.starts_with("A and B"));
    Case::front("[[contacts]]\nname = \"B\"\nphone = \"växeln\"").check(&["phone"]);
}

#[test]
fn an_old_boilerplate_is_shown() {
    let text = |text: &str| format!("[[boilerplates]]\norganisation = \"f\"\nlanguage = \"sv\"\ntext = \"{text}\"\n");
    let book = format!("[[organisations]]\nid = \"f\"\nname = \"F\"\n{}{}", text("ett"), text("två"));
    let book = parse_book(&book, &SourceSettings::default()).unwrap().into_book();
    let case = |boilerplate: &str| {
        let head = HEAD.replace("{ name = \"F\", text = \"x\" }", boilerplate);
        Case { book: book.clone(), ..Case::text(format!("+++\n{head}{HEADLINE}{LEAD}{CONTACT}+++\n")) }
    };
    case("{ organisation = \"f\", revision = 1 }").check(&["old-boilerplate"]);
    case("{ organisation = \"f\", revision = 2 }").check(&[]);
    case("\"f\"").check(&[]);
}

#[test]
fn files_are_there_and_safe() {
    let case = |name: &str| Case::front(&format!("[[attachments]]\nfile = '{name}'"));
    for name in ["../a.pdf", "/etc/passwd", "a\\b", "~/a"] {
        assert_eq!(case(name).check(&["file-name"])[0].severity, Severity::Error);
    }
    case("a.pdf").file("a.pdf", found(10)).check(&[]);
    case("a.pdf").file("a.pdf", found(0)).check(&["empty-file"]);
    case("a.pdf").file("a.pdf", FileState::Missing("no such file".into())).check(&["missing-file"]);
    case("a.pdf").file("a.pdf", FileState::Refused("it is a symbolic link".into())).check(&["file-name"]);
    case("a.exe").check(&["blocked-type"]);
    Case::front("[[attachments]]\nfile = 'a.pdf'\n[[attachments]]\nfile = 'b/A.pdf'").check(&["same-file"]);
    Case::front("[[presentations]]\ntitle = 'x'\nattachment = 'a.pfd'\n[[attachments]]\nfile = 'a.pdf'")
        .check(&["unknown-reference"]);
}

#[test]
fn what_does_not_fit_needs_a_link() {
    let case =
        |url: &str| Case::front(&format!("[[attachments]]\nfile = 'a.pdf'\n{url}")).file("a.pdf", found(1_000_001));
    assert!(case("").check(&["too-large"])[0].message.contains("1.1 MB"));
    case("url = 'https://example.org/a.pdf'").check(&[]);
}

#[test]
fn pictures_must_fit_too() {
    let case = Case::front("[[images]]\nfile = 'a.png'\nalt = 'a'").file("a.png", found(1_000_001));
    assert!(case.check(&["too-large"])[0].message.contains("pictures of 1.1 MB"));
}

#[test]
fn a_picture_that_cannot_be_shown_is_an_error_with_its_reason() {
    let mut case = Case::front("[[images]]\nfile = 'a.tif'\nalt = 'a'").file("a.tif", found(10));
    case.pictures.insert("a.tif".into(), Err(PictureFault::Format));
    let finding = case.check(&["picture"]).remove(0);
    assert_eq!((finding.severity, finding.key.as_deref()), (Severity::Error, Some("images[0].file")));
    assert!(finding.message.contains("a.tif") && finding.fix.contains("JPEG or PNG"), "{finding}");
    // An empty file is reported as such.
    case.file("a.tif", found(0)).check(&["empty-file"]);
}

#[test]
fn a_public_body_must_describe_its_images() {
    for (text, line) in [("![](a.jpg)", 13), ("![](https://example.org/a.jpg)", 13)] {
        let mut case = Case::body(text);
        assert_eq!(case.check(&["alt-text"])[0].severity, Severity::Warning, "{text}");
        case.require_alt_text = true;
        let finding = case.check(&["alt-text"]).remove(0);
        assert_eq!((finding.severity, finding.line), (Severity::Error, Some(line)), "{text}");
    }
}

#[test]
fn events_lie_ahead_and_in_order() {
    let event = |fields: &str| Case::front(&format!("[event]\n{fields}"));
    event("start = 2026-03-11T09:30:00").check(&["past-event"]);
    event("start = 2027-03-11T09:30:00\nend = 2027-03-11T09:00:00").check(&["time-order"]);
    event("start = 2027-03-11T09:30:00\nstatus = \"moved\"").check(&["moved"]);
    let rsvp = |deadline: &str| {
        event(&format!("start = 2027-03-11T09:30:00\n[event.rsvp]\nto = \"a@example.org\"\ndeadline = {deadline}"))
    };
    assert_eq!(rsvp("2027-03-11T10:00:00").check(&["rsvp-deadline"])[0].severity, Severity::Error);
    assert_eq!(rsvp("2027-01-19T10:00:00").check(&["rsvp-deadline"])[0].severity, Severity::Warning);
    rsvp("2027-03-11").check(&[]);
}

#[test]
fn a_programme_runs_forward() {
    let slots = |first: &str, second: &str| {
        Case::front(&format!(
            "[[programme]]\ntime = '{first}'\ntitle = 'a'\n[[programme]]\ntime = '{second}'\ntitle = 'b'"
        ))
    };
    slots("9.30–9.00", "10.00").check(&["time-order"]);
    slots("13.00", "9.30").check(&["programme-order"]);
    slots("9.30", "13.00").check(&[]);
}

#[test]
fn an_embargo_ends_when_it_should() {
    let mut case = Case::front("[embargo]\nuntil = 2027-02-01T06:00:00");
    case.check(&[]);
    case.send_at = Some("2027-02-01T05:00:00Z".parse().unwrap());
    case.check(&["embargo"]);
    case.send_at = Some("2027-02-01T04:59:59Z".parse().unwrap());
    assert!(case.check(&["embargo"])[0].message.contains("before its embargo ends"));
    Case::front("[embargo]\nuntil = 2027-01-01T06:00:00").check(&["embargo"]);
}

#[test]
fn html_in_the_text_is_shown() {
    Case::body("Ett <b>två</b>").check(&["html"]);
}
