//! Real bounces, which are not part of this project: read where they lie beside it, with the scores that are demanded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use depesch::bounce::{Kind, Reader, Reading, RecipientReading};
use depesch::mail::incoming::Incoming;
use depesch::model::classify::Classifier;

/// What the table says of one recipient of one file; empty: nothing.
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

/// `part` of the corpus: `DEPESCH_CORPUS_LIST` may name a file with the names of the messages to look at.
fn chosen(rows: Vec<Row>) -> Vec<Row> {
    let Some(list) = std::env::var_os("DEPESCH_CORPUS_LIST") else { return rows };
    let list = std::fs::read_to_string(list).unwrap();
    rows.into_iter().filter(|row| list.lines().any(|line| line == row.file)).collect()
}

#[test]
fn real_bounces_are_read_as_the_table_says() {
    let Some(path) = corpus() else { return };
    let (reader, rows) = (reader(), chosen(rows(&path)));
    let files: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    let mut slowest = Duration::ZERO;
    let mut spent = Duration::ZERO;
    let mut readings: BTreeMap<&str, Reading> = BTreeMap::new();
    for file in files {
        let octets = std::fs::read(path.join("bounces").join(file)).unwrap();
        let start = Instant::now();
        let reading = reader.read(&Incoming::parse(&octets).unwrap());
        spent += start.elapsed();
        slowest = slowest.max(start.elapsed());
        readings.insert(file, reading);
    }
    let [mut recipient, mut verdict, mut status, mut counts, mut kind] = [(); 5].map(|()| Score::default());
    let mut never = Vec::new();
    for row in &rows {
        let reading = &readings[row.file.as_str()];
        let found = reading.recipients.iter().find(|one| one.address.as_deref() == Some(&row.recipient));
        recipient.add(found.is_some());
        kind.add(matches!(reading.kind, Kind::Bounce | Kind::Complaint | Kind::Notice));
        // Whoever got the address wrong may still be right about the rest.
        let found = found.or(reading.recipients.first());
        let right =
            |expected: &str, said: &dyn Fn(&RecipientReading) -> String| found.is_some_and(|one| said(one) == expected);
        let mut wrong = Vec::new();
        if !row.verdict.is_empty() && !judge(&mut verdict, right(&row.verdict, &|one| one.verdict.word().to_owned())) {
            wrong.push("verdict");
        }
        if !row.status.is_empty()
            && !judge(&mut status, right(&row.status, &|one| one.status.clone().unwrap_or_default()))
        {
            wrong.push("status");
        }
        if !row.counts.is_empty()
            && !judge(&mut counts, right(&row.counts, &|one| if one.counts { "yes" } else { "no" }.to_owned()))
        {
            wrong.push("counts");
        }
        if row.counts == "no" && found.is_some_and(|one| one.counts) {
            never.push(row.file.clone());
        }
        if found.is_none_or(|one| one.address.as_deref() != Some(&row.recipient)) {
            wrong.push("recipient");
        }
        if !wrong.is_empty() {
            let said = found.map(|one| {
                format!(
                    "{:?} {} {:?} {} {} {} | {:.150}",
                    one.address,
                    one.verdict.word(),
                    one.status,
                    one.class.word(),
                    one.counts,
                    one.why,
                    one.evidence
                )
            });
            println!(
                "{}: {} wrong; wanted {} {} {} counts {} ({}); said {:?} {:?}",
                row.file,
                wrong.join(", "),
                row.recipient,
                row.verdict,
                row.status,
                row.counts,
                row.reason,
                reading.kind,
                said
            );
        }
    }
    let count = u32::try_from(readings.len()).unwrap();
    println!(
        "recipients: {recipient}\nverdicts:   {verdict}\nstatus:     {status}\ncounts:     {counts}\nkind:       {kind}"
    );
    println!("counted against a subscriber, and must not: {never:?}");
    println!("{count} messages, {:?} each, the slowest {slowest:?}", spent / count.max(1));
    assert!(recipient.percent() >= 97.0, "recipients: {recipient}");
    assert!(verdict.percent() >= 97.0, "verdicts: {verdict}");
    assert!(counts.percent() >= 97.0, "counts: {counts}");
    assert!(never.is_empty(), "counts against a subscriber who is not to blame: {never:?}");
}

fn judge(score: &mut Score, right: bool) -> bool {
    score.add(right);
    right
}

#[test]
fn ordinary_mail_is_no_bounce() {
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
