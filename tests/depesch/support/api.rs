//! A control API on its own socket, with a store in memory and a fixed clock.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use depesch::api::ApiState;
use depesch::api::client::Client;
use depesch::api::server::{Server, SocketSettings};
use depesch::base::clock::FakeClock;
use depesch::base::token::Key;
use depesch::composition::content::{Content, ContentHandle};
use depesch::composition::message::{MessageSource, NoMessages};
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;

/// A running control API; ends with the runtime of its test.
pub struct TestApi {
    /// Its client.
    pub client: Client,
    /// Its state.
    pub control: Arc<ApiState>,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    /// Its state directory, which also contains the socket.
    pub directory: tempfile::TempDir,
}

impl TestApi {
    /// What the real program prints for this command line; it may end with 0 or, to report trouble, with 1. The test needs
    /// a runtime with several threads.
    pub fn prints(&self, command: &str) -> String {
        let socket = self.directory.path().join("control.sock");
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_depesch"));
        let done = program.arg("--socket").arg(&socket).args(command.split(' ')).output().unwrap();
        let trouble = String::from_utf8_lossy(&done.stderr);
        assert!(matches!(done.status.code(), Some(0 | 1)), "{command}: {trouble}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Compares what these commands print with the approved text of that name, in `snapshots` of
    /// the test's room.
    pub fn approved(&self, room: &str, name: &str, commands: &[&str]) {
        let shown = |command: &&str| format!("$ depesch {command}\n{}", self.prints(command));
        let text = commands.iter().map(shown).collect::<Vec<_>>().join("\n");
        // Some files have the line ends and the mark that spreadsheets want: they must be seen.
        let text = text.replace('\r', "\u{240d}").replace('\u{feff}', "[BOM]");
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path(format!("../{room}/snapshots"));
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Starts one at 2026-11-21 09:00 UTC.
pub async fn start() -> TestApi {
    start_on(Store::new(Arc::new(MemoryEngine::new()))).await
}

/// Starts one with this store.
pub async fn start_on(store: Store) -> TestApi {
    start_with(store, Arc::new(NoMessages)).await
}

/// Starts one with this store and message source.
pub async fn start_with(store: Store, messages: Arc<dyn MessageSource>) -> TestApi {
    start_changed(store, |control| ApiState { messages, ..control }).await
}

/// Starts one with this store, after changing its state.
pub async fn start_changed(store: Store, change: impl FnOnce(ApiState) -> ApiState) -> TestApi {
    let directory = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap());
    let state = directory.path().to_owned();
    let content = Arc::new(ContentHandle::new(Content::built_in().unwrap()));
    let control = ApiState::new(store, Arc::new(clock.clone()), Key::new([7; 32]), state, content);
    let control = Arc::new(change(control));
    let path = directory.path().join("control.sock");
    let server = Server::bind(&SocketSettings { path: path.clone(), ..Default::default() }).await.unwrap();
    tokio::spawn(server.run(control.clone(), std::future::pending()));
    TestApi { client: Client::new(path), control, clock, directory }
}
