//! One batch of rows: read the known records, decide, commit; again if something changed meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use crate::base::id::{ListName, SubscriberId};
use crate::base::token;
use crate::model::subscriber::Subscriber;
use crate::store::engine::{Batch, Commit, MAX_BATCH};
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError, subscribers, suppressions};

use super::plan::{FieldChange, Plan, Terms, differences, plan};
use super::reading::{Piece, cells};
use super::records::Format;
use super::row::Row;
use super::{ImportError, ImportSummary, Reject};

/// Subscriber numbers allocated at once.
const NUMBERS: u64 = 5000;

/// The outcome of one piece of the file.
pub(crate) struct Outcome {
    /// The file's format, if it is newly known.
    pub format: Option<Format>,
    /// Notes about how the file was read.
    pub notes: Vec<String>,
    /// Changes that a dry run would make to known subscribers, in line order.
    pub changes: Vec<FieldChange>,
    /// The headings, with the first piece.
    pub headings: Option<Vec<String>>,
    /// The counts.
    pub summary: ImportSummary,
    /// Rows that were not imported completely, in line order.
    pub rejects: Vec<Reject>,
    /// Bytes of the file up to here.
    pub bytes: u64,
}

/// Decides and commits batches, several at once.
pub(crate) struct Importer {
    store: Store,
    key: token::Key,
    terms: Terms,
    dry_run: bool,
    /// Whether the store had no subscribers when the import began: then addresses are not looked up, until the first
    /// conflict shows that this has changed.
    starts_empty: AtomicBool,
    numbers: Mutex<std::ops::Range<u64>>,
}

/// The outcome of one batch.
#[derive(Default)]
struct Attempt {
    summary: ImportSummary,
    rejects: Vec<Reject>,
    changes: Vec<FieldChange>,
}

/// Why a batch must be decided again.
enum Again {
    /// A record it depends on was changed.
    Changed,
    /// It is too large for one commit: its rows are split into two.
    Divided,
}

/// The rows are too large for one commit.
struct TooLarge;

impl Importer {
    pub(crate) async fn new(store: Store, key: token::Key, terms: Terms, dry_run: bool) -> Result<Self, StoreError> {
        let starts_empty = AtomicBool::new(store.has_no_subscribers().await?);
        Ok(Self { store, key, terms, dry_run, starts_empty, numbers: Mutex::new(0..0) })
    }

    /// Imports one piece; returns only when it is durable.
    pub(crate) async fn apply(&self, piece: Piece) -> Result<Outcome, ImportError> {
        // Numbers given to new rows are kept for the next attempt.
        let mut numbers = HashMap::new();
        let (mut all, mut waiting) = (Attempt::default(), vec![piece.rows.as_slice()]);
        while let Some(rows) = waiting.pop() {
            match self.attempt_until_it_holds(rows, &mut numbers).await? {
                Ok(Attempt { summary, rejects, changes }) => {
                    all.summary.add(summary);
                    all.rejects.extend(rejects);
                    all.changes.extend(changes);
                }
                Err(TooLarge) => {
                    let (first, second) = rows.split_at(rows.len() / 2);
                    waiting.extend([second, first]);
                }
            }
        }
        let Attempt { mut summary, rejects: refused, changes } = all;
        summary.rows += (piece.rows.len() as u64) + piece.invalid + piece.duplicates + piece.left_out;
        summary.left_out += piece.left_out;
        summary.invalid += piece.invalid;
        summary.duplicates += piece.duplicates;
        let mut rejects = piece.rejects;
        rejects.extend(refused);
        rejects.sort_by_key(|reject| reject.line);
        let Piece { format, headings, notes, bytes, .. } = piece;
        Ok(Outcome { format, headings, notes, summary, changes, rejects, bytes })
    }

