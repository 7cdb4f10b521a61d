//! Quotes in the Swedish style: with a dash, with the speaker in the sentence or on the last line, and with the party.

use crate::support::written::Written;

#[test]
fn a_hyphen_before_speech_becomes_the_dash_of_the_language() {
    let written = Written::body("- Vi är glada, säger Karin Ek, ordförande.\n\n- Det är en stor dag.\n\nSlut.");
    written.check(&[]);
    written.read().holds(
        &["– Vi är glada, säger Karin Ek, ordförande.\n\n– Det är en stor dag.\n\nSlut."],
        &["<p>– Vi är glada, säger Karin Ek, ordförande.</p>", "<p>– Det är en stor dag.</p>"],
    );
}

#[test]
fn a_quote_that_names_its_speaker_in_the_sentence_has_the_dash() {
    Written::body("> Vi är glada, säger Karin Ek.")
        .read()
        .holds(&["\n– Vi är glada, säger Karin Ek.\n"], &["<blockquote><p>– Vi är glada, säger Karin Ek.</p>"]);
    Written::of("press-release", "en", "", "> We are glad, says Karin Ek.").read().holds(&["> We are glad"], &[]);
}

#[test]
fn real_lists_stay_lists_and_what_may_be_speech_is_reported() {
    let written = Written::body("- Fler unga\n- Lägre avgift");
    written.check(&[]);
    written.read().holds(&["* Fler unga\n* Lägre avgift"], &["<ul>"]);
    Written::body("- Vi är mycket glada över det.").check(&["speech"]);
    Written::body("- Fler unga\n- Lägre avgift\n- Vi är glada, säger Karin Ek.").check(&["speech"]);
}

#[test]
fn the_last_paragraph_is_a_speaker_only_in_the_form_of_a_name() {
    let written = Written::body("> – Vi är glada.\n>\n> – Det är en stor dag, säger hon.");
    written.check(&[]);
    let read = written.read();
    read.holds(&["– Vi är glada.\n\n– Det är en stor dag, säger hon."], &["– Det är en stor dag, säger hon.</p>"]);
    assert!(!read.html.contains("<cite>"));
    Written::body("> Vi är glada.\n>\n> – Karin von Essen (S), ordförande")
        .read()
        .holds(&["– Vi är glada.\nKarin von Essen (S), ordförande"], &["<cite>Karin von Essen (S), ordförande</cite>"]);
    Written::body("> Vi är glada.\n>\n> — ordföranden i förbundet").check(&["speaker"]);
    Written::body("> Vi är glada.\n>\n> Karin Ek, ordförande").check(&["speaker"]);
    Written::body("> Vi är glada.\n>\n> Karin Ek (S)").check(&["speaker"]);
}

#[test]
fn hyphens_before_speech_become_the_marks_of_the_language() {
    let quote = "> -- Vi är glada\n> -- Karin Ek, ordförande";
    Written::body(quote).read().holds(&["– Vi är glada\nKarin Ek, ordförande"], &["– Vi är glada</p>"]);
    Written::of("press-release", "en", "", quote).read().holds(&["“Vi är glada”\nKarin Ek"], &[]);
}

#[test]
fn a_party_is_shown_in_quotes_given_as_fields() {
    let front = "[[quotes]]\ntext = \"Nej.\"\nspeaker = { name = \"Karin Ek\", party = \"S\", titles = [\"statsråd\"] }\n\
                 [[quotes]]\ntext = \"Jo.\"\nspeaker = \"Bo Ek (M), ledamot\"\nattribution = \"before\"\n\
                 [pull_quote]\ntext = \"Kanske.\"\nspeaker = \"Eva Ek (C), kommunalråd\"";
    let lines = ["Karin Ek (S), statsråd", "Bo Ek (M), ledamot", "Eva Ek (C), kommunalråd"];
    Written::of("press-release", "sv", front, "Text.").read().holds(&lines, &lines);
}
