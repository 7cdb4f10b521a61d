//! TLS and login: encryption where required, with the intended relay, and passwords never sent in the clear.

use std::path::PathBuf;
use std::sync::Arc;

use depesch::base::secret::Secret;
use depesch::mock_smtp::script::{Action, Point, Rules};
use depesch::mock_smtp::{MockServer, MockSettings};
use depesch::transport::relay::{Encryption, Login, Relay, RelayError, RelaySettings};
use depesch::transport::{ConnectError, Outcome, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::relay::{envelope, message, settings};

/// A self-signed certificate for `names`: what a server needs, and the PEM file to trust.
struct Certificate {
    server: Arc<ServerConfig>,
    pem: PathBuf,
    _folder: tempfile::TempDir,
}

fn certificate(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("ca.pem");
    std::fs::write(&pem, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Certificate { server: Arc::new(server), pem, _folder: folder }
}

fn tls_server(certificate: &Certificate, implicit: bool) -> MockServer {
    let settings = MockSettings {
        tls: Some(certificate.server.clone()),
        implicit_tls: implicit,
        login: Some(("eva".to_owned(), "s3cret".to_owned())),
        ..MockSettings::default()
    };
    MockServer::start(settings).unwrap()
}

fn secure(mock: &MockServer, encryption: Encryption, certificate: &Certificate) -> RelaySettings {
    RelaySettings { encryption, ca_file: Some(certificate.pem.clone()), ..settings(mock) }
}

fn login(password: &str) -> Option<Login> {
    Some(Login { user: "eva".to_owned(), password: Secret::new(password) })
}

async fn try_sending(settings: RelaySettings) -> Result<Outcome, ConnectError> {
    let mut connection = Relay::new(settings).unwrap().connect().await?;
    let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
    let again = connection.send(&envelope("a@example.org"), &b"line\r\n.dot\r\n".repeat(20_000)).await;
    assert!(matches!(again, Outcome::Accepted(_)), "{again:?}");
    connection.close().await;
    Ok(outcome)
}

fn assert_accepted(result: Result<Outcome, ConnectError>) {
    assert!(matches!(result, Ok(Outcome::Accepted(_))), "{result:?}");
}

fn assert_security(result: Result<Outcome, ConnectError>, mock: &MockServer) {
    assert!(matches!(result, Err(ConnectError::Security(_))), "{result:?}");
    assert_eq!(mock.record().totals().accepted, 0);
}

#[tokio::test]
async fn starttls_and_implicit_tls_carry_mail_and_login() {
    let certificate = certificate(&["127.0.0.1"]);
    for encryption in [Encryption::StartTls, Encryption::Implicit] {
        let mock = tls_server(&certificate, encryption == Encryption::Implicit);
        let settings = RelaySettings { login: login("s3cret"), ..secure(&mock, encryption, &certificate) };
        assert_accepted(try_sending(settings).await);
        let got = &mock.record().messages()[0];
        assert!(got.encrypted);
        assert_eq!(got.login.as_deref(), Some("eva"));
        assert_eq!(mock.record().messages()[1].bytes, b"line\r\n.dot\r\n".repeat(20_000));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (theirs, others, misnamed) =
        (certificate(&["127.0.0.1"]), certificate(&["127.0.0.1"]), certificate(&["mail.example.org"]));
    for encryption in [Encryption::StartTls, Encryption::Implicit] {
        let mock = tls_server(&theirs, encryption == Encryption::Implicit);
        assert_security(try_sending(secure(&mock, encryption, &others)).await, &mock);
        let mock = tls_server(&misnamed, encryption == Encryption::Implicit);
        assert_security(try_sending(secure(&mock, encryption, &misnamed)).await, &mock);
    }
}

#[tokio::test]
async fn without_starttls_on_offer_nothing_is_sent_where_it_is_demanded() {
    let certificate = certificate(&["127.0.0.1"]);
    let mock = MockServer::start(MockSettings {
        login: Some(("eva".to_owned(), "s3cret".to_owned())),
        login_without_tls: true,
        ..MockSettings::default()
    })
    .unwrap();
    let settings = RelaySettings { login: login("s3cret"), ..secure(&mock, Encryption::StartTls, &certificate) };
    assert_security(try_sending(settings).await, &mock);
}

#[tokio::test]
async fn opportunistic_tls_accepts_any_certificate() {
    let certificate = certificate(&["mail.example.org"]);
    let mock = tls_server(&certificate, false);
    assert_accepted(try_sending(RelaySettings { encryption: Encryption::Opportunistic, ..settings(&mock) }).await);
    assert!(mock.record().messages()[0].encrypted);
    let plain = crate::support::relay::mock();
    assert_accepted(try_sending(RelaySettings { encryption: Encryption::Opportunistic, ..settings(&plain) }).await);
    assert!(!plain.record().messages()[0].encrypted);
}

#[tokio::test]
async fn a_password_goes_nowhere_without_checked_tls() {
    let mock = crate::support::relay::mock();
    for encryption in [Encryption::None, Encryption::Opportunistic] {
        let settings = RelaySettings { encryption, login: login("s3cret"), ..settings(&mock) };
        assert_eq!(Relay::new(settings).err(), Some(RelayError::LoginWithoutTls));
        let far = RelaySettings {
            encryption,
            host: "mail.example.org".to_owned(),
            login: login("s3cret"),
            login_on_loopback: true,
            ..RelaySettings::default()
        };
        assert_eq!(Relay::new(far).err(), Some(RelayError::LoginWithoutTls));
    }
}

#[tokio::test]
async fn both_mechanisms_work_and_loopback_may_be_excused() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let mock = MockServer::start(MockSettings {
            login: Some(("eva".to_owned(), "s3cret".to_owned())),
            login_without_tls: true,
            mechanisms: mechanism.to_owned(),
            ..MockSettings::default()
        })
        .unwrap();
        let excused =
            |password: &str| RelaySettings { login: login(password), login_on_loopback: true, ..settings(&mock) };
        assert_security(try_sending(excused("wrong")).await, &mock);
        assert_accepted(try_sending(excused("s3cret")).await);
        assert_eq!(mock.record().messages()[0].login.as_deref(), Some("eva"), "{mechanism}");
        mock.follow(Rules::new().at(Point::Auth, Action::Reply("454 4.7.0 later".to_owned())));
        let later = try_sending(excused("s3cret")).await;
        assert!(matches!(&later, Err(ConnectError::TurnedAway(reply)) if reply.code == 454), "{later:?}");
    }
}

#[tokio::test]
async fn a_login_that_is_not_offered_needs_a_person() {
    let certificate = certificate(&["127.0.0.1"]);
    let mock =
        MockServer::start(MockSettings { tls: Some(certificate.server.clone()), ..MockSettings::default() }).unwrap();
    let settings = RelaySettings { login: login("s3cret"), ..secure(&mock, Encryption::StartTls, &certificate) };
    assert_security(try_sending(settings).await, &mock);
}

#[tokio::test]
async fn a_refused_starttls_turns_away_and_nothing_goes_in_the_clear() {
    let certificate = certificate(&["127.0.0.1"]);
    for encryption in [Encryption::StartTls, Encryption::Opportunistic] {
        let mock = tls_server(&certificate, false);
        mock.follow(Rules::new().at(Point::StartTls, Action::Reply("454 4.7.0 not now".to_owned())));
        let result = try_sending(secure(&mock, encryption, &certificate)).await;
        assert!(matches!(&result, Err(ConnectError::TurnedAway(reply)) if reply.code == 454), "{result:?}");
        assert_eq!(mock.record().totals().accepted, 0);
    }
}

#[tokio::test]
async fn text_sent_before_the_handshake_is_ignored() {
    // CVE-2011-0411 and its kin: a reply injected behind the answer to STARTTLS would be read as if it came inside TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut space = [0; 4096];
        let hello = "250-evil\r\n250 STARTTLS\r\n";
        for line in ["220 evil\r\n", hello, hello, "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n"] {
            stream.write_all(line.as_bytes()).await.unwrap();
            let _count = stream.read(&mut space).await.unwrap();
        }
    });
    let certificate = certificate(&["127.0.0.1"]);
    let settings = RelaySettings { port, ..secure(&crate::support::relay::mock(), Encryption::StartTls, &certificate) };
    let error = Relay::new(settings).unwrap().connect().await.err();
    assert!(matches!(&error, Some(ConnectError::Security(text)) if text.contains("before the handshake")), "{error:?}");
    task.abort();
}

#[test]
fn a_useless_ca_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "no certificate in here\n").unwrap();
    for path in [missing, empty] {
        let settings =
            RelaySettings { encryption: Encryption::StartTls, ca_file: Some(path.clone()), ..RelaySettings::default() };
        match Relay::new(settings).err() {
            Some(RelayError::CaFile { path: named, .. }) => assert_eq!(named, path),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_password_does_not_show_itself() {
    let settings = RelaySettings { login: login("s3cret"), ..RelaySettings::default() };
    assert!(!format!("{settings:?}").contains("s3cret"));
}
