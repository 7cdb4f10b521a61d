//! Import of subscribers from a CSV file, as a stream: bytes come in, checked rows are committed in batches of some
//! hundred rows, several batches at once, and progress and rejected rows are reported as events.
//!
//! - An import never revives an ended subscription (invariant 4). Each batch has preconditions: every subscriber it
//!   changes is as it was read, no other subscriber has the address of a new one, and no address was suppressed
//!   meanwhile. If a precondition fails, the rows of the batch are read and decided again.
//! - Importing the same file again changes nothing, so an interrupted import is simply run again.
//! - A dry run does the same work without the commit.

mod apply;
pub(crate) mod cells;
pub(crate) mod column;
pub mod columns;
pub mod encoding;
mod heading_key;
pub mod headings;
pub(crate) mod mailbox;
pub mod plan;
mod reading;
pub(crate) mod record;
pub mod records;
pub(crate) mod row;
mod sniff;
pub mod states;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::base::token;
use crate::store::{Store, StoreError};

use apply::{Importer, Outcome};
use columns::ColumnsError;
use encoding::Encoding;
use headings::{HeadingFinder, Headings, HeadingsError, Named};
use plan::{FieldChange, Terms};
use reading::{Piece, Reading};
use records::{Format, FormatError};
use states::Said;

/// Maximum batches being decided or committed at the same time.
const BATCHES_IN_FLIGHT: usize = 6;

/// The operator's settings for a file.
#[derive(Clone, Debug, Default)]
pub struct ImportSettings {
    /// The file's name, without its directory.
    pub file: String,
    /// Lists to which every row is added, in addition to those in its own column.
    pub lists: Vec<ListName>,
    /// The words that the people in the file agreed to. Required if the import may add anyone to a list.
    pub consent: Option<String>,
    /// The language of new subscribers without one; if absent, that of the first list, else Swedish.
    pub language: Option<Language>,
    /// Only report what would change.
    pub dry_run: bool,
    /// The meaning of columns whose headings are unknown or mean something else here.
    pub columns: Named,
    /// The meaning of words in columns that state who may get mail.
    pub states: Said,
    /// The encoding of the file; detected if absent.
    pub encoding: Option<Encoding>,
}

/// An event during an import.
#[derive(Clone, Debug)]
pub enum ImportEvent {
    /// The file's format: before the headings, and again if a later part of the file changes it.
    Format(Format),
    /// The headings, as soon as they are read.
    Headings(Vec<String>),
    /// A note about how the file was read; a sentence without a full stop.
    Note(String),
    /// A change that a dry run would make to a known subscriber. In line order.
    Change(FieldChange),
    /// A row that was not imported completely. In line order.
    Reject(Reject),
    /// The progress so far.
    Progress {
        /// Rows processed.
        rows: u64,
        /// Bytes of the file processed.
        bytes: u64,
    },
}

/// A row that was not imported completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The line in the file, starting at 1.
    pub line: u64,
    /// The reason, as text for a person.
    pub reason: String,
    /// The cells as in the file.
    pub cells: Vec<String>,
}

/// The changes of an import or a dry run. The rows are the sum of the next seven counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows below the headings, without empty ones.
    pub rows: u64,
    /// Rows that created a subscriber.
    pub created: u64,
    /// Rows that changed a known subscriber.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that are unreadable or invalid.
    pub invalid: u64,
    /// Rows with an address that occurs earlier in the file.
    pub duplicates: u64,
    /// Rows with a suppressed address.
    pub suppressed: u64,
    /// Rows that state that the person may not get mail.
    pub left_out: u64,
    /// The number of known subscribers changed, by field.
    pub fields: BTreeMap<&'static str, u64>,
    /// New subscriptions, by list.
    pub subscribed: BTreeMap<ListName, u64>,
    /// Subscriptions refused because the subscriber had left the list, by list.
    pub ended: BTreeMap<ListName, u64>,
}

impl ImportSummary {
    /// Whether the whole file could be imported. Rows left out on purpose do not count.
    pub fn is_clean(&self) -> bool {
        self.invalid + self.duplicates + self.suppressed == 0 && self.ended.is_empty()
    }

    fn add(&mut self, other: ImportSummary) {
        self.rows += other.rows;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.invalid += other.invalid;
        self.duplicates += other.duplicates;
        self.suppressed += other.suppressed;
        self.left_out += other.left_out;
        other.fields.into_iter().for_each(|(field, n)| *self.fields.entry(field).or_default() += n);
        other.subscribed.into_iter().for_each(|(list, n)| *self.subscribed.entry(list).or_default() += n);
        other.ended.into_iter().for_each(|(list, n)| *self.ended.entry(list).or_default() += n);
    }
}

