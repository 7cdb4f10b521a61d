//! Import of subscribers from a CSV file, as a stream: bytes come in, checked rows are committed in batches of some
//! hundred, several batches at once, and progress and rejected rows go out as events.
//!
//! - An import never revives what ended (invariant 4): each batch demands that every subscriber it changes is as it
//!   was read, that nobody new has an address it gives, and that no address was suppressed meanwhile. Where one of
//!   these fails, the rows of the batch are read and decided anew.
//! - The same file again changes nothing, so an import that was cut off is simply run again.
//! - A dry run takes the same way and only leaves the commit out.

mod apply;
pub mod cells;
pub mod column;
pub mod columns;
pub mod encoding;
mod heading_key;
pub mod headings;
pub mod mailbox;
pub mod plan;
mod reading;
pub mod record;
pub mod records;
pub mod row;
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

/// Commits in flight.
const BATCHES_IN_FLIGHT: usize = 6;

/// What the operator says of a file.
#[derive(Clone, Debug, Default)]
pub struct ImportSettings {
    /// The file's name, without its folder.
    pub file: String,
    /// Lists that every row is put on, besides those in its own column.
    pub lists: Vec<ListName>,
    /// The words that the people in the file agreed to. Needed wherever somebody may be put on a list.
    pub consent: Option<String>,
    /// The language of those who are new and have none; without it, that of the first list, else Swedish.
    pub language: Option<Language>,
    /// Only show what would change.
    pub dry_run: bool,
    /// What columns hold whose headings are not known, or are known for something else.
    pub columns: Named,
    /// What words in columns mean that say who may get mail.
    pub states: Said,
    /// The encoding of the file; found out where it is not said.
    pub encoding: Option<Encoding>,
}

/// What is told while an import runs.
#[derive(Clone, Debug)]
pub enum ImportEvent {
    /// How the file is written: before the headings, and again if a later part of the file says more.
    Format(Format),
    /// The headings, once they are read.
    Headings(Vec<String>),
    /// Something to know of how the file was read; a sentence without a full stop.
    Note(String),
    /// What a dry run would change of a known subscriber. In order of line.
    Change(FieldChange),
    /// A row that was not, or not wholly, imported. In order of line.
    Reject(Reject),
    /// How far it has come.
    Progress {
        /// Rows done.
        rows: u64,
        /// Bytes of the file done.
        bytes: u64,
    },
}

/// A row that was not, or not wholly, imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The line in the file, from 1.
    pub line: u64,
    /// Why, for a person to read.
    pub reason: String,
    /// The cells as they stood.
    pub cells: Vec<String>,
}

/// What an import changed, or a dry run would. The first seven kinds add up to the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows below the first line, without empty ones.
    pub rows: u64,
    /// Rows that made a new subscriber.
    pub created: u64,
    /// Rows that changed a known one.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that cannot be read or hold something wrong.
    pub invalid: u64,
    /// Rows with an address that stands in the file before.
    pub duplicates: u64,
    /// Rows with an address that must not be mailed.
    pub suppressed: u64,
    /// Rows that say themselves that their people may not get mail.
    pub left_out: u64,
    /// How many known subscribers differ, by field.
    pub fields: BTreeMap<&'static str, u64>,
    /// New subscriptions, by list.
    pub subscribed: BTreeMap<ListName, u64>,
    /// Subscriptions refused because the subscriber once left, by list.
    pub ended: BTreeMap<ListName, u64>,
}

impl ImportSummary {
    /// Whether everything in the file could be done. What was to be left out was.
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

/// Why an import stopped. What was committed before stays; the same file can be run again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Its first line names no columns.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// The words of headings cannot be read: a fault of the program.
    #[error(transparent)]
    Headings(#[from] HeadingsError),
    /// Nobody says what the people agreed to.
    #[error("this would put people on a list: say with --consent, in their words, what they agreed to and where")]
    NoConsent,
    /// A list that does not exist.
    #[error("there is no list \u{201c}{0}\u{201d}")]
    NoList(ListName),
    /// The file broke off while it came in.
    #[error("the file broke off: {0}")]
    Source(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody listens to the events any more.
    #[error("the import was broken off")]
    Abandoned,
}

/// Imports a file that comes in as pieces of any size. `key` is the installation's. Events go to `events`, whose receiver must be read.
///
/// # Errors
/// [`ImportError`]. Batches committed before are kept, and the summary of a second run shows them as unchanged.
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
    let importer = Arc::new(Importer::new(store.clone(), key.clone(), terms, settings.dry_run).await?);
    let (sender, receiver) = mpsc::channel(2);
    // Reading and deciding run side by side; dropping the receiver ends the reading.
    let reader = tokio::spawn(reading.run(source, sender));
    let summary = decide(importer, receiver, events).await;
    if summary.is_err() {
        reader.abort();
    }
    match reader.await {
        Ok(Ok(())) => summary,
        Ok(Err(error)) => summary.and(Err(error)),
        Err(_) => summary.and(Err(ImportError::Source("its reader failed".to_owned()))),
    }
}

/// The deciding side: rows to commits, several at once, and their outcomes in order.
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
