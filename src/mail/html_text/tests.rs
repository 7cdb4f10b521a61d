//! The text of HTML, and that no input makes the work grow faster than its length.

use super::html_to_text;
use super::structure::{Place, Structure, structure};
use crate::mail::reply::ReplyReader;

fn taken_apart(html: &str) -> Structure {
    structure(html, ReplyReader::shipped().unwrap().shapes())
}

#[test]
fn text_entities_and_blocks_are_kept_and_silent_elements_are_not() {
    for (html, text) in [
        ("<p>Hej&nbsp;d&aring;<br>rad &lt;2&gt; <a@example.org></p>", "Hej då\nrad <2> <a@example.org>\n"),
        ("<style>p{}</style>ja<b>!</b>", "ja!"),
        // An unclosed element hides nothing.
        ("<b>a</b><style>b", "ab"),
        ("<header>a</header><b>c</b>", "ac"),
        ("<head><title>x</title></header></head><b>c</b>", "c"),
        ("<!-- a --><!--><b>c</b><!-- d", "c"),
        ("<b>&#229;&#xE4;&#0;&unknown;&amp;lt;</b>", "åä &unknown;&lt;"),
        ("<b>1 < 2 && 3 > 2</b>", "1 < 2 && 3 > 2"),
        ("no element <at all>", "no element <at all>"),
    ] {
        assert_eq!(html_to_text(html), text, "{html}");
    }
}

#[test]
fn lines_say_whose_they_are() {
    let html = "<div>Ja<span style='display:none'>nej</span></div><blockquote type=cite>Stämmer det?</blockquote>\
        <p style='display:none'>x<p>Mer</p><div class=x_gmail_signature>Karin</div><div id=x_divRplyFwdMsg>Från: Media</div>rest";
    let lines: Vec<_> = taken_apart(html).lines.into_iter().filter(|line| !line.text.is_empty()).collect();
    let lines: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.place)).collect();
    assert_eq!(
        lines,
        [
            ("Ja", Place::Own),
            ("Stämmer det?", Place::Quoted),
            ("Mer", Place::Own),
            ("Karin", Place::Signature),
            ("Från: Media", Place::Below),
            ("rest", Place::Below),
        ]
    );
}

#[test]
fn what_is_repeated_half_a_million_times_stays_in_bounds() {
    // Work that grows with the square of the length takes minutes on one of these.
    for piece in [
        "<style>",
        "<script>",
        "<head>",
        "<!--",
        "<!-- -->",
        "<",
        "<p",
        "<a href='",
        "&",
        "&amp",
        "&#x41;",
        "</",
        "</style",
        "</div>",
        "<div>",
        "<p>",
        "<br>",
        "<i></b>",
        "<blockquote type=cite>",
        "<div style='display:none'>",
        "<img src=cid:a alt=b>",
        "<td>",
        "a@b",
        "<a@b>",
        " ",
        "<x a=b c=d>",
        "<style></style>",
        "<style></p>",
        "<div class='a b c d e f g h'>",
    ] {
        let html = format!("<html>{}", piece.repeat(500_000 / piece.len()));
        assert!(html_to_text(&html).len() <= 2 * html.len(), "{piece}");
        let found = taken_apart(&html);
        assert!(found.lines.len() <= html.len() && found.pictures.len() <= 200, "{piece}");
    }
}

proptest::proptest! {
    #[test]
    fn anything_can_be_taken_apart(html in "([<>/&;='\" a-zåä!-]|<div>|</div>|<p>|<blockquote type=cite>|<style>|</style>|<!--|-->|&nbsp;){0,200}") {
        html_to_text(&html);
        taken_apart(&html);
    }
}
