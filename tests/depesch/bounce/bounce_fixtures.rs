//! Bounces in the formats of many programs, with invented text (`tests/data/bounces`): each is classified as its row in
//! the table says, and no damage to their bytes causes a panic.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use depesch::bounce::{Reader, Reading};
use depesch::mail::incoming::Incoming;
use depesch::model::classify::Classifier;

/// Mutated messages that are read; `DEPESCH_MUTATIONS` sets another number.
const MUTATIONS: usize = 10_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/bounces")
}

fn reader() -> Reader {
    Reader::new(Classifier::shipped().unwrap()).unwrap()
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "eml"))
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

/// The rows of one file as the table writes them.
fn rows(file: &str, reading: &Reading) -> Vec<String> {
    let kind = reading.kind.word();
    let row = |one: &depesch::bounce::RecipientReading| {
        let (address, status) = (one.address.as_deref().unwrap_or_default(), one.status.as_deref().unwrap_or_default());
        let counts = if one.counts { "yes" } else { "no" };
        format!("{file}\t{kind}\t{address}\t{}\t{status}\t{}\t{counts}", one.verdict.word(), one.class.word())
    };
    match reading.recipients.is_empty() {
        true => vec![format!("{file}\t{kind}\t\t\t\t\t")],
        false => reading.recipients.iter().map(row).collect(),
    }
}

#[test]
fn every_format_is_read_as_its_row_says() {
    let table = std::fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let reader = reader();
    let mut seen = 0;
    for (name, bytes) in fixtures() {
        let expected: Vec<&str> = table.lines().filter(|line| line.split('\t').next() == Some(&name)).collect();
        let with_crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n");
        for bytes in [bytes.as_slice(), with_crlf.as_bytes()] {
            let reading = reader.read(&Incoming::parse(bytes).unwrap());
            assert_eq!(rows(&name, &reading), expected, "{name}: {reading:#?}");
        }
        seen += expected.len();
    }
    assert_eq!(seen, table.lines().count() - 1, "a row names a file that is not there");
}

#[test]
fn a_bounce_leads_to_the_message_that_was_sent() {
    let reader = reader();
    for name in ["dsn", "dsn_headers_only", "opensmtpd", "arf", "quoted"] {
        let bytes = std::fs::read(folder().join(format!("{name}.eml"))).unwrap();
        let original = reader.read(&Incoming::parse(&bytes).unwrap()).original;
        assert_eq!(original.message_id.as_deref(), Some("m1.d2@lists.example"), "{name}");
        assert!(original.senders.contains(&"media-bounces+abc123@lists.example".to_owned()), "{name}: {original:?}");
    }
}

#[test]
fn the_command_prints_a_line_for_each_file_and_goes_on_after_a_bad_one() {
    let (good, other) = (folder().join("dsn.eml"), folder().join("newsletter.eml"));
    let output = Command::new(env!("CARGO_BIN_EXE_depesch"))
        .args(["bounce", "classify", "--json"])
        .args([good.as_path(), std::path::Path::new("/nowhere/x.eml"), other.as_path()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/x.eml cannot be read"));
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["file"], good.display().to_string());
    assert_eq!(lines[0]["kind"], "bounce");
    let recipient = &lines[0]["recipients"][0];
    assert_eq!(recipient["address"], "eva@tidning.example");
    assert_eq!(recipient["status"], "5.1.1");
    assert_eq!((&recipient["verdict"], &recipient["class"]), (&"permanent".into(), &"address".into()));
    assert_eq!(recipient["counts"], true);
    assert!(recipient["evidence"].as_str().unwrap().contains("User unknown"));
    assert_eq!((&lines[1]["kind"], &lines[1]["recipients"]), (&"other".into(), &serde_json::json!([])));
}

/// A small random generator (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn mutated(numbers: &mut Numbers, message: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(bytes.len());
        let until = (at + numbers.below(200)).min(bytes.len());
        match numbers.below(7) {
            0 if !bytes.is_empty() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            1 => drop(bytes.drain(at..until)),
            2 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece.repeat(1 + numbers.below(20)));
            }
            3 => {
                let from = numbers.below(other.len());
                bytes.splice(at..at, other[from..].to_vec());
            }
            4 => bytes.truncate(at),
            5 => {
                let odd: [&[u8]; 8] = [b"\0", b"\xff\xfe", b"\r", b"@@@", b"<<<<", b"\x1b$B", b"\xc3", b"--edge-1\n"];
                let index = numbers.below(odd.len());
                bytes.splice(at..at, odd[index].repeat(1 + numbers.below(50)));
            }
            _ => bytes.reverse(),
        }
    }
    bytes
}

#[test]
fn no_mutation_makes_it_panic() {
    #[allow(clippy::disallowed_methods)] // a test's length is no setting of the program
    let count = std::env::var("DEPESCH_MUTATIONS").ok().map_or(MUTATIONS, |count| count.parse().unwrap());
    let (reader, fixtures, mut numbers) = (reader(), fixtures(), Numbers(0x5eed_cafe_f00d));
    for _ in 0..count {
        let (one, other) = (numbers.below(fixtures.len()), numbers.below(fixtures.len()));
        let bytes = mutated(&mut numbers, &fixtures[one].1, &fixtures[other].1);
        let mail = Incoming::parse(&bytes).unwrap();
        let reading = reader.read(&mail);
        assert!(reading.recipients.iter().all(|one| !one.evidence.contains(char::is_control)));
    }
}

#[test]
fn long_and_hostile_messages_are_read_to_their_bounds() {
    let reader = reader();
    let header = "From: MAILER-DAEMON@mx.example\nSubject: Undelivered mail\n\nThe following addresses failed:\n";
    for piece in [
        "<",
        "(",
        "@",
        "a@b.example ",
        "\n<a@b.example>: 550 no\n",
        "550-5.1.1 ",
        "\n",
        "\n>",
        "=?utf-8?q?",
        "\u{1b}$B",
        "Received: x\n",
        "\\x{",
        "<a <a@",
    ] {
        for head in [
            header,
            "",
            "Content-Type: text/html\nSubject: failure notice\n\n",
            "Content-Type: message/delivery-status\n\n",
        ] {
            let bytes = format!("{head}{}", piece.repeat(2_000_000 / piece.len()));
            let start = Instant::now();
            let reading = reader.read(&Incoming::parse(bytes.as_bytes()).unwrap());
            println!("{piece:?} after {:.20?}: {:?}, {} recipients", head, start.elapsed(), reading.recipients.len());
            assert!(reading.recipients.len() <= 500);
        }
    }
}
