//! Films: each with its title as a link, people and text on lines of their own.

use crate::support::written::Written;

#[test]
fn thirteen_films_read_well() {
    let film = |number: usize| {
        format!(
            "[[videos]]\ntitle = \"Film {number:02}\"\npeople = [\"Eva Ek (X), ordförande\"]\ntext = \"Hon berättar.\"\n\
             url = \"https://example.org/f{number:02}\"\n"
        )
    };
    let front: String = (1..=13).map(film).collect();
    let read = Written::of("press-release", "sv", &front, "Ett.").read();
    let (text, html) = (read.text, read.html);
    let one = "* Film 07\n   Eva Ek (X), ordförande\n   Hon berättar.\n   https://example.org/f07\n\n* Film 08\n";
    assert!(text.contains(one), "{text}");
    assert_eq!(html.matches("<li>").count(), 13);
    for part in [
        "href=\"https://example.org/f13\">Film 13</a><br>",
        "<span class=\"faint\">Eva Ek (X), ordförande</span><br>Hon berättar.</li>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}
