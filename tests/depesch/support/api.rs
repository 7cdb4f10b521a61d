//! A control API on its own socket, with a store in memory and a fixed clock.

use std::path::Path;
use std::sync::Arc;

use chrono::{TimeZone, Utc};
use depesch::api::client::Client;
use depesch::api::inbound::MailIn;
use depesch::api::notice::NoticesOut;
use depesch::api::server::{Server, SocketSettings};
use depesch::api::{ApiState, Services};
use depesch::base::clock::{Clock, FakeClock};
use depesch::base::token::Key;
use depesch::composition::message::{MessageSource, NoMessages};
use depesch::composition::notices::{NoticeSettings, Notices};
use depesch::inbound::destination::Directory;
use depesch::inbound::ingest::SpoolIngest;
use depesch::operations::backups::Backups;
use depesch::privacy::personal_data::Files;
use depesch::privacy::retention::rules::{Periods, Rules};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::backup::prune::Keep;
use depesch::store::blobs::Blobs;
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};

use super::commands::{content, posts};
use super::notices::World;
use super::office::Office;

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
    /// What the real program prints for this command line, in UTC; it may end with 0 or, to report trouble, with 1. The test needs
    /// a runtime with several threads.
    pub fn prints(&self, command: &str) -> String {
        self.prints_in(Some("UTC"), command)
    }

    /// The same with this value of `TZ`, or without `TZ`.
    pub fn prints_in(&self, tz: Option<&str>, command: &str) -> String {
        let socket = self.directory.path().join("control.sock");
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_depesch"));
        program.env_remove("TZ").envs(tz.map(|tz| ("TZ", tz)));
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
    let control = Arc::new(change(state(store, &clock, directory.path()).await));
    let path = directory.path().join("control.sock");
    let server = Server::bind(&SocketSettings { path: path.clone(), ..Default::default() }).await.unwrap();
    tokio::spawn(server.run(control.clone(), std::future::pending()));
    TestApi { client: Client::new(path), control, clock, directory }
}

/// All of a daemon that the API uses, over this store and with its files in `directory`. Nothing is sent: the dispatcher
/// and the notice worker have empty stores of their own.
async fn state(store: Store, clock: &Arc<FakeClock>, directory: &Path) -> ApiState {
    let key = Key::new([7; 32]);
    let clocks = || -> Arc<dyn Clock> { Arc::new(clock.clone()) };
    let spool_settings = SpoolSettings { reserve_bytes: 0, ..SpoolSettings::default() };
    let spool = Spool::open(directory, spool_settings, clocks()).unwrap();
    let blobs = Blobs::in_state_directory(directory);
    let notices = Notices::new(store.clone(), content(), key.clone(), clocks(), NoticeSettings::default());
    let book = Arc::new(Directory::new(store.clone(), key.clone()));
    let ingest = Arc::new(SpoolIngest::new(store.clone(), spool.clone(), Notifier::new(), book));
    let month = std::time::Duration::from_secs(30 * 86_400);
    let backups = Backups::new(
        store.clone(),
        (spool.clone(), directory.join("spool")),
        directory.join("blobs"),
        directory.join("backups"),
        Keep { all: month, daily: month },
        clocks(),
    );
    let services = Services {
        posts: posts(&store, &blobs, clock, &key, &notices),
        dispatcher: Arc::new(Office::new().dispatcher().await.unwrap()),
        mail_in: MailIn { ingest, spool: spool.clone(), notifier: Notifier::new(), listeners: None },
        files: Files { spool: spool.clone(), blobs: blobs.clone(), capture: None },
        rules: Rules {
            store: store.clone(),
            key: key.clone(),
            clock: clocks(),
            spool,
            blobs,
            capture: None,
            configured: Vec::new(),
            store_directory: directory.join("store"),
            periods: Periods::default(),
        },
        notices: NoticesOut { notices, notice_worker: Arc::new(World::new().notice_worker()) },
        backups: Arc::new(backups),
    };
    ApiState::new(store, clocks(), key, directory.to_owned(), content(), services)
}
