//! A link works, or its address is shown and `release check` reports that it will not work; bare addresses are links.

use crate::support::written::Written;

#[test]
fn what_is_plain_is_repaired_in_text_and_html() {
    for (markdown, note, html) in [
        ("[a](www.example.org/r)", "[1] https://www.example.org/r", "href=\"https://www.example.org/r\">a</a>"),
        ("[a](press@example.org)", "[1] mailto:press@example.org", "href=\"mailto:press@example.org\">a</a>"),
        ("[a](//example.org/x)", "[1] https://example.org/x", "href=\"https://example.org/x\">a</a>"),
        ("[a](<https://example.org/å ä.pdf>)", "[1] https://example.org/å%20ä.pdf", "/å%20ä.pdf\">a</a>"),
        ("[a](https://example.org/å ä.pdf)", "[1] https://example.org/å%20ä.pdf", "/å%20ä.pdf\">a</a>"),
        ("[a](tel:+46 70 174 06 12)", "[1] tel:+46701740612", "href=\"tel:+46701740612\">a</a>"),
        ("<press@example.org>", "press@example.org", "href=\"mailto:press@example.org\">press@example.org</a>"),
    ] {
        let written = Written::body(markdown);
        written.check(&[]);
        written.read().holds(&[note], &[html]);
    }
}

#[test]
fn what_cannot_work_is_reported_with_its_line_and_stays_visible() {
    for link in
        ["/om-oss", "rapport.pdf", "sms:+46701740612", "webcal://example.org/k.ics", "ftp://example.org/x", "#del"]
    {
        let written = Written::body(&format!("Text.\n\nSe [sidan]({link}) nu."));
        let found = written.check(&["link"]);
        assert!(found[0].line == Some(15) && !found[0].fix.is_empty(), "{found:?}");
        written.read().holds(&[&format!("Se sidan ({link}) nu.")], &[&format!("Se sidan ({link}) nu.")]);
    }
    for link in ["javascript:alert(1)", "data:text/html,x"] {
        let written = Written::body(&format!("Se [sidan]({link}) nu."));
        written.check(&["link"]);
        written.read().holds(&["Se sidan nu."], &["Se sidan nu."]);
    }
    Written::body("[tomt]() [mellanrum] (https://example.org/)").check(&["link"]);
    Written::body("Se [a][r1].").check(&["link"]);
    Written::body("Se [a][r1].\n\n[r1]: /om\n[r2]: https://example.org/").check(&["link", "link"]);
    Written::body("![karta](karta.png)").check(&[]);
    Written::body("![karta](sms:1)").check(&["link"]);
    Written::of("press-release", "sv", "editor_note = \"Se [a](/b).\"", "").check(&["link"]);
}

#[test]
fn bare_addresses_are_links_everywhere() {
    let front = "media_welcome = \"Skriv till press@example.org.\"\n[[facts]]\nlabel = \"Webb\"\nprinted = \"www.example.org\"\n\
                 [[quotes]]\ntext = \"Läs https://example.org/q.\"\nspeaker = \"Karin Ek\"";
    let read = Written::of(
        "invitation",
        "sv",
        &format!("{front}\n[event]\nstart = 2027-03-11\ncity = \"Örebro\""),
        "Läs https://example.org/r_2026_(slut)?a=1&b=2. Se även (www.example.org/b), eller **info@example.org**!",
    )
    .read();
    read.holds(&["Läs https://example.org/r_2026_(slut)?a=1&b=2. Se"], &[
        "<a href=\"https://example.org/r_2026_(slut)?a=1&amp;b=2\">https://example.org/r_2026_(slut)?a=1&amp;b=2</a>. Se",
        "(<a href=\"https://www.example.org/b\">www.example.org/b</a>)",
        "<a href=\"mailto:info@example.org\">info@example.org</a></strong>!",
        "<a href=\"mailto:press@example.org\">press@example.org</a>.",
        "<td valign=\"top\"><a href=\"https://www.example.org\">www.example.org</a></td>",
        "<a href=\"https://example.org/q\">https://example.org/q</a>.",
    ]);
    assert!(!read.text.contains("[1]"), "{}", read.text);
}

#[test]
fn fields_for_links_follow_the_same_rule() {
    let link = |url: &str| format!("[[links]]\ntitle = \"A\"\nurl = \"{url}\"\n");
    let read = Written::of("press-release", "sv", &link("www.example.org/a b"), "").read();
    read.holds(&["* A: https://www.example.org/a%20b"], &["href=\"https://www.example.org/a%20b\">A</a>"]);
    let found = Written::of("press-release", "sv", &link("/om-oss"), "").check(&["value"]);
    assert!(found[0].line == Some(10) && found[0].fix.contains("complete address"), "{found:?}");
}

#[test]
fn a_lost_link_title_is_reported() {
    Written::body("[a](https://example.org \"Titel\")").check(&["link-title"]);
}
