//! A message that came in, read into values, and what is read out of those: answers to invitations. Whatever the bytes,
//! it ends, in bounded time and memory, and what comes out is without control characters where that is promised.
#![no_main]

use std::sync::LazyLock;

use depesch::mail::incoming::Incoming;
use depesch::mail::rsvp::Rules;
// Counts stores.
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::shipped().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Incoming::parse(bytes) else { return };
    for header in message.headers() {
        assert!(!header.value.contains(|c: char| c.is_control()), "{header:?}");
    }
    for name in ["From", "To", "Cc", "Reply-To"] {
        for person in message.correspondents(name) {
            assert!(!person.address.contains(|c: char| c.is_control()), "{person:?}");
        }
    }
    message.is_automatic();
    message.answered_ids();
    message.references();
    RULES.read(&message);
});
