//! Bare replies: whatever a mail holds, reading it as a reply ends, shows no code of ours, and is a bare yes only where nothing was left
//! unread.
#![no_main]

use std::sync::LazyLock;

use depesch::mail::incoming::Incoming;
use depesch::mail::reply::{Question, ReplyReader, Sender};
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

static READER: LazyLock<ReplyReader> = LazyLock::new(|| ReplyReader::shipped().unwrap());
static QUESTION: LazyLock<Question> =
    LazyLock::new(|| Question::new("Confirm your subscription", "Is that right? Then reply to this mail.", ""));

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Incoming::parse(bytes) else { return };
    let reply = READER.read(&message);
    let sender = Sender { address: "karin@example.com", name: "Karin Ek" };
    if reply.is_bare(&READER, sender, &QUESTION) {
        assert!(reply.unread.is_empty() && reply.subject.is_answer && !message.is_automatic());
    }
    for text in [reply.reply_text(), reply.text()] {
        assert!(!text.contains("+aebagbafaydqqcikbmgaydq2ce@"), "{text}");
    }
});