/// Why an import stopped. Batches committed before are kept; the same file can be imported again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Its headings cannot be interpreted.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// The words of headings cannot be parsed: a fault in the program.
    #[error(transparent)]
    Headings(#[from] HeadingsError),
    /// The words that the people agreed to are missing.
    #[error("this would add people to a list: state with --consent, in their words, what they agreed to and where")]
    NoConsent,
    /// A list that does not exist.
    #[error("there is no list \u{201c}{0}\u{201d}")]
    NoList(ListName),
    /// The file broke off while it was received.
    #[error("the file was not received completely: {0}")]
    Source(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The receiver of the events was dropped.
    #[error("the import was interrupted")]
    Abandoned,
}

/// Imports a file that is received in pieces of any size. `key` is the installation's. Events are sent to `events`,
/// whose receiver must be read.
///
/// # Errors
/// [`ImportError`]. Batches committed before are kept; a second run reports them as unchanged.
pub async fn import<S, B>(
    store: &Store,
    key: &token::Key,
    settings: ImportSettings,
    at: Timestamp,
    source: S,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportSummary, ImportError>
where
    S: Stream<Item = Result<B, std::io::Error>> + Send + Unpin + 'static,
    B: AsRef<[u8]> + Send + Sync + 'static,
{
    if !settings.lists.is_empty() && settings.consent.is_none() {
        return Err(ImportError::NoConsent);
    }
    let mut lists = BTreeMap::new();
    for list in store.lists().await? {
        lists.insert(list.value.name.clone(), list);
    }
    if let Some(missing) = settings.lists.iter().find(|name| !lists.contains_key(name)) {
        return Err(ImportError::NoList(missing.clone()));
    }
    let first = settings.lists.first().and_then(|name| lists.get(name)).map(|list| list.value.language.clone());
    let terms = Terms {
        file: settings.file,
        lists: settings.lists,
        words: settings.consent.clone().unwrap_or_default(),
        language: settings.language.or(first).unwrap_or_else(Language::swedish),
        at,
    };
    let headings = Headings::shipped()?.with_states(&settings.states);
    let finder = HeadingFinder { headings: Arc::new(headings), named: settings.columns };
    let known_lists = lists.keys().cloned().collect();
    let reading = Reading::new(known_lists, settings.consent.is_some(), finder, settings.encoding);
    let is_dry = settings.dry_run;
    let importer = Arc::new(Importer::new(store.clone(), key.clone(), terms, is_dry).await?);
    let (sender, receiver) = mpsc::channel(2);
    // Reading and deciding run concurrently; dropping the receiver ends the reading.
    let reader = tokio::spawn(reading.run(source, sender));
    let summary = decide(importer, receiver, events).await;
    if summary.is_err() {
        reader.abort();
    }
    match reader.await {
        Ok(Ok(())) => {
            if !is_dry {
                // Only so that the next search does not have to read all these people; it tries again after an error.
                let _ = store.prepare_search().await;
            }
            summary
        }
        Ok(Err(error)) => summary.and(Err(error)),
        Err(_) => summary.and(Err(ImportError::Source("its reader failed".to_owned()))),
    }
}

/// The deciding side: commits rows, several batches at once, and reports their outcomes in order.
async fn decide(
    importer: Arc<Importer>,
    pieces: mpsc::Receiver<Piece>,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportSummary, ImportError> {
    let pieces = futures_util::stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    let mut outcomes = Box::pin(
        pieces
            .map(|piece| {
                let importer = importer.clone();
                // A task of its own, so that one piece is decided while another is committed.
                let task = tokio::spawn(async move { importer.apply(piece).await });
                async move { task.await.map_err(|_| ImportError::Source("a batch failed".to_owned()))? }
            })
            .buffered(BATCHES_IN_FLIGHT),
    );
    let mut total = ImportSummary::default();
    while let Some(outcome) = outcomes.next().await {
        let Outcome { format, headings, notes, summary, changes, rejects, bytes } = outcome?;
        total.add(summary);
        let progress = ImportEvent::Progress { rows: total.rows, bytes };
        let told = format.map(ImportEvent::Format).into_iter();
        let told = told.chain(headings.map(ImportEvent::Headings)).chain(notes.into_iter().map(ImportEvent::Note));
        let told = told.chain(changes.into_iter().map(ImportEvent::Change));
        for event in told.chain(rejects.into_iter().map(ImportEvent::Reject)).chain([progress]) {
            events.send(event).await.map_err(|_| ImportError::Abandoned)?;
        }
    }
    Ok(total)
}
