//! Compares the daemon's records with the books.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::Value;

use crate::api::client::{Client, ClientError};
use crate::api::inbound::InboundPage;
use crate::api::mailing::report::DeliveriesEnd;
use crate::api::mailing::view::{Counts, DeliveryView, MailingView};
use crate::api::path::ApiPath;

use super::books::{Books, Entries};
use super::checks::{Check, people, sum, taken};
use super::daemon::{CONNECTIONS, Daemon};
use super::relay::StormyRelay;
use super::watcher::{Observation, bytes_below, medians};
use super::{backups, log_lines};

const MEGABYTE: u64 = 1_000_000;

/// Additional descriptors that are not a leak: connections come and go.
const DESCRIPTORS_MORE: u64 = 24;
/// Additional memory that is not a leak: an index grows with the records, and heaps with past work.
const RSS_MORE: u64 = 32 * MEGABYTE;
/// Bytes per record in the index, averaged: sled needs four to six times a record's own, here 20 to 60.
const INDEX_PER_RECORD: u64 = 300;
/// Maximum journal: two checkpoints are kept, each written after 128 MiB of journal, and segments are dropped as a
/// whole.
const JOURNAL_MOST: u64 = 340 * MEGABYTE;

/// What was done, and the checks. Ends the daemon.
///
/// # Errors
/// The daemon cannot be queried.
pub(crate) async fn verdict(
    daemon: &Daemon,
    books: &Books,
    relay: &StormyRelay,
    observations: &[Observation],
    directory: &Path,
) -> anyhow::Result<(Vec<(&'static str, String)>, Vec<Check>)> {
    let client = &daemon.client;
    let mut entries = std::mem::take(&mut *books.open());
    let taken = taken(&relay.taken()?);
    let done = done(&entries, relay, taken.values().sum());
    let mut checks = vec![busy(&entries, relay)];
    let (of_ledgers, counts) = ledgers(client, &entries, &taken).await?;
    checks.extend(of_ledgers);
    checks.push(mail_in(client, &entries).await?);
    checks.push(people(client, &entries).await?);
    checks.extend(flat(observations));
    checks.push(Check::new("nothing forbidden happened", String::new(), std::mem::take(&mut entries.faults)));
    let code = daemon.end_by(Signal::TERM).await?;
    let check = daemon.command(&["--json", "store", "check"]).output().context("the store cannot be checked")?;
    let mut wrong = Vec::new();
    wrong.extend((code != Some(0)).then(|| format!("it ended with {code:?}")));
    wrong.extend((!check.status.success()).then(|| backups::said("the store is not whole", &check)));
    checks.push(Check::new("it stops in order, and the store is whole", String::new(), wrong));
    checks.push(sizes(daemon, &serde_json::from_slice(&check.stdout).context("what was checked is not told")?));
    checks.push(backups::restored(daemon, directory, relay, &entries, &counts).await?);
    let log = daemon.log();
    let figures = format!("{} warnings and errors that are expected", log_lines::expected(&log));
    checks.push(Check::new("no unexpected log lines", figures, log_lines::unexpected(&log)));
    Ok((done, checks))
}

/// What was done, as text.
fn done(entries: &Entries, relay: &StormyRelay, taken: u64) -> Vec<(&'static str, String)> {
    let Entries { kills, stops, damages, clock_jumps, .. } = entries;
    let widest = clock_jumps.iter().map(|by| by.abs()).max().unwrap_or(0) / 86_400;
    vec![
        ("relay", format!("{} storms; {taken} messages taken", relay.storms())),
        ("daemon", format!("killed {kills} times, stopped {stops} times, index damaged {} times", damages.len())),
        ("clock", format!("{} jumps in both directions, by up to {widest} days", clock_jumps.len())),
        (
            "mailings",
            format!(
                "{} queued, {} cancelled, {} watched until their time",
                entries.mailings.len(),
                entries.cancelled.len(),
                entries.embargoes
            ),
        ),
        (
            "mail in",
            format!(
                "{} messages, {} bounces and {} unsubscribes acknowledged",
                entries.mails.len(),
                entries.bounced.len(),
                entries.left_by_mail.len()
            ),
        ),
        (
            "people",
            format!(
                "{} in imports, {} left, {} suppressed",
                entries.imported.len(),
                entries.left.len(),
                entries.suppressed.len()
            ),
        ),
        ("backups", format!("{} made, the newest read {} times", entries.backups, entries.verified)),
    ]
}

/// Checks that enough happened for the run to be meaningful.
fn busy(entries: &Entries, relay: &StormyRelay) -> Check {
    let enough = [
        ("kills", entries.kills, 1),
        ("clock jumps", entries.clock_jumps.len() as u64, 5),
        ("backups", entries.backups, 1),
        ("storms", relay.storms(), 3),
        ("mailings", entries.mailings.len() as u64, 3),
        ("messages in", entries.mails.len() as u64, 50),
        ("imported", entries.imported.len() as u64, 50),
        ("left", entries.left.len() as u64, 5),
        ("left by mail", entries.left_by_mail.len() as u64, 3),
        ("bounces", entries.bounced.len() as u64, 3),
    ];
    let few = enough.iter().filter(|(_, count, least)| count < least);
    let wrong = few.map(|(what, count, least)| format!("{what}: {count}, at least {least} expected")).collect();
    Check::new("there was enough to do", String::new(), wrong)
}

/// The sums over all ledgers.
#[derive(Default)]
struct Sums {
    deliveries: u64,
    resent: u64,
    doubled: u64,
    adds_up: Vec<String>,
    told: Vec<String>,
    unwanted: Vec<String>,
    given_up: Vec<String>,
    counts: BTreeMap<String, Counts>,
}

async fn ledgers(
    client: &Client,
    entries: &Entries,
    taken: &BTreeMap<(String, String), u64>,
) -> anyhow::Result<(Vec<Check>, BTreeMap<String, Counts>)> {
    let places: BTreeMap<&str, usize> = entries.mailings.iter().map(|(id, place)| (id.as_str(), *place)).collect();
    let (mut sums, mut known) = (Sums::default(), BTreeSet::new());
    // A number that was assigned but never committed, because of a kill, is missing. One that was committed but never
    // acknowledged may come after the last known one.
    let named = places.keys().copied().chain(taken.keys().map(|(id, _)| id.as_str()));
    let highest = named.filter_map(|id| id.strip_prefix('m')?.parse::<usize>().ok()).max().unwrap_or(0);
    for number in 1..=highest.saturating_add(entries.asked) {
        let id = format!("m{number}");
        match client.get::<MailingView>(ApiPath::new("/v1/mailings").segment(&id)).await {
            Ok(mailing) => {
                ledger(client, &mailing, places.get(id.as_str()).copied(), entries, taken, &mut sums).await?;
                known.insert(id);
            }
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut lost: Vec<String> = places
        .keys()
        .filter(|id| !known.contains(**id))
        .map(|id| format!("{id} was acknowledged and is lost"))
        .collect();
    lost.extend(
        (places.len() < entries.mailings.len()).then(|| "a mailing was acknowledged under two keys".to_owned()),
    );
    lost.extend(
        (known.len() > entries.asked).then(|| format!("{} mailings, asked for {}", known.len(), entries.asked)),
    );
    let strangers = taken.keys().filter(|(id, _)| !known.contains(id));
    sums.told.extend(strangers.map(|(id, address)| format!("{address} got {id}, which is not there")));
    let bound = entries.kills * CONNECTIONS + entries.doubts;
    if sums.resent > bound {
        sums.told.push(format!("{} sent again, at most {bound} expected", sums.resent));
    }
    let figures =
        format!("{} sent again after a doubt, at most {bound} expected; {} got twice", sums.resent, sums.doubled);
    let checks = vec![
        Check::new("every mailing acknowledged is there, once", format!("{} mailings", known.len()), lost),
        Check::new("the ledgers add up", format!("{} deliveries", sums.deliveries), sums.adds_up),
        Check::new("the relay's record matches the ledgers", figures, sums.told),
        Check::new("no one got a mailing queued after leaving", String::new(), sums.unwanted),
        Check::new("no delivery failed but by a refusal for good", String::new(), sums.given_up),
    ];
    Ok((checks, sums.counts))
}

async fn ledger(
    client: &Client,
    mailing: &MailingView,
    place: Option<usize>,
    entries: &Entries,
    taken: &BTreeMap<(String, String), u64>,
    sums: &mut Sums,
) -> anyhow::Result<()> {
    let id = &mailing.id;
    if !matches!(mailing.stage.as_str(), "finished" | "cancelled") {
        sums.adds_up.push(format!("{id} is {}", mailing.stage));
    }
    if entries.cancelled.contains(id) && mailing.stage != "cancelled" {
        sums.adds_up.push(format!("{id} was cancelled, and is {}", mailing.stage));
    }
    // Cancelled before it had an audience.
    let Some(counts) = &mailing.counts else { return Ok(()) };
    sums.counts.insert(id.clone(), *counts);
    if sum(counts) != counts.audience || counts.waiting + counts.in_doubt + counts.deferred > 0 {
        sums.adds_up.push(format!("{id}: {counts:?}"));
    }
    let path = ApiPath::new("/v1/mailings").segment(id).segment("deliveries").query("addresses", true);
    let mut deliveries = Vec::new();
    let answer = client.download(path).await?;
    let end: DeliveriesEnd = answer.follow(|delivery: DeliveryView| deliveries.push(delivery)).await?;
    if end.deliveries != counts.audience {
        sums.adds_up.push(format!("{id}: {} deliveries in an audience of {}", end.deliveries, counts.audience));
    }
    sums.deliveries += end.deliveries;
    let mut sent = 0;
    for delivery in &deliveries {
        let address = &delivery.address;
        let copies = taken.get(&(id.clone(), address.clone())).copied().unwrap_or(0);
        let resent = u64::from(delivery.resent);
        // The run is far too short for giving up: only a clock jump could make it seem long enough.
        if delivery.state == "failed" && delivery.code.is_none_or(|code| code < 500) {
            sums.given_up.push(format!("{id}: {delivery:?}"));
        }
        let once = u64::from(matches!(delivery.state.as_str(), "accepted" | "uncertain"));
        if delivery.state == "accepted" && copies == 0 {
            sums.told.push(format!("{address} counts as accepted in {id}, and the relay never got it"));
        }
        if copies > once + resent {
            sums.told.push(format!("{address} got {copies} of {id}: {delivery:?}"));
        }
        let left = entries.left.get(address).or_else(|| entries.suppressed.get(address));
        if copies > 0 && left.zip(place).is_some_and(|(left, place)| place >= left.mailings) {
            sums.unwanted.push(format!("{address} got {id}: {delivery:?}"));
        }
        sent += u64::from(copies > 0);
        sums.resent += resent;
        sums.doubled += copies.saturating_sub(1);
    }
    let by_relay = taken.keys().filter(|(mailing, _)| mailing == id).count() as u64;
    if by_relay != sent {
        sums.told.push(format!("{by_relay} people got {id}, of whom {sent} are in its ledger"));
    }
    Ok(())
}

async fn mail_in(client: &Client, entries: &Entries) -> anyhow::Result<Check> {
    let (mut there, mut before, mut wrong, mut all) = (BTreeSet::new(), None, Vec::new(), 0_u64);
    loop {
        let path = ApiPath::new("/v1/inbound")
            .query("limit", 1000)
            .query("addresses", true)
            .query_some("before", before.as_ref());
        let page: InboundPage = client.get(path).await?;
        for message in page.messages {
            all += 1;
            if message.state != "handled" {
                wrong.push(format!("{} is {}: {}", message.id, message.state, message.note));
            }
            there.insert(message.sender);
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let lost = entries.mails.iter().filter(|sender| !there.contains(*sender));
    wrong.extend(lost.map(|sender| format!("250 was said of the message from {sender}, which is lost")));
    // A message whose 250 did not arrive may be stored all the same.
    let figures = format!("{} acknowledged, {all} there, all handled", entries.mails.len());
    Ok(Check::new("every message acknowledged is there and handled", figures, wrong))
}

fn flat(observations: &[Observation]) -> Vec<Check> {
    let most = |figure: fn(&Observation) -> u64| observations.iter().map(figure).max().unwrap_or(0);
    let rss = medians(observations, |observe| observe.rss);
    let descriptors = medians(observations, |observe| observe.descriptors);
    let judge = |what, medians: Option<(u64, u64)>, peak: u64, unit: u64, bound: fn(u64) -> u64| match medians {
        Some((early, late)) => {
            let figures =
                format!("second quarter {}, last quarter {}, most {}", early / unit, late / unit, peak / unit);
            let grown = (late > bound(early)).then(|| format!("more than {} is growth", bound(early) / unit));
            Check::new(what, figures, grown.into_iter().collect())
        }
        None => Check::new(what, String::new(), vec!["the last process lived too short to tell".to_owned()]),
    };
    vec![
        judge("memory is flat (MB)", rss, most(|observe| observe.rss), MEGABYTE, |early| early + early / 4 + RSS_MORE),
        judge("descriptors are flat", descriptors, most(|observe| observe.descriptors), 1, |early| {
            early + DESCRIPTORS_MORE
        }),
    ]
}

/// `checked`: what `store check` prints of the store, which is closed.
fn sizes(daemon: &Daemon, checked: &Value) -> Check {
    let below = |part: &str| bytes_below(&daemon.state().join(part));
    let (journal, index) = (below("store/journal"), below("store/index"));
    let in_checkpoint = checked["checkpoints"].as_array().and_then(|all| all.last()?["records"].as_u64()).unwrap_or(0);
    let figures = format!(
        "journal {} MB, index {} MB, checkpoints {} MB (the newest of {in_checkpoint} records), spool {} MB",
        journal / MEGABYTE,
        index / MEGABYTE,
        below("store/checkpoints") / MEGABYTE,
        below("spool") / MEGABYTE
    );
    let mut wrong = Vec::new();
    wrong.extend((journal > JOURNAL_MOST).then(|| format!("a journal over {} MB", JOURNAL_MOST / MEGABYTE)));
    // The records of the checkpoint, and what the journal brought since.
    let most = in_checkpoint * INDEX_PER_RECORD + 2 * journal + 64 * MEGABYTE;
    wrong.extend((index > most).then(|| format!("an index over {} MB", most / MEGABYTE)));
    Check::new("the store is bounded", figures, wrong)
}
