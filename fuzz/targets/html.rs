//! HTML made to text: in work and memory that grow with its length, whatever is never closed in it.
#![no_main]

use depesch::mail::html_text::html_to_text;
use depesch_fuzz::work::{Budget, within};
use libfuzzer_sys::fuzz_target;

const BUDGET: Budget = Budget { steps: 1000, held: 50, nanoseconds: 8000 };

fuzz_target!(|bytes: &[u8]| {
    let html = String::from_utf8_lossy(bytes);
    within(BUDGET, html.len(), || html_to_text(&html));
});
