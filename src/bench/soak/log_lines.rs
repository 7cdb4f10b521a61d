//! Log lines to be expected after kills and storms, with the reason. Any other warning or error is a fault.

use serde_json::Value;

/// Beginnings of messages, and why they are expected.
const EXPECTED: [(&str, &str); 22] = [
    ("opened the store after an unclean stop", "it was killed"),
    ("the index of the store was rebuilt", "it was damaged while the daemon was down, or half written at a kill"),
    ("the relay is in trouble", "there was a storm"),
    ("delivery uncertain", "a kill left it in doubt, and some mailings hold such for a person"),
    ("a notice waits", "the relay refused it for now"),
    ("a notice could not be sent", "the relay refused it for good"),
    ("recipient deferred", "mail came in while it stopped"),
    ("message not accepted", "mail came in while it stopped"),
    ("a connection for mail failed", "a peer went away"),
    ("connections that did not end in time are closed", "it was asked to stop while mail came in"),
    ("import stopped", "it was asked to stop while a file came in"),
    ("a delivery was changed while it was being sent", "its mailing was cancelled meanwhile"),
    ("request failed: the daemon stops", "it was asked to stop"),
    ("a mail is answered in a later hour", "all mail comes from one machine, and more than an hour's answers"),
    ("DEPESCH_TEST_CLOCK is set", "its clock is moved"),
    ("the clock jumped", "its clock was moved"),
    ("deliveries were deferred while the clock was ahead", "it was moved ahead, and set right"),
    ("a job ran while the clock was ahead", "the same"),
    ("the clock is much later than", "it was moved ahead by years"),
    ("the clock was set forward, or is much later", "it was moved ahead"),
    ("a digest was written", "the clock was moved to a later hour"),
    ("a message waits for the next digest", "one owner gets more than a day's messages"),
];

/// Beginnings of messages, texts that their fields must contain, and why they are expected.
const EXPECTED_WITH: [(&str, &str, &str); 3] = [
    ("a backup failed", STOPS, "it was asked to stop while a backup was made"),
    ("a backup failed", IN_USE, "another was made or read"),
    ("a job failed", IN_USE, "the clock was moved to the hour of the backup, while another was made or read"),
];
/// The error of a backup aborted by the daemon's stop.
const STOPS: &str = "the daemon stops";
/// The error of a backup that meets another.
const IN_USE: &str = "is in use by another backup";

/// Whether a backup may fail with this message.
pub(crate) fn is_expected_of_backup(message: &str) -> bool {
    [STOPS, IN_USE].iter().any(|expected| message.contains(expected))
}

/// The unexpected warnings and errors among `lines`, without duplicates.
pub(crate) fn unexpected(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = without_panics_of_sled(lines).filter(|line| !is_expected(line)).cloned().collect();
    found.sort_by_key(|line| message(line).unwrap_or_default());
    found.dedup_by_key(|line| message(line).unwrap_or_else(|| line.clone()));
    found
}

/// sled panics on damage; the store catches that and rebuilds the index. A panic takes several lines, up to the next
/// event.
fn without_panics_of_sled(lines: &[String]) -> impl Iterator<Item = &String> {
    let mut inside = false;
    lines.iter().filter(move |line| {
        inside = match line.contains("panicked at ") {
            true => line.contains("/sled-0."),
            false => inside && message(line).is_none(),
        };
        // An empty line precedes each panic.
        !inside && !line.trim().is_empty()
    })
}

/// Number of expected ones among `lines`.
pub(crate) fn expected(lines: &[String]) -> usize {
    lines.iter().filter(|line| is_expected(line)).count()
}

fn is_expected(line: &str) -> bool {
    message(line).is_some_and(|message| {
        EXPECTED.iter().any(|(begin, _)| message.starts_with(begin))
            || EXPECTED_WITH.iter().any(|(begin, with, _)| message.starts_with(begin) && line.contains(with))
    })
}

/// The message of an event; `None` for other lines, e.g. the text of a panic.
fn message(line: &str) -> Option<String> {
    serde_json::from_str::<Value>(line).ok()?["message"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_list_is_expected() {
        let line = |message: &str| format!("{{\"level\":\"WARN\",\"message\":\"{message}\"}}");
        let lines = [line("a notice waits"), line("something else"), line("something else"), "panicked at".to_owned()];
        assert_eq!(unexpected(&lines), ["panicked at".to_owned(), line("something else")]);
        assert_eq!(expected(&lines), 1);
        let failed = |why: &str| format!("{{\"message\":\"a backup failed\",\"error\":\"{why}\"}}");
        assert_eq!(unexpected(&[failed("b: the daemon stops"), failed("b: no space")]), [failed("b: no space")]);
        let of_sled =
            ["", "thread 'x' panicked at /crates/sled-0.34.7/src/a.rs:1:", "a word of it", "note: run it again"];
        let lines =
            [of_sled.map(str::to_owned).as_slice(), &[line("something else"), "panicked at".to_owned()]].concat();
        assert_eq!(unexpected(&lines), ["panicked at".to_owned(), line("something else")]);
    }
}
