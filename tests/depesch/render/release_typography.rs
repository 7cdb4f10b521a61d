//! What belongs together stays on one line, and no sentence has two end marks.

use crate::support::written::Written;

#[test]
fn numbers_times_and_phones_do_not_break_at_the_end_of_a_line() {
    // With each length of the text before, the line breaks elsewhere.
    for length in 0..72 {
        let body = format!("{} 190 000 kr kl. 9.30 och § 5 eller 20 %, 070-174 06 12.", "x".repeat(length + 1));
        let read = Written::body(&body).read();
        read.holds(
            &["190\u{a0}000\u{a0}kr", "kl.\u{a0}9.30", "§\u{a0}5", "20\u{a0}%", "070-174\u{a0}06\u{a0}12"],
            &["190\u{a0}000\u{a0}kr", "kl.\u{a0}9.30"],
        );
    }
}

#[test]
fn a_line_break_in_the_source_is_not_a_break() {
    Written::body("Möt oss kl.\n9.30–16.00 med 190\n000 andra.").read().holds(
        &["kl.\u{a0}9.30–16.00", "190\u{a0}000 andra"],
        &["<span>kl.\u{a0}9.30–16.00</span>", "190\u{a0}000 andra"],
    );
}

#[test]
fn no_full_stop_follows_a_question() {
    let item = "[[programme]]\ntitle = \"A\"\n[[programme.items]]\ntitle = \"Var befinner sig i?\"\npeople = [\"Emma Ek\"]\n\
                [[programme.items]]\ntitle = \"Läget\"\npeople = [\"Bo Ek\"]\n\
                [[videos]]\ntitle = \"Vart går vi?\"\ntext = \"Textad.\"\nurl = \"https://example.org/v\"";
    let read = Written::of("press-release", "sv", item, "").read();
    read.holds(
        &["befinner sig i? Emma Ek", "Läget. Bo Ek", "* Vart går vi?\n   Textad.\n   https://example.org/v"],
        &[],
    );
}
