use super::*;

fn read(from: &str) -> Result<Author, NoAuthor> {
    author(
        format!("Received: x\r\nFROM:{from}\r\nSubject: From: other@example.net\r\n\r\nFrom: x@example.net\r\n")
            .as_bytes(),
    )
}

/// The result: `name|address`, with a `?` if another program may read something else.
fn shown(from: &str) -> String {
    match read(from) {
        Ok(Author { name, address, doubt, .. }) => {
            format!("{}|{address}{}", name.unwrap_or_default(), if doubt.is_some() { "?" } else { "" })
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn what_people_and_programs_write_is_read() {
    for (from, expected) in [
        (" Eva Ek <eva@example.org>", "Eva Ek|eva@example.org"),
        ("eva@example.org", "|eva@example.org"),
        ("<eva@example.org>", "|eva@example.org"),
        (" Ek, Eva <eva@example.org>", "Ek, Eva|eva@example.org"),
        (" Ek, Eva (Tidningen) <eva@example.org>", "Ek, Eva (Tidningen)|eva@example.org"),
        (" \"Ek, Eva\" <eva@example.org>", "Ek, Eva|eva@example.org"),
        (" \"Ek, Eva \\\"Evis\\\" (kultur)\" <eva@example.org>", "Ek, Eva \"Evis\" (kultur)|eva@example.org"),
        (" =?utf-8?Q?Ek=2C_Eva?= <eva@example.org>", "Ek, Eva|eva@example.org"),
        (" \"=?utf-8?Q?Ek=2C_Eva?=\" <eva@example.org>", "Ek, Eva|eva@example.org"),
        (" eva@example.org (Eva Ek)", "Eva Ek|eva@example.org"),
        (" Eva E. Ek <eva@example.org>", "Eva E. Ek|eva@example.org"),
        (" Eva\r\n Ek\r\n <eva@example.org>", "Eva Ek|eva@example.org"),
        (" Eva Ek < eva@example.org >", "Eva Ek|eva@example.org"),
        (" 'Eva, Ek' <eva@example.org>", "'Eva, Ek'|eva@example.org"),
        (" Ek, Eva / Nyheter <eva@example.org>", "Ek, Eva / Nyheter|eva@example.org"),
        (" \u{c5}sa Ek <eva@example.org>", "\u{c5}sa Ek|eva@example.org"),
        (" \"boss@example.net\" <eva@example.org>", "boss@example.net|eva@example.org"),
        (" Eva <eva@sk\u{f6}v.example>", "Eva|eva@xn--skv-tna.example"),
    ] {
        assert_eq!(shown(from), expected, "{from}");
    }
}

#[test]
fn what_another_program_may_read_otherwise_is_doubtful() {
    for from in [
        " boss@example.net <eva@example.org>",
        " eva@tidningen <eva@example.org>",
        " eva@example.org (<boss@example.net>)",
        " (boss@example.net) eva@example.org",
        " Redaktionen: eva@example.org;",
        " Redaktionen: Eva <eva@example.org>;",
        " Eva Ek <eva@example.org>;",
        " <eva@example.org> boss",
        " boss, eva@example.org",
        " \"boss@example.net, x\" <eva@example.org>",
        " \"boss@example.net\", <eva@example.org>",
        " \"boss\\\" <boss@example.net>, \\\"\" <eva@example.org>",
        " =?utf-8?q?=3Cboss=40example.net=3E=2C?= <eva@example.org>",
        " Eva <eva@\u{ff45}xample.org>",
    ] {
        assert!(shown(from).ends_with("eva@example.org?"), "{from}: {}", shown(from));
    }
}

#[test]
fn what_names_no_one_address_has_no_author() {
    for (from, expected) in [
        (" Eva <eva@example.org>, Bo <bo@example.org>", NoAuthor::SeveralAddresses),
        (" eva@example.org, Bo <bo@example.org>", NoAuthor::SeveralAddresses),
        (" Eva <eva@example.org>; bo@example.org", NoAuthor::SeveralAddresses),
        (" eva@example.org, bo@example.org", NoAuthor::SeveralAddresses),
        (" Eva <eva@example.org>, eva <eva@example.org>", NoAuthor::SeveralAddresses),
        (" \"Eva Ek <eva@example.org>", NoAuthor::Unreadable),
        (" Eva (Ek <eva@example.org>", NoAuthor::Unreadable),
        (" Eva Ek <<eva@example.org>>", NoAuthor::Unreadable),
        (" Eva Ek <eva@example.org", NoAuthor::Unreadable),
        (" Eva Ek> <eva@example.org", NoAuthor::Unreadable),
        (" Eva Ek eva@example.org", NoAuthor::Unreadable),
        (" eva@example.org\0", NoAuthor::Unreadable),
        (" eva@example.org\0 <boss@example.net>", NoAuthor::Unreadable),
        (" <@a.example,@b.example:eva@example.org>", NoAuthor::Unreadable),
        (" <\"boss@example.net\"@example.org>", NoAuthor::Unreadable),
        (" <=?utf-8?q?boss=40example.net?=@example.org>", NoAuthor::Unreadable),
        (" =?utf-8?q?eva=40example.org?=", NoAuthor::Unreadable),
        (" Eva Ek", NoAuthor::Unreadable),
        ("", NoAuthor::Unreadable),
        (" x@example.net\r\nfrom: eva@example.org", NoAuthor::SeveralFields),
        (" x@example.net\r\nFrom : eva@example.org", NoAuthor::SeveralFields),
    ] {
        assert_eq!(read(from), Err(expected), "{from}");
    }
    assert_eq!(author(b"Resent-From: eva@example.org\r\n\r\nFrom: eva@example.org\r\n"), Err(NoAuthor::NoFrom));
}

#[test]
fn only_a_field_by_the_book_is_tidy() {
    for (from, tidy) in [
        (" Eva E. Ek <eva@example.org>", true),
        (" \"Ek, Eva\" <eva@example.org>", true),
        (" =?utf-8?q?=C3=85sa?= <eva@example.org>", true),
        (" eva@example.org (Eva)", true),
        (" Ek, Eva <eva@example.org>", false),
        (" \u{c5}sa <eva@example.org>", false),
        (" boss@example.net <eva@example.org>", false),
        (" =?utf-8?q?boss=40example.net=00?= <eva@example.org>", false),
    ] {
        assert_eq!(read(from).unwrap().is_tidy, tidy, "{from}");
    }
}
