//! The control socket: its permissions and owner, and its responses to invalid requests.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use depesch::api::client::{Client, ClientError};
use depesch::api::server::{Server, ServerError, SocketSettings};
use depesch::api::status::Status;

use crate::support::api;

fn settings(path: std::path::PathBuf) -> SocketSettings {
    SocketSettings { path, ..Default::default() }
}

#[tokio::test]
async fn only_owner_and_group_may_open_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/control.sock");
    let _server = Server::bind(&settings(path.clone())).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(path.parent().unwrap()), 0o750);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    let _server = Server::bind(&settings(path.clone())).await.unwrap();
    assert!(matches!(Server::bind(&settings(path.clone())).await, Err(ServerError::Taken(_))));
    let file = directory.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    assert!(matches!(Server::bind(&settings(file.clone())).await, Err(ServerError::NoSocket(_))));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

#[tokio::test]
async fn it_reports_the_daemons_health() {
    let daemon = api::start().await;
    let status: Status = daemon.client.get("/v1/status").await.unwrap();
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(status.started, daemon.clock.now());
}

#[tokio::test]
async fn errors_have_one_form() {
    let daemon = api::start().await;
    let refusal = |error: ClientError| match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.code),
        other => panic!("{other}"),
    };
    let unknown = daemon.client.get::<()>("/v1/nothing").await.unwrap_err();
    assert_eq!(refusal(unknown), (404, "not-found".to_owned()));
    let wrong_method = daemon.client.post::<_, ()>("/v1/status", &()).await.unwrap_err();
    assert_eq!(refusal(wrong_method), (405, "method-not-allowed".to_owned()));
}

#[tokio::test]
async fn no_daemon_is_told_apart_from_a_refusal() {
    let error = Client::new("/nonexistent/control.sock").get::<()>("/v1/status").await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}
