//! Lists of addresses and ids in header fields: what is read is within the limits, and costs work and memory that grow with
//! its length.
#![no_main]

use depesch::mail::incoming::Incoming;
use depesch_fuzz::work::{Budget, within};
use libfuzzer_sys::fuzz_target;

const BUDGET: Budget = Budget { steps: 200, held: 150, nanoseconds: 10_000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let name = ["To", "From", "Reply-To", "References"][usize::from(first & 3)];
    let message = [format!("{name}: ").as_bytes(), bytes, b"\r\n\r\nHej\r\n"].concat();
    let read = within(BUDGET, message.len(), || Incoming::parse(&message));
    let Ok(read) = read else { return };
    for header in read.headers() {
        assert!(read.correspondents(&header.name).len() <= 4001 * read.headers().len());
    }
});
