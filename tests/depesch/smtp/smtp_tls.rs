//! STARTTLS (RFC 3207) over real sockets: certificates from files, reloaded while running; injected commands are
//! discarded.

use std::path::Path;
use std::sync::Arc;

use depesch::smtp::listener::Listener;
use depesch::smtp::settings::{ListenerSettings, TlsFiles};
use depesch::smtp::tls::TlsError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::listener::{Client, Running, on_loopback, start};

/// Writes a new certificate and key, and returns the certificate that a client must trust.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["mx.example.org".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn settings(folder: &Path) -> ListenerSettings {
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    ListenerSettings { tls: Some(files), ..on_loopback() }
}

async fn handshake(
    client: Client<TcpStream>,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.org").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, client.stream).await
}

/// A client that has sent STARTTLS, followed by this plaintext, and has read 220.
async fn started(running: &Running, injected: &str) -> Client<TcpStream> {
    let mut client = running.client().await;
    assert!(client.say("EHLO peer.example").await.contains("250-STARTTLS\r\n"));
    assert!(client.say(&format!("STARTTLS\r\n{injected}")).await.starts_with("220 2.0.0"));
    client
}

#[tokio::test]
async fn mail_goes_through_tls_and_nothing_injected_counts() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let running = start(settings(folder.path())).await;
    // RFC 3207 §4.2, §5.
    let client = started(&running, "EHLO evil.example\r\nMAIL FROM:<evil@b.example>\r\n").await;
    let mut client = Client::new(handshake(client, &trusted).await.unwrap());
    assert!(client.say("MAIL FROM:<a@b.example>").await.starts_with("503 5.5.1"), "hello before TLS does not count");
    assert!(client.message("secret").await.starts_with("250"));
    assert!(client.say("STARTTLS").await.starts_with("503"));
    let taken = running.ingest.taken.lock().unwrap();
    assert!(taken[0].arrival.encrypted);
    assert_eq!(taken[0].arrival.sender.as_deref(), Some("a@b.example"));
    assert!(String::from_utf8_lossy(&taken[0].bytes).contains(" with ESMTPS id "));
}

#[tokio::test]
async fn a_certificate_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let old = renew(folder.path());
    let running = start(settings(folder.path())).await;
    let tls = running.tls.clone().unwrap();
    // The new certificate with the old key; then no certificate; then no file.
    let key = std::fs::read(folder.path().join("key.pem")).unwrap();
    renew(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Pair { .. })));
    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    let error = tls.reload().unwrap_err();
    assert!(error.to_string().contains("cert.pem"), "{error}");
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(tls.reload().is_err());
    assert!(handshake(started(&running, "").await, &old).await.is_ok(), "the old one stays in force");
    let new = renew(folder.path());
    tls.reload().unwrap();
    assert!(handshake(started(&running, "").await, &new).await.is_ok());
    assert!(handshake(started(&running, "").await, &old).await.is_err());
}

#[tokio::test]
async fn a_listener_does_not_begin_with_a_broken_certificate() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Listener::bind(settings(folder.path()), Vec::new()).await.is_err());
}

/// RFC 3207 §4: garbage instead of a handshake ends this connection and no other.
#[tokio::test]
async fn a_failed_handshake_ends_only_its_connection() {
    let folder = tempfile::tempdir().unwrap();
    renew(folder.path());
    let running = start(settings(folder.path())).await;
    let mut client = started(&running, "").await;
    client.send(b"MAIL FROM:<evil@b.example>\r\n").await;
    let mut rest = Vec::new();
    // A TLS alert may come, a reply never.
    drop(tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut rest).await);
    assert!(!rest.starts_with(b"250"), "{rest:?}");
    assert!(running.client().await.say("NOOP").await.starts_with("250"));
}
