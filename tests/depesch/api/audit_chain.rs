//! The chain of the audit log: every changed, removed or moved entry is detected, in the store and in an export, by
//! Depesch and by a few lines of independent code.

use std::sync::Arc;

use chrono::Duration;
use depesch::api::audit::{AuditLine, AuditVerified};
use depesch::audit::{AuditLog, AuditNote, leave_note, take_notes};
use depesch::base::clock::FakeClock;
use depesch::base::token::Key;
use depesch::model::audit::{ChainBreak, ChainLink};
use depesch::store::Store;
use depesch::store::engine::{Batch, Engine};
use depesch::store::for_tests::keys;
use depesch::store::memory::MemoryEngine;
use sha2::{Digest, Sha256};

use crate::support::api;

struct Log {
    store: Store,
    engine: Arc<MemoryEngine>,
    clock: Arc<FakeClock>,
    log: AuditLog,
}

async fn log(entries: u64) -> Log {
    let engine = Arc::new(MemoryEngine::new());
    let store = Store::new(engine.clone());
    let clock = FakeClock::at("2026-11-22T08:00:00.123Z".parse().unwrap());
    let log = AuditLog::new(store.clone(), Arc::new(clock.clone()), Key::new([7; 32]));
    for number in 0..entries {
        log.append(&AuditNote::of_daemon("mailing pause", format!("m{number}"), "")).await.unwrap();
        clock.advance(Duration::hours(1));
    }
    Log { store, engine, clock, log }
}

impl Log {
    async fn verify(&self) -> Result<u64, ChainBreak> {
        self.log.verify(None).await.unwrap().chain.map(|whole| whole.entries)
    }

    async fn kept(&self, number: u64) -> Arc<[u8]> {
        self.engine.get(&keys::audit_entry(number)).await.unwrap().unwrap()
    }

    async fn put(&self, number: u64, bytes: &[u8]) {
        let mut batch = Batch::new();
        batch.put(keys::audit_entry(number), bytes);
        self.store.commit(batch).await.unwrap();
    }

    async fn remove(&self, number: u64) {
        let mut batch = Batch::new();
        batch.delete(keys::audit_entry(number));
        self.store.commit(batch).await.unwrap();
    }
}

#[tokio::test]
async fn each_flipped_byte_is_found() {
    let log = log(5).await;
    let whole = log.kept(3).await;
    for place in 0..whole.len() {
        let mut flipped = whole.to_vec();
        flipped[place] ^= 1;
        log.put(3, &flipped).await;
        // Some damage makes the entry unreadable; otherwise the chain does not match.
        if let Ok(verified) = log.log.verify(None).await {
            assert!(verified.chain.is_err(), "byte {place}");
        }
    }
    log.put(3, &whole).await;
    assert_eq!(log.verify().await, Ok(5));
}

#[tokio::test]
async fn what_is_taken_out_or_moved_is_found() {
    let log = log(5).await;
    let (two, three) = (log.kept(2).await, log.kept(3).await);
    log.remove(3).await;
    assert_eq!(log.verify().await, Err(ChainBreak::Missing { from: 3, to: 3 }));
    log.put(3, &two).await;
    log.put(2, &three).await;
    assert_eq!(log.verify().await, Err(ChainBreak::Changed { number: 2 }));
    log.put(2, &two).await;
    log.put(3, &three).await;
    log.remove(5).await;
    assert_eq!(log.verify().await, Err(ChainBreak::Truncated { last: 4, head: 5 }));
}

