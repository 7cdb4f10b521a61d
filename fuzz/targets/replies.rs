//! What people and programs answer, as text or as HTML: all who read it do so in work and memory that grow with its length.
#![no_main]

use std::sync::LazyLock;

use depesch::bounce::Reader;
use depesch::mail::command::{Commands, Known};
use depesch::mail::incoming::Incoming;
use depesch::mail::rsvp::Rules;
use depesch::model::classify::Classifier;
use depesch_fuzz::work::{Budget, within};
use libfuzzer_sys::fuzz_target;

struct Readers {
    reports: Reader,
    answers: Rules,
    commands: Commands,
}

static READERS: LazyLock<Readers> = LazyLock::new(|| Readers {
    reports: Reader::new(Classifier::shipped().unwrap()).unwrap(),
    answers: Rules::shipped().unwrap(),
    commands: Commands::shipped().unwrap(),
});

const BUDGET: Budget = Budget { steps: 4000, held: 200, nanoseconds: 40_000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let kind = ["plain", "html"][usize::from(first & 1)];
    let head = format!("From: eva@press.example\r\nSubject: Re: x\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n");
    let message = [head.as_bytes(), bytes].concat();
    let readers = &*READERS;
    within(BUDGET, message.len(), || {
        let Ok(message) = Incoming::parse(&message) else { return };
        let known = Known {
            list_name: "media",
            list_title: "Press releases",
            list_address: "media@lists.example.org",
            sender: "eva@press.example",
            sender_name: "Eva",
        };
        readers.reports.read(&message);
        readers.answers.read(&message);
        readers.commands.read(message.subject(), message.text(), &known);
    });
});
