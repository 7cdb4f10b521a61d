use super::*;

const REST: &str = "Subject: Hej\r\nMessage-ID: <1@example.org>\r\n\r\nText\r\n";

fn check(before: &str) -> Result<Option<Doubt>, NoAuthor> {
    author_and_doubt(format!("{before}{REST}").as_bytes()).map(|(_, doubt)| doubt)
}

#[test]
fn ordinary_headers_are_beyond_doubt() {
    let from = "From: Eva <eva@example.org>\r\n";
    for before in [
        from.to_owned(),
        format!("Received: a\r\n\tb\r\nReceived: c\r\nX-Empty:\r\nX-Folded:\r\n x\r\n{from}"),
        format!("{from}Resent-From: boss@example.net\r\nSender: boss@example.net\r\nX-From: boss@example.net\r\n"),
        "fRoM: eva@example.org\r\nto: a@example.org,\r\n b@example.org\r\n".to_owned(),
        format!("{}{from}", "X-Many: x\r\n".repeat(400)),
        format!("{from}To: {}x@example.org\r\n", "x@example.org,\r\n ".repeat(2000)),
        format!("{from}X-Raw: \u{e5}\u{e4}\u{f6}\r\n"),
    ] {
        assert_eq!(check(&before), Ok(None), "{before}");
    }
    let header_only = author_and_doubt(b"From: eva@example.org\r\n");
    assert_eq!(header_only.map(|(_, doubt)| doubt), Ok(None));
}

#[test]
fn what_two_programs_may_read_in_two_ways_is_doubtful() {
    let from = "From: Eva <eva@example.org>\r\n";
    let twice = |name: &str| Doubt::Twice(name.to_owned());
    for (before, expected) in [
        (format!("X\r\n{from}"), Doubt::NoField),
        (format!("From boss Mon Nov 2 09:00:00 2026\r\n{from}"), Doubt::NoField),
        (format!("{from}: empty\r\n"), Doubt::NoField),
        (format!("{from}two words: x\r\n"), Doubt::NoField),
        (format!("\u{e5}: x\r\n{from}"), Doubt::NoField),
        (format!("X\r\n folded: x\r\n{from}"), Doubt::NoField),
        (format!(" folded\r\n{from}"), Doubt::BeginsFolded),
        (format!("\t\r\n{from}"), Doubt::BeginsFolded),
        (format!("X: a\r\n \t\r\n{from}"), Doubt::BlankLine),
        (format!("X: a\r\n\t\r\n\tb\r\n{from}"), Doubt::BlankLine),
        ("From : eva@example.org\r\n".to_owned(), Doubt::BlankBeforeColon),
        (format!("X\t: a\r\n{from}"), Doubt::BlankBeforeColon),
        (format!("X: a\0\r\n{from}"), Doubt::ApiState),
        (format!("X: a\rFrom: boss@example.net\r\n{from}"), Doubt::ApiState),
        (format!("X: a\nFrom: boss@example.net\r\n{from}"), Doubt::NoField),
        (format!("X: a\u{b}b\r\n{from}"), Doubt::ApiState),
        (format!("X: a\u{c}\r\n{from}"), Doubt::ApiState),
        (format!("X: \u{1b}[2J\r\n{from}"), Doubt::ApiState),
        (format!("{from}Subject: other\r\n"), twice("subject")),
        (format!("{from}to: a@example.org\r\nTO: b@example.org\r\n"), twice("to")),
        (format!("{from}Content-Type: text/plain\r\nContent-Type: text/html\r\n"), twice("content-type")),
        (format!("{}{from}", "X-Many: x\r\n".repeat(1005)), Doubt::TooMuch),
        (format!("{from}X: {}\r\n", "x".repeat(300_000)), Doubt::TooMuch),
        (format!("{from}References: {}\r\n", "<a@b> ".repeat(1000)), Doubt::TooMuch),
        ("From: boss@example.net <eva@example.org>\r\n".to_owned(), Doubt::From(FromDoubt::SecondAddress)),
    ] {
        match check(&before) {
            // A lone LF makes a second From, so there is no single author.
            Err(NoAuthor::SeveralFields) if expected == Doubt::NoField && before.contains("a\nFrom") => {}
            other => assert_eq!(other, Ok(Some(expected)), "{before:?}"),
        }
    }
}

#[test]
fn a_second_from_is_no_author_however_it_hides() {
    for before in [
        "From: boss@example.net\r\n".to_owned(),
        "FROM: boss@example.net\r\n".to_owned(),
        "From\t: boss@example.net\r\n".to_owned(),
        format!("From: boss@example.net\r\n{}", "X-Many: x\r\n".repeat(1005)),
        format!("From: {}\r\n", "word ".repeat(1000)),
        format!("From:\r\n {} <boss@example.net>\r\n", "word, ".repeat(1000)),
    ] {
        let message = format!("{before}From: Eva <eva@example.org>\r\n");
        assert_eq!(check(&message), Err(NoAuthor::SeveralFields), "{before:.80}");
    }
}
