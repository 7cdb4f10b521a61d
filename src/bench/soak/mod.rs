//! Everything at once, on the real program: mailings, incoming mail, imports, unsubscribes, backups, relay storms,
//! clock jumps, kills and stops. Each actor records in the books what was acknowledged to it; at the end the daemon's
//! records are compared with that.
//!
//! `books`: what was acknowledged; `daemon`: the program as a child process; `relay`: the relay and its storms;
//! `mailings` and `embargo`, `mail_in` and `readers` (with `lmtp`), `people`, `backups`, `test_clock`, `killer` (with
//! `index_damage`): the actors; `watcher`: memory and descriptors; `log_lines`: expected log lines; `verdict`: the
//! checks.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::api::client::{Client, ClientError};
use crate::api::path::ApiPath;
use crate::app;
use crate::base::clock::{Clock, Stopwatch};

mod backups;
mod books;
mod checks;
mod daemon;
mod dice;
mod embargo;
mod index_damage;
mod killer;
mod lmtp;
mod log_lines;
mod mail_in;
mod mailings;
mod people;
mod readers;
mod relay;
mod test_clock;
mod verdict;
mod watcher;

use books::Books;
use daemon::Daemon;
use dice::Dice;
use relay::StormyRelay;
use test_clock::TestClock;

pub(crate) use checks::Check;

/// The list with all people.
const LIST: &str = "soak";
/// Number of peers that send mail at the same time.
const PEERS: u64 = 4;
/// Delay before a request that was not acknowledged is repeated.
const AGAIN: Duration = Duration::from_millis(100);
/// Maximum number of messages that wait for their readers; others are skipped.
const SAMPLE: usize = 64;
/// Once the storms are over, something must end within this time, until nothing is under way any more.
const DRAIN: Duration = Duration::from_secs(180);

/// Parameters of the run.
#[derive(Clone, Debug)]
pub(crate) struct SoakBench {
    /// Duration in seconds, without the drain at the end.
    pub seconds: u64,
    /// The seed of all random decisions; the course of events also depends on timing.
    pub seed: u64,
    /// Where everything is created and kept; `None`: in a temporary directory.
    pub directory: Option<PathBuf>,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SoakResult {
    /// The seed.
    pub seed: u64,
    /// What was done, as text.
    pub done: Vec<(&'static str, String)>,
    /// The checks.
    pub checks: Vec<Check>,
}

impl SoakResult {
    /// Whether all checks pass.
    pub(crate) fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.good)
    }
}

/// Runs it.
///
/// # Errors
/// What could not be set up, or a daemon that did not start or end. Faults in its work are part of the
/// result.
pub(crate) async fn run(bench: &SoakBench) -> anyhow::Result<SoakResult> {
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let directory = bench.directory.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&directory).context("the directory cannot be made")?;
    let (clock, books) = (app::system_clock(), Arc::new(Books::default()));
    let dice = |actor: &str| Dice::new(bench.seed, actor);
    let (tap, taken) = mpsc::channel(SAMPLE);
    let mut relay = StormyRelay::start(directory.join("relay.log"), books.clone(), clock.clone(), dice("relay"), tap)?;
    let moved = TestClock::new(&directory, bench.seed);
    let daemon = Daemon::new(&directory, relay.port(), Some(moved.file().to_owned()))?;
    daemon.start().await?;
    let release = prepare(&daemon.client).await?;
    let observations = Mutex::new(Vec::new());
    {
        let client = &daemon.client;
        let peer = |number| mail_in::peer(number, daemon.port, &books, dice(&format!("peer {number}")));
        let actors = async {
            tokio::join!(
                mailings::press_office(client, &release, &books, dice("press office")),
                embargo::planner(client, &clock, &release, &books, dice("planner")),
                backups::keeper(&daemon, &books, dice("backups")),
                people::importer(client, &books, dice("importer")),
                people::leavers(client, clock.as_ref(), &books, dice("leavers")),
                readers::readers(&daemon, clock.as_ref(), &books, taken, dice("readers")),
                futures_util::future::join_all((0..PEERS).map(peer)),
                watcher::watch(&daemon, &observations),
            )
        };
        let mut weather = dice("weather");
        tokio::select! {
            _ = actors => {}
            ended = ends(bench, &daemon, &moved, &books, dice("killer")) => ended?,
            lost = moved.run(bench.seconds, &books, dice("clock")) => lost?,
            lost = relay.storms_on(&mut weather) => lost?,
            () = tokio::time::sleep(Duration::from_secs(bench.seconds)) => {}
        }
    }
    relay.calm()?;
    moved.set_right(&books)?;
    drain(&daemon.client, clock.as_ref(), &books).await;
    let observations = observations.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (done, checks) = verdict::verdict(&daemon, &books, &relay, &observations, &directory).await?;
    Ok(SoakResult { seed: bench.seed, done, checks })
}

