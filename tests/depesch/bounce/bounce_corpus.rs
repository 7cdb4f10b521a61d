//! Real bounces, which are not part of this project: read from a directory next to it, with the required scores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use depesch::bounce::{Kind, Reader, Reading, RecipientReading};
use depesch::mail::incoming::Incoming;
use depesch::model::classify::Classifier;

/// The table's expected reading of one recipient of one file; empty fields are not checked.
struct Row {
    file: String,
    recipient: String,
    verdict: String,
    status: String,
    counts: String,
    reason: String,
}

fn corpus() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/mail");
    if path.join("bounces/expected.tsv").exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: there are no real bounces in {}", path.display());
    None
}

fn rows(path: &std::path::Path) -> Vec<Row> {
    let table = std::fs::read_to_string(path.join("bounces/expected.tsv")).unwrap();
    let rows = table.lines().skip(1).filter(|line| !line.is_empty());
    rows.map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut next = || cells.next().unwrap_or_default();
        Row { file: next(), recipient: next(), verdict: next(), status: next(), counts: next(), reason: next() }
    })
    .collect()
}

fn reader() -> Reader {
    Reader::new(Classifier::shipped().unwrap()).unwrap()
}

/// A part of a whole, in percent.
#[derive(Default)]
struct Score(usize, usize);

impl Score {
    fn add(&mut self, right: bool) {
        self.0 += usize::from(right);
        self.1 += 1;
    }

    #[allow(clippy::cast_precision_loss)]
    fn percent(&self) -> f64 {
        self.0 as f64 * 100.0 / self.1.max(1) as f64
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} ({:.1} %)", self.0, self.1, self.percent())
    }
}

#[derive(Default)]
struct Scores {
    recipient: Score,
    verdict: Score,
    status: Score,
    counts: Score,
    /// Files whose bounce counts, and must not.
    never: Vec<String>,
}

impl Scores {
    /// Adds one row, and prints how its reading differs.
    fn add(&mut self, row: &Row, reading: &Reading) {
        let named = reading.recipients.iter().find(|one| one.address.as_deref() == Some(&row.recipient));
        // A reading with the wrong address may still have the other fields right.
        let found = named.or(reading.recipients.first());
        let mut wrong = Vec::new();
        let mut judge =
            |score: &mut Score, what: &'static str, expected: &str, said: &dyn Fn(&RecipientReading) -> String| {
                let right = found.is_some_and(|one| said(one) == expected);
                if !expected.is_empty() {
                    score.add(right);
                    wrong.extend((!right).then_some(what));
                }
            };
        let yes = |counts: bool| if counts { "yes" } else { "no" };
        judge(&mut self.recipient, "recipient", &row.recipient, &|one| one.address.clone().unwrap_or_default());
        judge(&mut self.verdict, "verdict", &row.verdict, &|one| one.verdict.word().to_owned());
        judge(&mut self.status, "status", &row.status, &|one| one.status.clone().unwrap_or_default());
        judge(&mut self.counts, "counts", &row.counts, &|one| yes(one.counts).to_owned());
        if row.counts == "no" && found.is_some_and(|one| one.counts) {
            self.never.push(row.file.clone());
        }
        if !wrong.is_empty() {
            let Row { file, recipient, verdict, status, counts, reason } = row;
            println!(
                "{file}: {} wrong; wanted {recipient} {verdict} {status} counts {counts} ({reason})",
                wrong.join(", ")
            );
            println!("    {:?} {found:?}", reading.kind);
        }
    }
}

#[test]
fn real_bounces_are_read_as_the_table_says() {
    let Some(path) = corpus() else { return };
    let (reader, rows) = (reader(), rows(&path));
    let (mut slowest, mut spent) = (Duration::ZERO, Duration::ZERO);
    let mut readings: BTreeMap<&str, Reading> = BTreeMap::new();
    for row in &rows {
        let bytes = std::fs::read(path.join("bounces").join(&row.file)).unwrap();
        let start = Instant::now();
        let reading = reader.read(&Incoming::parse(&bytes).unwrap());
        let took = start.elapsed();
        if readings.insert(&row.file, reading).is_none() {
            spent += took;
            slowest = slowest.max(took);
        }
    }
    let mut scores = Scores::default();
    for row in &rows {
        scores.add(row, &readings[row.file.as_str()]);
    }
    let others = readings.values().filter(|reading| reading.kind == Kind::Other).count();
    let each = spent / u32::try_from(readings.len()).unwrap();
    let Scores { recipient, verdict, status, counts, never } = scores;
    println!("recipients: {recipient}\nverdicts:   {verdict}\nstatus:     {status}\ncounts:     {counts}");
    println!("{} messages, {others} not taken for reports; {each:?} each, the slowest {slowest:?}", readings.len());
    assert!(recipient.percent() >= 97.0, "recipients: {recipient}");
    assert!(verdict.percent() >= 97.0, "verdicts: {verdict}");
    assert!(counts.percent() >= 97.0, "counts: {counts}");
    assert!(never.is_empty(), "counts against a subscriber who is not to blame: {never:?}");
}

#[test]
fn ordinary_mail_is_not_a_bounce() {
    let Some(path) = corpus() else { return };
    let reader = reader();
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(path.join("ordinary")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(!names.is_empty());
    for name in names {
        let reading = reader.read(&Incoming::parse(&std::fs::read(&name).unwrap()).unwrap());
        assert!(
            !matches!(reading.kind, Kind::Bounce | Kind::Complaint) && reading.recipients.iter().all(|one| !one.counts),
            "{}: {reading:?}",
            name.display()
        );
    }
}
