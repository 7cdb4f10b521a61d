//! Addresses looked for in texts and messages: in work and memory that grow with their length.
#![no_main]

use std::sync::LazyLock;

use depesch::base::address::Address;
use depesch::mail::mentions::Wanted;
use depesch_fuzz::work::{Budget, within};
use libfuzzer_sys::fuzz_target;

static WANTED: LazyLock<Wanted> = LazyLock::new(|| {
    let addresses: Vec<Address> =
        ["karin.ek@example.org", "a@b.se", "eva@skövde.example"].map(|text| text.parse().unwrap()).into();
    Wanted::new(&addresses)
});

const BUDGET: Budget = Budget { steps: 2000, held: 100, nanoseconds: 20_000 };

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let wanted = &*WANTED;
    within(BUDGET, text.len(), || {
        wanted.in_text(&text);
        wanted.in_message(bytes);
    });
    let named = format!("{text} <karin.ek@example.org>");
    assert!(wanted.in_text(&named).contains("karin.ek@example.org"), "{named:?}");
});
