//! Messages in parts, with boundaries, digests and messages inside: what is read is within the limits, and costs work and
//! memory that grow with its length.
#![no_main]

use depesch::mail::incoming::Incoming;
use depesch_fuzz::work::{Budget, within};
use libfuzzer_sys::fuzz_target;

const BUDGET: Budget = Budget { steps: 500, held: 100, nanoseconds: 20_000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let kind = ["multipart/mixed", "multipart/digest", "multipart/report", "message/rfc822"][usize::from(first & 3)];
    let message = [format!("Content-Type: {kind}; boundary=x\r\n\r\n").as_bytes(), bytes].concat();
    let read = within(BUDGET, message.len(), || Incoming::parse(&message));
    let Ok(read) = read else { return };
    assert!(read.parts().len() <= 2100, "{} parts", read.parts().len());
    let mut inside = Some(&read);
    let mut depth = 0;
    while let Some(one) = inside {
        depth += 1;
        inside = one.embedded();
    }
    assert!(depth <= 110, "{depth} messages inside each other");
});
