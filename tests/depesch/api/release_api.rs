//! Releases over the control API: files first, then the release; an invalid release is refused as a whole.

use std::collections::BTreeMap;

use depesch::api::blob::BlobView;
use depesch::api::client::ClientError;
use depesch::api::contact::{AddBoilerplate, BoilerplateView, BookImported, ContactView, ImportBook, OrganisationView};
use depesch::api::path::ApiPath;
use depesch::api::release::{CheckResult, ReleaseAdded, ReleaseFile, ReleaseListed, ReleaseView};
use depesch::base::token::{content_hash, to_hex};
use hyper::Method;

use crate::support::api::{self, TestApi};

const INVITATION: &str = include_str!("../../../docs/samples/inbjudan-riksmote.md");
const BOOK: &str = include_str!("../../../docs/samples/contacts.toml");
const PROGRAMME: &[u8] = include_bytes!("../../../docs/samples/riksmote-program.pdf");

async fn import(daemon: &TestApi) -> BookImported {
    daemon.client.post("/v1/contacts/import", &ImportBook { toml: BOOK.into() }).await.unwrap()
}

async fn upload(daemon: &TestApi, sha256: &str, bytes: &'static [u8]) -> Result<BlobView, ClientError> {
    let path = ApiPath::new("/v1/blobs").segment(sha256);
    daemon.client.upload(Method::PUT, path, "application/octet-stream", bytes).await?.json().await
}

fn invitation() -> ReleaseFile {
    let view = BlobView { sha256: to_hex(&content_hash(PROGRAMME)), size: PROGRAMME.len() as u64 };
    ReleaseFile {
        source: INVITATION.into(),
        files: BTreeMap::from([("riksmote-program.pdf".into(), view)]),
        send_at: None,
    }
}

fn refusal(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.message),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_release_is_added_with_its_files_and_shown() {
    let daemon = api::start().await;
    assert_eq!(import(&daemon).await.added, 7);
    let sha256 = to_hex(&content_hash(PROGRAMME));
    assert_eq!(upload(&daemon, &sha256, PROGRAMME).await.unwrap().size, PROGRAMME.len() as u64);
    let checked: CheckResult = daemon.client.post("/v1/releases/check", &invitation()).await.unwrap();
    assert!(checked.good && checked.findings.is_empty(), "{checked:?}");
    let added: ReleaseAdded = daemon.client.post("/v1/releases", &invitation()).await.unwrap();
    assert_eq!(added.id, "r1");
    let again: ReleaseAdded = daemon.client.post("/v1/releases", &invitation()).await.unwrap();
    assert_eq!((again.id.as_str(), again.known), ("r1", true), "the same release again is not another one");
    let shown: ReleaseView = daemon.client.get("/v1/releases/r1").await.unwrap();
    assert_eq!(shown.source, INVITATION);
    assert_eq!(shown.attached["riksmote-program.pdf"].sha256, sha256);
    assert_eq!(shown.contacts, ["johan-berglund", "sara-holm"]);
    assert_eq!(shown.boilerplates, [("vardagskraft".to_owned(), 1)]);
    let all: Vec<ReleaseListed> = daemon.client.get("/v1/releases").await.unwrap();
    assert_eq!((all.len(), all[0].kind.as_str()), (1, "invitation"));
    let next: Vec<ReleaseListed> = daemon.client.get("/v1/releases?after=r1").await.unwrap();
    assert!(next.is_empty());
    assert_eq!(refusal(daemon.client.get::<ReleaseView>("/v1/releases/r2").await.unwrap_err()).0, 404);
}

#[tokio::test]
async fn a_release_with_errors_is_not_added() {
    let daemon = api::start().await;
    let (status, message) =
        refusal(daemon.client.post::<_, ReleaseAdded>("/v1/releases", &invitation()).await.unwrap_err());
    assert_eq!(status, 422);
    assert!(message.contains("no organisation") && message.contains("its content was not sent"), "{message}");
    assert!(daemon.client.get::<Vec<ReleaseListed>>("/v1/releases").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_is_not_as_announced_is_refused() {
    let daemon = api::start().await;
    let sha256 = to_hex(&content_hash(b"other"));
    assert_eq!(refusal(upload(&daemon, &sha256, PROGRAMME).await.unwrap_err()).0, 400);
    let place = ApiPath::new("/v1/blobs").segment(&sha256);
    assert_eq!(refusal(daemon.client.get::<BlobView>(place).await.unwrap_err()).0, 404);
    assert_eq!(refusal(upload(&daemon, "../x", PROGRAMME).await.unwrap_err()).0, 400);
}

#[tokio::test]
async fn the_contact_book_is_imported_as_a_whole_or_not_at_all() {
    let daemon = api::start().await;
    let wrong = ImportBook { toml: format!("{BOOK}\n[[contacts]]\nid = \"x\"\n") };
    let (status, message) =
        refusal(daemon.client.post::<_, BookImported>("/v1/contacts/import", &wrong).await.unwrap_err());
    assert_eq!(status, 422);
    assert!(message.contains("contacts[3].name"), "{message}");
    assert!(daemon.client.get::<Vec<ContactView>>("/v1/contacts").await.unwrap().is_empty());
    import(&daemon).await;
    assert_eq!(import(&daemon).await.unchanged, 7);
    let contact: ContactView = daemon.client.get("/v1/contacts/sara-holm").await.unwrap();
    assert_eq!(contact.phones[0].e164.as_deref(), Some("+46701740605"));
}

#[tokio::test]
async fn a_new_boilerplate_is_a_new_revision() {
    let daemon = api::start().await;
    import(&daemon).await;
    let text = AddBoilerplate { language: "sv".parse().unwrap(), text: "Nytt.\n".into() };
    let path = "/v1/organisations/vardagskraft/boilerplates";
    let added: BoilerplateView = daemon.client.post(path, &text).await.unwrap();
    assert_eq!((added.revision, added.text.as_str()), (2, "Nytt."));
    let organisation: OrganisationView = daemon.client.get("/v1/organisations/vardagskraft").await.unwrap();
    assert_eq!(organisation.boilerplates.len(), 2);
    let unknown = daemon.client.post::<_, BoilerplateView>("/v1/organisations/ingen/boilerplates", &text).await;
    assert_eq!(refusal(unknown.unwrap_err()).0, 404);
}

#[tokio::test]
async fn a_picture_that_cannot_be_shown_is_a_finding() {
    const PICTURE: &[u8] = include_bytes!("../../../docs/samples/station-square.png");
    let daemon = api::start().await;
    import(&daemon).await;
    for (bytes, good) in [(PICTURE, true), (&PICTURE[..900], false)] {
        let sha256 = to_hex(&content_hash(bytes));
        upload(&daemon, &sha256, bytes).await.unwrap();
        let source = INVITATION.replace("\n+++\n", "\n+++\n![Ett torg](torget.png)\n\n");
        let mut file = ReleaseFile { source, ..invitation() };
        file.files.insert("torget.png".into(), BlobView { sha256, size: bytes.len() as u64 });
        upload(&daemon, &to_hex(&content_hash(PROGRAMME)), PROGRAMME).await.unwrap();
        let checked: CheckResult = daemon.client.post("/v1/releases/check", &file).await.unwrap();
        assert_eq!(checked.good, good, "{checked:?}");
        assert_eq!(checked.findings.iter().any(|finding| finding.rule == "picture"), !good, "{checked:?}");
    }
}