    /// Tries rows until none of the records they depend on changes meanwhile.
    async fn attempt_until_it_holds(
        &self,
        rows: &[Row],
        numbers: &mut HashMap<u64, u64>,
    ) -> Result<Result<Attempt, TooLarge>, ImportError> {
        for _ in 0..CONFLICT_TRIES {
            match self.attempt(rows, numbers).await? {
                Ok(done) => return Ok(Ok(done)),
                Err(Again::Divided) => return Ok(Err(TooLarge)),
                Err(Again::Changed) => self.starts_empty.store(false, Ordering::Relaxed),
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    async fn attempt(
        &self,
        rows: &[Row],
        numbers: &mut HashMap<u64, u64>,
    ) -> Result<Result<Attempt, Again>, ImportError> {
        let edition = self.store.suppressions_edition().await?;
        let starts_empty = self.starts_empty.load(Ordering::Relaxed);
        let Attempt { mut summary, mut rejects, mut changes } = Attempt::default();
        let mut batch = Batch::new();
        suppressions::expect_edition(&mut batch, edition.clone());
        for row in rows {
            if edition.is_some()
                && let Some(found) = self.store.suppression(&self.key.hash_address(&row.address)).await?
            {
                summary.suppressed += 1;
                let reason = format!("the address must not be mailed (suppressed: {})", found.value.reason.word());
                rejects.push(reject(row, reason));
                continue;
            }
            let known = match starts_empty {
                true => None,
                false => self.store.subscriber_by_address(&row.address).await?,
            };
            let plan = plan(known.as_ref().map(|known| &known.value), row, &self.terms);
            if let Some(Err(too_large)) = plan.write.as_ref().map(subscribers::admit) {
                summary.invalid += 1;
                rejects.push(reject(row, too_large.to_string()));
                continue;
            }
            count(&plan, &mut summary);
            if !plan.ended.is_empty() {
                let lists: Vec<&str> = plan.ended.iter().map(ListName::as_str).collect();
                let lists = lists.join(", ");
                rejects.push(reject(row, format!("once left {lists}; only the subscriber can start that again")));
            }
            if self.dry_run
                && let (Some(known), Some(written)) = (&known, &plan.write)
            {
                changes.extend(differences(row.record.line, &known.value, written));
            }
            match plan.write {
                Some(subscriber) if !self.dry_run => {
                    self.write(&mut batch, known.as_ref(), subscriber, row, numbers).await?;
                    if batch.written_bytes() > MAX_BATCH / 2 && rows.len() > 1 {
                        return Ok(Err(Again::Divided));
                    }
                }
                _ => {}
            }
        }
        if batch.writes.is_empty() {
            return Ok(Ok(Attempt { summary, rejects, changes }));
        }
        match self.store.commit(batch).await? {
            Commit::Applied => Ok(Ok(Attempt { summary, rejects, changes })),
            Commit::Conflict(_) => Ok(Err(Again::Changed)),
        }
    }

    async fn write(
        &self,
        batch: &mut Batch,
        known: Option<&Read<Subscriber>>,
        mut subscriber: Subscriber,
        row: &Row,
        numbers: &mut HashMap<u64, u64>,
    ) -> Result<(), StoreError> {
        if let Some(known) = known {
            subscribers::put_changed(batch, known, &subscriber);
            return Ok(());
        }
        subscriber.id = SubscriberId(match numbers.get(&row.record.line) {
            Some(number) => *number,
            None => {
                let number = self.number().await?;
                numbers.insert(row.record.line, number);
                number
            }
        });
        subscribers::put_new(batch, &subscriber);
        Ok(())
    }

    async fn number(&self) -> Result<u64, StoreError> {
        let mut numbers = self.numbers.lock().await;
        if numbers.is_empty() {
            let first = self.store.allocate(subscribers::COUNTER, NUMBERS).await?;
            *numbers = first..first + NUMBERS;
        }
        Ok(numbers.next().unwrap_or_default())
    }
}

fn reject(row: &Row, reason: String) -> Reject {
    Reject { line: row.record.line, reason, cells: cells(&row.record) }
}

fn count(plan: &Plan, summary: &mut ImportSummary) {
    match (plan.new, &plan.write) {
        (true, _) => summary.created += 1,
        (false, Some(_)) => summary.updated += 1,
        (false, None) => summary.unchanged += 1,
    }
    if !plan.new {
        plan.changed.iter().for_each(|field| *summary.fields.entry(field).or_default() += 1);
    }
    plan.subscribed.iter().for_each(|list| *summary.subscribed.entry(list.clone()).or_default() += 1);
    plan.ended.iter().for_each(|list| *summary.ended.entry(list.clone()).or_default() += 1);
}