/// Kills and stops for the first part of the time. In the rest the daemon is left alone, so that growth is visible.
async fn ends(
    bench: &SoakBench,
    daemon: &Daemon,
    clock: &TestClock,
    books: &Books,
    mut dice: Dice,
) -> anyhow::Result<()> {
    let (watch, part) = (Stopwatch::start(), Duration::from_secs(bench.seconds) * 3 / 5);
    loop {
        let pause = dice.pause(1500, (1500 + bench.seconds * 80).min(15_000));
        if Duration::from_nanos(watch.nanoseconds()) + pause > part {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(pause).await;
        killer::one_end(daemon, clock, books, &mut dice).await?;
    }
}

/// Creates the list, its people and the release to send; returns the release.
async fn prepare(client: &Client) -> anyhow::Result<String> {
    let list = json!({
        "title": "Soak", "address": format!("{LIST}@lists.example.org"), "kind": "announce", "joining": "closed",
        "owner": "owner@example.org", "language": "en",
    });
    let path = ApiPath::new("/v1/lists").segment(LIST);
    client.send::<_, Value>(hyper::Method::PUT, path, &list).await.context("the list cannot be made")?;
    let people: Vec<String> = (0..people::PEOPLE).map(people::address).collect();
    people::import(client, &people).await.context("the people cannot be imported")?;
    let release = json!({ "source": super::material::release_text() });
    let added: Value = client.post("/v1/releases", &release).await.context("the release cannot be added")?;
    Ok(added["id"].as_str().context("the release has no name")?.to_owned())
}

/// Records an error that no actor expects: missing acknowledgements and conflicts are expected.
fn expected(books: &Books, what: &str, error: &ClientError) {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken(_) => {}
        ClientError::Refused(refusal) if matches!(refusal.status, 409 | 503) => {}
        other => books.fault(format!("{what}: {other}")),
    }
}

/// Repeats until it is acknowledged. A conflict counts as such: it was done before, and the answer lost.
async fn until_done<F>(books: &Books, what: &str, ask: impl Fn() -> F) -> Value
where
    F: Future<Output = Result<Value, ClientError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(ClientError::Refused(refusal)) if refusal.status == 409 => return Value::Null,
            Err(error) => expected(books, what, &error),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits until no mailing, notice or message is under way any more.
async fn drain(client: &Client, clock: &dyn Clock, books: &Books) {
    let (mut end, mut last) = (clock.now() + DRAIN, None);
    loop {
        let left = still_under_way(client, books).await;
        match left {
            Ok(None) => return,
            Ok(Some((figures, _))) if last != Some(figures) => (end, last) = (clock.now() + DRAIN, Some(figures)),
            Ok(Some((_, what))) if clock.now() > end => {
                return books.fault(format!("nothing ended for {} s, and there is still {what}", DRAIN.as_secs()));
            }
            Err(error) if clock.now() > end => return books.fault(format!("it does not answer: {error}")),
            _ => {}
        }
        tokio::time::sleep(AGAIN * 5).await;
    }
}

/// The amount left (deliveries, messages, notices) and its text; `None`: nothing.
async fn still_under_way(client: &Client, books: &Books) -> Result<Option<([u64; 3], String)>, ClientError> {
    let mailings = mailings::under_way(client).await?;
    for id in &mailings {
        mailings::until_resumed(client, id, books).await;
    }
    let status: Value = client.get("/v1/status").await?;
    let waiting: Value = client.get(ApiPath::new("/v1/inbound").query("state", "waiting")).await?;
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let messages = waiting["messages"].as_array().map_or(0, Vec::len);
    let notices = number(&status["notices"]["waiting"]);
    let queue = &status["queue"];
    let deliveries = ["waiting", "deferred", "in_doubt"].iter().map(|state| number(&queue[state])).sum();
    let nothing = mailings.is_empty() && messages == 0 && notices == 0;
    let words = || format!("mailings {mailings:?}, {messages} messages in, {notices} notices; {status}");
    Ok((!nothing).then(|| ([deliveries, messages as u64, notices], words())))
}
