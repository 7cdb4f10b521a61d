use super::*;

fn swedish() -> Reading {
    Reading {
        of_releases: true,
        dash: "– ".to_owned(),
        verbs: vec!["säger".to_owned()],
        typography: Typography::default(),
    }
}

fn read(markdown: &str) -> Vec<Block> {
    parse(markdown, &swedish())
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![Inline::Text(text.to_owned())])
}

fn speaker(name: &str, title: &str) -> Option<Speaker> {
    Some(Speaker { name: name.to_owned(), party: None, titles: vec![title.to_owned()] })
}

#[test]
fn a_quote_knows_its_speaker_on_the_last_line_or_paragraph() {
    let expected =
        vec![Block::Quote { blocks: vec![paragraph("Nu räcker det.")], speaker: speaker("Karin Ek", "ordförande") }];
    assert_eq!(read("> Nu räcker det.\n> — Karin Ek, ordförande"), expected);
    assert_eq!(read("> Nu räcker det.\n>\n> – Karin Ek, ordförande"), expected);
    assert_eq!(read("> - Nu räcker det.\n>\n> — Karin Ek, ordförande"), expected);
}

#[test]
fn speech_in_a_quote_is_no_speaker() {
    let speech = |texts: &[&str]| vec![Block::Speech(texts.iter().map(|text| paragraph(text)).collect())];
    assert_eq!(read("> – Bra.\n>\n> – Det är sant."), speech(&["– Bra.", "– Det är sant."]));
    assert_eq!(read("> Vi är glada, säger Karin Ek."), speech(&["Vi är glada, säger Karin Ek."]));
    assert_eq!(read("> - Vi är glada, säger Karin Ek."), speech(&["– Vi är glada, säger Karin Ek."]));
}

#[test]
fn a_hyphen_before_speech_is_a_dash_and_a_list_stays_a_list() {
    assert_eq!(
        read("- Bra, säger hon.\n\n- Mycket bra."),
        [paragraph("– Bra, säger hon."), paragraph("– Mycket bra.")]
    );
    assert_eq!(read("-Bra, säger hon."), [paragraph("– Bra, säger hon.")]);
    assert_eq!(read("-- Bra, säger hon."), [paragraph("– Bra, säger hon.")]);
    for list in ["- ett\n- två", "* Bra, säger hon.", "- Fler unga.\n- Lägre avgift.\n- Bra, säger hon.", "- En."] {
        assert!(matches!(read(list).as_slice(), [Block::List { .. }]), "{list}");
    }
    let english = Reading { dash: String::new(), ..swedish() };
    assert!(matches!(parse("- Good, säger hon.", &english).as_slice(), [Block::List { .. }]));
}

#[test]
fn a_dash_that_begins_a_paragraph_stays() {
    assert_eq!(read("– Nu räcker det, säger hon."), vec![paragraph("– Nu räcker det, säger hon.")]);
    assert_eq!(
        parse("> — Karin Ek", &Reading::default()),
        vec![Block::Quote { blocks: vec![paragraph("— Karin Ek")], speaker: None }]
    );
}

#[test]
fn lines_with_dashes_or_bullets_stay_lines() {
    let Block::Paragraph(inlines) = &read("– ett\n– två")[0] else { panic!() };
    assert_eq!(inlines[1], Inline::HardBreak);
    let items = vec![vec![paragraph("ett")], vec![paragraph("två")]];
    assert_eq!(read("• ett\n•\ttvå"), [Block::List { first: None, items }]);
}

#[test]
fn headings_begin_below_the_headline() {
    let levels = |text: &str| -> Vec<u8> {
        read(text).iter().filter_map(|b| if let Block::Heading(level, _) = b { Some(*level) } else { None }).collect()
    };
    assert_eq!(levels("# a\n\n## b"), [2, 3]);
    assert_eq!(levels("## a\n\n### b"), [2, 3]);
}

#[test]
fn hostile_nesting_is_read() {
    for hostile in ["> ", "- ", "[", "*a ", "**a* ", "1. ", "~a ", "^a ", "|"] {
        let blocks = read(&format!("{}x\n\nslut", hostile.repeat(3000)));
        assert!(blocks.contains(&paragraph("slut")), "{hostile}");
    }
}

#[test]
fn words_in_blocks_of_html_and_footnotes_are_kept() {
    assert_eq!(read("<div>HTML <b>fet</b></div>\n\nslut"), [paragraph("HTML fet"), paragraph("slut")]);
    assert_eq!(read("Se[^a] H~2~O x^2^.\n\n[^a]: Fotens text.\n\nslut")[2], paragraph("¹ Fotens text."));
    assert_eq!(
        read("Av <Karin Ek>, <b>fet</b>")[0],
        Block::Paragraph(vec![
            Inline::Text("Av <Karin Ek>, ".to_owned()),
            Inline::Html("<b>".to_owned()),
            Inline::Text("fet".to_owned()),
            Inline::Html("</b>".to_owned()),
        ])
    );
    assert_eq!(read("<Karin Ek>"), [paragraph("<Karin Ek>")]);
    assert_eq!(read("H~2~O x^2^")[0], paragraph("H₂O x²"));
    assert_eq!(read("- [x] gjort"), [Block::List { first: None, items: vec![vec![paragraph("☑ gjort")]] }]);
}

#[test]
fn a_lead_of_several_blocks_keeps_every_line() {
    let inlines = parse_inline("Ett.\n\n- två\n- tre\n\n> fyra", &swedish());
    assert_eq!(text_of(&inlines), "Ett. • två • tre fyra");
}
