//! A server's reply is classified in the same way wherever it is read: in the session, in a delivery report, and in a
//! mail that quotes it. The replies are invented, in the usual wording (`tests/data/replies.tsv`).

use depesch::bounce::Reader;
use depesch::mail::incoming::Incoming;
use depesch::model::classify::{Classified, Classifier};
use depesch::model::ledger::Stage;
use depesch::model::reply::Reply;

const RECIPIENT: &str = "eva@tidning.example";
const SENDER: &str = "nyheter-bounces+tok@lista.example";

struct Row {
    class: String,
    counts: bool,
    reply: String,
}

fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replies.tsv");
    let table = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut next = || cells.next().unwrap();
        Row { class: next(), counts: next() == "yes", reply: next() }
    };
    table.lines().skip(1).map(row).collect()
}

fn check(wrong: &mut Vec<String>, row: &Row, place: &str, class: &str, counts: bool) {
    // A refusal of a recipient without a reason is classed by its stage, and never counts.
    let is_class = class == row.class || row.class == "other";
    if !is_class || counts != row.counts {
        wrong.push(format!("{place}: {class}, counts {counts}: {}", row.reply));
    }
}

fn in_report(reply: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: {SENDER}\nSubject: Undelivered Mail \
         Returned to Sender\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\
         \n--b\nContent-Type: text/plain; charset=utf-8\n\nIt did not get through.\n\n--b\nContent-Type: \
         message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; {RECIPIENT}\nAction: \
         failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; {reply}\n\n--b--\n"
    )
}

fn in_words(reply: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: {SENDER}\nSubject: Undelivered Mail \
         Returned to Sender\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nThe mail system\n\n\
         <{RECIPIENT}>: host mx.tidning.example[192.0.2.7] said: {reply}\n    (in reply to RCPT TO command)\n"
    )
}

#[test]
fn a_reply_means_the_same_wherever_it_is_read() {
    let classifier = Classifier::shipped().unwrap();
    let reader = Reader::new(classifier.clone()).unwrap();
    let mut wrong = Vec::new();
    for row in rows() {
        let (code, text) = row.reply.split_at(3);
        let reply = Reply::new(code.parse().unwrap(), &text[1..]);
        let found: Classified = classifier.classify_from(Stage::Recipient, &reply, &[SENDER]);
        let permanent = reply.is_permanent();
        check(&mut wrong, &row, "session", found.class.word(), found.counts(permanent));
        for (place, message) in [("report", in_report(&row.reply)), ("words", in_words(&row.reply))] {
            let reading = reader.read(&Incoming::parse(message.as_bytes()).unwrap());
            let one = &reading.recipients[0];
            assert_eq!(one.address.as_deref(), Some(RECIPIENT), "{place}: {}", row.reply);
            check(&mut wrong, &row, place, one.class.word(), one.counts);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