#[tokio::test]
async fn a_head_noted_elsewhere_finds_what_was_cut_off_with_its_head() {
    let before = log(5).await;
    let noted = before.store.audit_head().await.unwrap().link;
    let short = log(3).await;
    let verified = short.log.verify(Some(noted)).await.unwrap();
    assert_eq!(verified.chain, Err(ChainBreak::Truncated { last: 3, head: 5 }));
    let other = log(0).await;
    for _ in 0..9 {
        other.log.append(&AuditNote::of_daemon("mailing cancel", "m1", "")).await.unwrap();
    }
    let verified = other.log.verify(Some(noted)).await.unwrap();
    assert_eq!(verified.chain, Err(ChainBreak::Rewritten { number: 5 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_make_one_chain() {
    let log = log(0).await;
    let writers = (0..20).map(|writer| {
        let log = log.log.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                log.append(&AuditNote::of_daemon("mailing pause", format!("m{writer}"), "")).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(log.verify().await, Ok(200));
}

#[tokio::test]
async fn what_is_dropped_by_age_leaves_an_anchor() {
    let log = log(1200).await;
    let before = log.clock.now() - Duration::minutes(150);
    assert_eq!(log.log.drop_before(before.into()).await.unwrap(), 1198);
    let verified = log.log.verify(None).await.unwrap();
    // Two entries remain, and the one that records the deletion.
    assert_eq!((verified.anchor.number, verified.chain.unwrap().entries), (1198, 3));
    log.remove(1199).await;
    assert_eq!(log.verify().await, Err(ChainBreak::Missing { from: 1199, to: 1199 }));
    // The last entry is kept at any age.
    let all = self::log(3).await;
    assert_eq!(all.store.drop_audit_before(all.clock.now().into()).await.unwrap(), 2);
    assert_eq!(all.verify().await, Ok(1));
}

#[tokio::test]
async fn entries_made_while_the_daemon_was_stopped_are_added() {
    let (log, directory) = (log(1).await, tempfile::tempdir().unwrap());
    take_notes(&log.log, directory.path()).await.unwrap();
    let note = |what| leave_note(directory.path(), log.clock.now(), ("kim", Some(1000)), what, "2 records lost");
    note("store recover").unwrap();
    note("backup restore").unwrap();
    take_notes(&log.log, directory.path()).await.unwrap();
    take_notes(&log.log, directory.path()).await.unwrap();
    let kept = log.store.audit_entries(1, 10).await.unwrap();
    let said: Vec<_> = kept.iter().map(|kept| (kept.entry.who.as_str(), kept.entry.what.as_str())).collect();
    assert_eq!(said, [("kim", "store recover"), ("kim", "backup restore")]);
    assert!(kept[0].entry.detail.ends_with("; 2 records lost"), "{:?}", kept[0]);
}

/// The fields that docs/OPERATING.md says are hashed, in its order.
fn documented_fields() -> Vec<String> {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATING.md")).unwrap();
    let (_, rest) = docs.split_once("fields = [").expect("the example is gone from docs/OPERATING.md");
    let (fields, _) = rest.split_once(']').unwrap();
    fields.split(',').map(|field| field.trim().trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn an_outsider_can_verify_an_export() {
    let daemon = api::start().await;
    for number in 0..30 {
        let note = AuditNote::of_daemon("mailing pause", format!("m{number}"), "för sent");
        daemon.control.audit().append(&note).await.unwrap();
        daemon.clock.advance(Duration::milliseconds(1001));
    }
    let export = daemon.client.download("/v1/audit/export").await.unwrap().bytes().await.unwrap();
    let text = String::from_utf8(export).unwrap();
    let fields = documented_fields();
    let mut previous = "0".repeat(64);
    for line in text.lines() {
        // As in the documented example, without code of this crate.
        let entry: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        assert_eq!(entry["previous"], previous);
        let value = |field: &String| match &entry[field.as_str()] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let bytes: String = fields.iter().map(|field| value(field) + "\n").collect();
        let hash: String = Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(entry["hash"], hash, "{line}");
        previous = hash;
    }
    // The export adds an entry about itself.
    assert_eq!(text.lines().count(), 31);
    let verified: AuditVerified = daemon.client.get("/v1/audit/verify").await.unwrap();
    assert_eq!(verified.head, format!("31:{previous}"));
}

#[test]
fn an_export_is_verified_without_a_daemon() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lines: Vec<String> = runtime.block_on(async {
        let log = log(6).await;
        let kept = log.store.audit_entries(0, 10).await.unwrap();
        let previous = std::iter::once([0; 32]).chain(kept.iter().map(|kept| kept.hash));
        let lines = kept.iter().zip(previous).map(|(kept, previous)| AuditLine::new(&previous, kept));
        lines.map(|line| serde_json::to_string(&line).unwrap()).collect()
    });
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, lines: &[String], head: Option<&str>| -> (Option<i32>, String) {
        let file = directory.path().join(name);
        std::fs::write(&file, lines.join("\n")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_depesch"));
        command.args(["audit", "verify"]).arg(&file).args(head.iter().flat_map(|head| ["--head", head]));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
    };
    let whole = (Some(0), "the chain holds: 6 entries".to_owned());
    assert_eq!(check("whole", &lines, None), whole);
    assert_eq!(check("end", &lines[2..], None), (Some(0), "the chain holds: 4 entries".to_owned()));
    let mut changed = lines.clone();
    changed[3] = changed[3].replace("mailing pause", "mailing resume");
    let said = "the chain does not hold: entry 4 does not fit the chain: it, or the hash before it, was changed";
    assert_eq!(check("changed", &changed, None), (Some(1), said.to_owned()));
    let mut moved = lines.clone();
    moved.swap(2, 3);
    assert_eq!(check("moved", &moved, None).0, Some(1));
    let six = ChainLink { number: 6, hash: [1; 32] }.to_string();
    assert_eq!(check("head", &lines, Some(&six)).0, Some(1));
    assert_eq!(check("short", &lines[..5], Some(&six)).0, Some(1));
}
