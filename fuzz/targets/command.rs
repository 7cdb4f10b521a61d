//! Commands by mail: whatever subject and text hold, reading them ends, and a command comes out only once.
#![no_main]

use std::sync::LazyLock;

use depesch::mail::command::{Commands, Known, tokens};
// Counts stores.
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

static COMMANDS: LazyLock<Commands> = LazyLock::new(|| Commands::shipped().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
    let known = Known {
        list_name: "media",
        list_title: "Press releases",
        list_address: "media@lists.example.org",
        sender: "karin@example.com",
        sender_name: "Karin Ek",
    };
    let reading = COMMANDS.read(subject, text, &known);
    for (at, command) in reading.commands.iter().enumerate() {
        assert!(!reading.commands[..at].contains(command), "{command:?} twice");
    }
    for token in tokens(text) {
        assert!(token.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')), "{token:?}");
    }
});
