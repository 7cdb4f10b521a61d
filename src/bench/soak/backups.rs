//! Backs up the working daemon, through kills, index damage and clock jumps; and restores the newest backup.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use anyhow::Context;
use hyper::Method;
use rustix::process::Signal;
use serde_json::Value;

use crate::api::backup::{Copied, Made};
use crate::api::client::{Client, ClientError};
use crate::api::mailing::view::{Counts, MailingView};
use crate::api::path::ApiPath;

use super::books::{Books, Entries};
use super::checks::{Check, people, sum, taken};
use super::daemon::Daemon;
use super::dice::Dice;
use super::relay::StormyRelay;
use super::{expected, log_lines};

/// The program's exit code on success, and when it refuses, e.g. because a backup is being made.
const WELL: Option<i32> = Some(0);
const REFUSED: Option<i32> = Some(2);

/// Makes backups, and verifies some of them, until dropped.
pub(crate) async fn keeper(daemon: &Daemon, books: &Books, mut dice: Dice) {
    loop {
        tokio::time::sleep(dice.pause(1500, 15_000)).await;
        let before = Box::new(books.open().for_backup());
        match make(&daemon.client).await {
            Ok(made) => {
                for fault in &made.faults {
                    books.fault(format!("after backup {}: {fault}", made.backup.id));
                }
                let mut entries = books.open();
                entries.backups += 1;
                entries.backed_up = Some(before);
            }
            // It is aborted when the daemon stops, and refused while the nightly one is made.
            Err(ClientError::Refused(refusal)) if log_lines::is_expected_of_backup(&refusal.message) => {}
            Err(error) => expected(books, "making a backup", &error),
        }
        if dice.percent(40) && books.open().backups > 0 {
            match run(daemon, &["backup", "verify"]).await {
                Ok(output) if output.status.code() == REFUSED => {}
                Ok(output) if output.status.code() != WELL => books.fault(said("a backup is damaged", &output)),
                Ok(_) => books.open().verified += 1,
                Err(error) => books.fault(format!("a backup cannot be read: {error}")),
            }
        }
    }
}

async fn make(client: &Client) -> Result<Made, ClientError> {
    let path = ApiPath::new("/v1/backups");
    let answer = client.upload(Method::POST, path, "application/json", tokio::io::empty()).await?;
    answer.follow(|_: Copied| {}).await
}

async fn run(daemon: &Daemon, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = daemon.command(arguments);
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

pub(super) fn said(what: &str, output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).trim().to_owned());
    format!("{what}: {}: {out} {err}", output.status)
}

/// Verifies all backups of `daemon`, which has stopped, restores the newest into an empty directory, and compares a
/// daemon on that store with what had been acknowledged when the backup was requested. `after` are the counts of the
/// mailings at the end.
///
/// # Errors
/// The program cannot be run, or the daemon cannot be queried.
pub(crate) async fn restored(
    daemon: &Daemon,
    directory: &Path,
    relay: &StormyRelay,
    entries: &Entries,
    after: &BTreeMap<String, Counts>,
) -> anyhow::Result<Check> {
    let mut wrong = Vec::new();
    let verified = run(daemon, &["backup", "verify", "--all"]).await?;
    wrong.extend((verified.status.code() != WELL).then(|| said("not all backups are whole", &verified)));
    let place = directory.join("restored");
    let copy = Daemon::new(&place, relay.port(), None)?;
    let into = copy.state();
    let into = into.to_str().context("the directory's name is not UTF-8")?;
    let output = run(daemon, &["--json", "backup", "restore", "--into", into]).await?;
    if output.status.code() != WELL {
        wrong.push(said("the newest backup is not restored whole", &output));
        return Ok(Check::new(WHAT, String::new(), wrong));
    }
    let backup: Value = serde_json::from_slice(&output.stdout).context("what was restored is not told")?;
    let before = taken(&relay.taken()?);
    copy.start().await?;
    let nothing = Entries::default();
    let backed_up = entries.backed_up.as_deref().unwrap_or(&nothing);
    let there = people(&copy.client, backed_up).await?;
    wrong.extend(there.wrong());
    wrong.extend(ledgers(&copy.client, backed_up, after).await?);
    let code = copy.end_by(Signal::TERM).await?;
    wrong.extend((code != WELL).then(|| format!("the daemon of the restored store ended with {code:?}")));
    wrong.extend((taken(&relay.taken()?) != before).then(|| "mailings went out of the restored store".to_owned()));
    wrong.extend(log_lines::unexpected(&copy.log()));
    let checked = run(&copy, &["store", "check"]).await?;
    wrong.extend((checked.status.code() != WELL).then(|| said("the restored store is not whole", &checked)));
    let figures = format!(
        "{} of {} records; {}, {} mailings",
        backup["backup"].as_str().unwrap_or_default(),
        backup["records"],
        there.figures(),
        backed_up.mailings.len()
    );
    Ok(Check::new(WHAT, figures, wrong))
}

const WHAT: &str = "all backups are whole, and the newest holds what was acknowledged before it";

/// Checks that every ledger of the restored store adds up, and reports no delivery that did not happen in the end.
async fn ledgers(
    client: &Client,
    backed_up: &Entries,
    after: &BTreeMap<String, Counts>,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (id, _) in &backed_up.mailings {
        let shown: Result<MailingView, _> = client.get(ApiPath::new("/v1/mailings").segment(id)).await;
        let counts = match shown {
            Ok(mailing) => mailing.counts,
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => {
                wrong.push(format!("{id} was acknowledged before the backup, and is not in it"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some((counts, after)) = counts.as_ref().zip(after.get(id)) else { continue };
        if sum(counts) != counts.audience || counts.audience != after.audience || counts.accepted > after.accepted {
            wrong.push(format!("{id} was {counts:?} in the backup, and is {after:?}"));
        }
    }
    Ok(wrong)
}
