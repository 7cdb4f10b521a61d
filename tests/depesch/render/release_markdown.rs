//! Markdown beyond paragraphs: shown in both parts, or reported.

use crate::support::written::Written;

#[test]
fn a_table_is_one_in_html_and_aligned_in_the_text() {
    let written = Written::body("| Parti | 2022 | 2026 |\n|:--|--:|--:|\n| A | 12,5 | **13,1** |\n| Bå | 8 | 18,7 |");
    written.check(&[]);
    written.read().holds(
        &["\nParti  2022  2026\n-----  ----  ----\nA      12,5  13,1\nBå        8  18,7\n"],
        &["scope=\"col\" align=\"left\">Parti</th>", "<td valign=\"top\" align=\"right\"><strong>13,1</strong></td>"],
    );
}

#[test]
fn wide_tables_keep_to_the_columns_of_a_mail() {
    let cell = "Kommunen satsar på skolan och vården. ".repeat(4);
    let read = Written::body(&format!("| Ort | Svar |\n|---|---|\n| Örebro | {cell} |\n| Visby | Nej |")).read();
    let table = read.text.split("Ort").nth(1).unwrap().split("Presskontakt").next().unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 72 && !line.ends_with(' ')), "{table}");
    read.holds(&["\nÖrebro  Kommunen satsar", "\nVisby   Nej"], &[]);
}

#[test]
fn footnotes_strikes_small_digits_and_tasks_are_shown() {
    let written = Written::body(
        "H~2~O och x^2^[^a].\n\n~~struket~~\n\n- [ ] att göra\n- [x] gjort\n\nTerm\n: Betydelse\n\n[^a]: Fotens text.",
    );
    written.check(&[]);
    written.read().holds(
        &["H₂O och x²¹.", "¹ Fotens text.", "~~struket~~", "* ☐ att göra\n* ☑ gjort", "Term\nBetydelse"],
        &["<del>struket</del>", "¹ Fotens text.", "☑ gjort", "<strong>Term</strong><br>"],
    );
}

#[test]
fn the_words_of_html_stay_and_the_tags_are_reported() {
    let written = Written::body("<div class=\"x\">HTML <b>fet</b> <script>alert(1)</script></div>");
    written.check(&["html"]);
    let read = written.read();
    read.holds(&["HTML fet"], &["<p>HTML fet</p>"]);
    assert!(!read.text.contains("alert") && !read.html.contains("alert"), "{}", read.html);
}

#[test]
fn what_markdown_leaves_standing_is_reported() {
    for (body, rule) in [
        ("Fotnot[^1].", "footnote"),
        ("==märkt==", "markup"),
        ("Hej {{name}}!", "markup"),
        ("##Rubrik", "heading"),
        ("Ett stycke.\n---\nNästa.", "heading"),
        ("| a | b |\n| c | d |", "table"),
        ("| a |\n|---|\n| b | c |", "table"),
        ("Text.\n\n    indraget", "code"),
        ("1. ett\n2. två\n10. tio", "numbering"),
    ] {
        let found = Written::body(body).check(&[rule]);
        assert!(found[0].line.is_some() && !found[0].fix.is_empty(), "{found:?}");
    }
    for body in ["1. ett\n1. två\n1. tre", "5. fem\n6. sex", "#hashtag", "```\n**kod** [a](b c)\n```", "`[x](y z)`"] {
        Written::body(body).check(&[]);
    }
}

#[test]
fn lines_of_bullets_stay_lines() {
    Written::body("• ett\n• två").read().holds(&["* ett\n* två"], &["<ul><li>ett</li>\n<li>två</li>"]);
    Written::body("– ett\n– två").read().holds(&["– ett\n– två"], &["– ett<br>\n– två"]);
}
