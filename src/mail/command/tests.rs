//! The requests in everyday mails, and texts that request nothing.

use super::*;
use crate::mail::reply::Question;

fn commands() -> &'static Commands {
    static COMMANDS: std::sync::LazyLock<Commands> = std::sync::LazyLock::new(|| Commands::shipped().unwrap());
    &COMMANDS
}

const KNOWN: Known<'_> = Known {
    list_name: "media",
    list_title: "Pressmeddelanden från Exempelförbundet",
    list_address: "media@lists.example.org",
    sender: "karin@example.org",
    sender_name: "",
};

fn read(subject: &str, text: &str) -> Vec<Command> {
    commands().read(subject, text, &KNOWN).commands
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn everyday_lines_in_both_languages() {
    use Command::*;
    for (line, command) in [
        ("prenumerera", Subscribe),
        ("Prenumerera!", Subscribe),
        ("Anmälan", Subscribe),
        ("Jag vill gärna prenumerera på era pressmeddelanden, tack.", Subscribe),
        ("subscribe media", Subscribe),
        ("SUBSCRIBE karin@example.org", Subscribe),
        ("Please sign me up", Subscribe),
        ("join", Subscribe),
        ("avsluta", Unsubscribe),
        ("Avsluta min prenumeration", Unsubscribe),
        ("Vänligen avregistrera mig från listan", Unsubscribe),
        ("Avanmälan", Unsubscribe),
        ("unsubscribe", Unsubscribe),
        ("STOP", Unsubscribe),
        ("stop sending me press releases", Unsubscribe),
        ("Please remove me from this list", Unsubscribe),
        ("bekräfta", Confirm),
        ("Ja tack!", Confirm),
        ("OK", Confirm),
        ("pausa", Pause),
        ("återuppta", Resume),
        ("vilka?", Which),
        ("which", Which),
        ("Hjälp", Help),
        ("help", Help),
        ("ägare", Owner),
        ("set language en", Language("en".parse().unwrap())),
        ("Language: English", Language("en".parse().unwrap())),
        ("sätt språk engelska", Language("en".parse().unwrap())),
        ("Ändra språk till svenska", Language("sv".parse().unwrap())),
        ("språk: svenska", Language("sv".parse().unwrap())),
        ("språk en-GB", Language("en-gb".parse().unwrap())),
        ("Ämnen: Skola, vård och omsorg", Beats(set(&["skola", "vård och omsorg"]))),
        ("set beats schools; health", Beats(set(&["schools", "health"]))),
        ("bevakning: inga", Beats(set(&[]))),
        ("Regioner: Skaraborg, Västra Götaland", Regions(set(&["skaraborg", "västra götaland"]))),
    ] {
        assert_eq!(read("", line), std::slice::from_ref(&command), "{line} in the text");
        assert_eq!(read(line, ""), [command], "{line} in the subject");
    }
}

#[test]
fn sentences_are_no_commands() {
    for line in [
        "Jag vill inte avsluta min prenumeration",
        "do not unsubscribe me",
        "Please don't stop",
        "When does the strike stop?",
        "Stoppa nedskärningarna i skolan",
        "Remove the paragraph about pay from the release",
        "unsubscribe bo@example.org",
        "Anmälan till pressträffen den 3 mars",
        "Kan ni hjälpa mig med en intervju?",
        "Vilka är med på bilden?",
        "Språk är viktigt för oss",
        "språk: klingonska",
        "Regioner som berörs är Skåne och Blekinge",
        "Join us for the press conference",
        "Confirm the quote before noon",
        "",
        "!!!",
    ] {
        assert_eq!(read("", line), [], "{line}");
        assert_eq!(read(line, ""), [], "{line}");
    }
}

#[test]
fn prefixes_of_subjects_do_not_matter() {
    for subject in
        ["Sv: avsluta", "RE: SV: avsluta", "Re[2]: avsluta", "VB: avsluta", "[media] Sv: avsluta", "Fwd:avsluta"]
    {
        assert_eq!(read(subject, ""), [Command::Unsubscribe], "{subject}");
    }
}

#[test]
fn several_commands_stand_on_lines_of_their_own() {
    let text = "Hej!\n\nprenumerera\nspråk: engelska\nämnen: skola\nprenumerera\n\nMvh\nKarin\navsluta\n";
    let reading = commands().read("Prenumerera", text, &KNOWN);
    let english = "en".parse().unwrap();
    assert_eq!(reading.commands, [Command::Subscribe, Command::Language(english), Command::Beats(set(&["skola"]))]);
    assert_eq!(reading.language.unwrap().as_str(), "sv");
    assert_eq!(reading.other_words, 0);
}

#[test]
fn the_first_other_line_ends_the_commands() {
    let reading = commands().read("", "help\nHow are you today?\nunsubscribe\n", &KNOWN);
    assert_eq!(reading.commands, [Command::Help]);
    assert_eq!(reading.other_words, 5);
}

#[test]
fn quotations_signatures_and_contradictions_ask_for_nothing() {
    assert_eq!(read("", "> unsubscribe\n"), []);
    assert_eq!(read("Sv: Nytt om skolan", "-- \navsluta\n"), []);
    assert_eq!(read("", "Den 3 mars skrev Press:\navsluta\n"), []);
    assert_eq!(read("prenumerera", "avsluta"), []);
    assert_eq!(read("", "språk: svenska\nspråk: engelska"), []);
}

#[test]
fn the_language_is_that_of_the_words() {
    let language = |text: &str| commands().read("", text, &KNOWN).language.map(|tag| tag.to_string());
    assert_eq!(language("prenumerera").as_deref(), Some("sv"));
    assert_eq!(language("unsubscribe").as_deref(), Some("en"));
    assert_eq!(language("ok"), None);
    assert_eq!(language("nothing of this"), None);
}

fn answer_of(subject: &str, text: &str, known: &Known<'_>) -> Answer {
    let question = Question::new("Bekräfta", "Stämmer det? Svara ja, eller nej. Fråga. Fråga.", "");
    commands().answer(&commands().reader().read_text(subject, text), known, Some(&question))
}

#[test]
fn what_a_reply_says() {
    let answer = |subject: &str, text: &str| answer_of(subject, text, &KNOWN);
    for yes in [
        "",
        "ja",
        "Hej,\n\nJag bekräftar.\n\nMvh\nKarin",
        "> fråga\n> fråga\n",
        "Skickat från min iPhone\n\n> Nej",
        "Karin Ek\nReporter, Exempelbladet\n070-174 06 05",
        "Gärna! Tack för det.",
        "Yes please\n\nThis message is confidential. If you are not the intended recipient, delete it.",
        "This message and any attachments are confidential.\nThey are meant for the intended recipient.",
        "ok",
        "Ja, skicka gärna till mig.",
        "Yes, I would like to have them.",
        "Hej!",
        "Ja\nKarin",
        ".",
        "Med vänlig hälsning\n\nKarin Ek\nReporter\nExempelbladet, Örebro\n+46 70 174 06 05\nwww.exempelbladet.example",
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nJa\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEB\n-----END PGP SIGNATURE-----",
    ] {
        assert_eq!(answer("Sv: Bekräfta", yes), Answer::Yes, "{yes}");
    }
    for no in ["nej", "Nej tack!", "No", "Hi,\nnot me"] {
        assert_eq!(answer("Re: Confirm", no), Answer::No, "{no}");
    }
    assert_eq!(answer("Sv: Bekräfta", "avsluta"), Answer::Command(Command::Unsubscribe));
    for away in
        ["Jag är på semester till den 15 augusti.", "I am out of the office until Monday.", "Ja, ich bin dann mal weg."]
    {
        assert_eq!(answer("Sv: Bekräfta", away), Answer::Message, "{away}");
    }
    assert_eq!(answer("Autosvar: Bekräfta", "Ja"), Answer::Message);
    assert_eq!(answer("Sv: Autosvar: Bekräfta", "ja"), Answer::Yes, "a person answers the automatic answer");
    let long = "ord ".repeat(80);
    for letter in ["Jag har inte bett om detta", "Why do you write to me?", &long] {
        assert_eq!(answer("Sv: Bekräfta", letter), Answer::Message, "{letter}");
    }
}

#[test]
fn what_is_not_all_of_our_question_and_a_signature_is_no_yes() {
    for text in [
        "\u{1f44e}",
        "\u{1f44d}",
        "?",
        "???\n\nSkickat från min iPhone",
        ":-(",
        "--\nNej tack, ta bort mig!",
        "----------\nTa bort mig",
        "| Nej tack, ta bort mig!",
        "> Nej tack, ta bort mig!",
        "Mvh Karin\n\nPS. Nej, jag vill inte!",
        "Mvh Karin\n\nGlöm det.",
        "Mvh Karin \u{1f44e}",
        "> Stämmer det?\n\nNej, jag vill inte!",
        "> Stämmer det?\n\nNej, det gör det inte!\n\n> Svara ja",
        "-----Ursprungligt meddelande-----\nFrån: Media <a@example.org>\n\nStämmer det?\n\nNej, jag vill inte!",
        "-----Ursprungligt meddelande-----\nFrån: Media <a@example.org>\n\nStämmer det?\n\nNej",
        "Är detta rätt mottagare? Nej, jag vill inte ha mejl.",
        "Jag tror inte att jag är rätt mottagare för det här",
        "Ja\nmen bara kulturnyheter",
        "Ja, men inte än",
        "Ja\n\nMvh Karin\nPS. Nej förresten",
        "Ja?",
        "Ja \u{1f44e}",
        "[cid:image001.png@01DC]",
        "-----BEGIN PGP MESSAGE-----\n\nhQEMA1c\n-----END PGP MESSAGE-----",
        "begin 644 text\n92F%G\n`\nend",
        "Karin\nPå semester v 28-31",
    ] {
        assert_eq!(answer_of("Sv: Bekräfta", text, &KNOWN), Answer::Message, "{text}");
    }
    for subject in [
        "Bekräfta",
        "Abwesend: Bekräfta",
        "Sv: Bekräfta [Ärende 4711]",
        "Semester",
        "Läst: Bekräfta",
        "VB: Bekräfta",
        "",
    ] {
        assert_eq!(answer_of(subject, "", &KNOWN), Answer::Message, "{subject}");
    }
    let reply = commands().reader().read_text("Sv: Bekräfta", "");
    assert_eq!(commands().answer(&reply, &KNOWN, None), Answer::Message, "the question is not known");
}

#[test]
fn thanks_and_acknowledgements_are_no_yes() {
    for text in [
        "Thank you for contacting us. We have received your message and will get back to you.",
        "Thank you for contacting us.\nWe have received your message and will get back to you.\n\nBest regards\nThe desk",
        "Tack för ditt mejl. Vi har tagit emot ditt meddelande och återkommer.",
        "Hej!\n\nTack för ditt mejl.\nVi har tagit emot ditt meddelande och återkommer.\n\nMvh\nRedaktionen",
        "Karin\nTack för ditt mejl, vi återkommer.",
        "Ditt ärende har fått nummer 4711",
        "Received with thanks",
        "Redaktionen",
    ] {
        assert_eq!(answer_of("Sv: Bekräfta", text, &KNOWN), Answer::Message, "{text}");
    }
    let known = Known { sender: "tips@example.org", sender_name: "Åsa Ek", ..KNOWN };
    assert_eq!(answer_of("Sv: Bekräfta", "Åsa Ek\nExempelbladet\nTfn 08-465 004 00", &known), Answer::Yes);
    assert_eq!(answer_of("Sv: Bekräfta", "Tack från Åsa", &known), Answer::Message);
}

#[test]
fn tokens_are_found_wherever_they_stand() {
    let token = "aaaaabbbbbcccccdddddeeeee2";
    for text in [
        format!("Sv: Bekräfta [{token}]"),
        format!("<media-confirm+{token}@lists.example.org>"),
        format!("> kod: {}", token.to_uppercase()),
    ] {
        assert_eq!(tokens(&text), [token], "{text}");
    }
    assert_eq!(tokens(&"a".repeat(100_000)), Vec::<String>::new());
    assert_eq!(tokens(&format!("{token} ").repeat(10_000)), [token]);
}

#[test]
fn a_subject_is_read_behind_prefixes_and_the_tags_of_gateways() {
    for subject in [
        "EXTERN: unsubscribe",
        "[EXTERN] unsubscribe",
        "Re\u{ff1a} unsubscribe",
        "SV\u{a0}: [Extern] unsubscribe",
        "Re: EXT: unsubscribe",
        "(External) unsubscribe",
        "{EXT} Sv: unsubscribe",
        "<EXTERNAL> unsubscribe",
        "*EXTERN* unsubscribe",
        "EXTERN - unsubscribe",
        "Extern avsändare | unsubscribe",
        "EXTERNAL unsubscribe",
        "\u{ff32}\u{ff25}: \u{ff55}nsubscribe",
        "VB: Avbeställ",
        "Avbeställa nyhetsbrevet",
        "\u{feff}Avsluta",
        "Avbesta\u{308}ll",
        "avanma\u{308}lan",
        "av\u{ad}sluta",
    ] {
        assert_eq!(read(subject, ""), [Command::Unsubscribe], "{subject}");
    }
    for subject in ["Externa relationer", "Spamfilter: hjälp", "EXTERN granskning: unsubscribe", "Obs: (alla) avsluta"]
    {
        assert_eq!(read(subject, ""), [], "{subject}");
    }
}

#[test]
fn what_a_gateway_writes_above_or_below_is_none_of_the_senders() {
    for banner in [
        "Externt mejl \u{2013} var försiktig med länkar och bilagor.",
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments.",
        "[EXTERNAL EMAIL] Think before you click",
    ] {
        let reading = commands().read("hej", &format!("{banner}\n\navsluta\n\n{banner}"), &KNOWN);
        assert_eq!((reading.commands, reading.other_words), (vec![Command::Unsubscribe], 0), "{banner}");
    }
}

#[test]
fn a_request_to_be_erased_is_no_request_to_leave() {
    for line in [
        "Radera mig",
        "Radera mina uppgifter tack",
        "Ta bort mina uppgifter",
        "Vänligen ta bort alla mina uppgifter.",
        "Jag vill bli glömd",
        "Glöm mig!",
        "Delete my data",
        "Please erase all my data, thank you",
        "erase",
        "I want to be forgotten",
    ] {
        assert_eq!(read("hej", line), [Command::Erase], "{line}");
    }
    for line in ["Radera mig från listan", "Ta bort mig", "Delete me", "Remove me from this list"] {
        assert_eq!(read("hej", line), [Command::Unsubscribe], "{line}");
    }
    assert_eq!(read("", "Radera inte mina uppgifter"), []);
}

#[test]
fn a_command_to_the_list_itself_is_told_from_a_post() {
    let known = Known { sender_name: "Karin Ek", ..KNOWN };
    let is_request = |subject: &str, text: &str| {
        commands().is_request(subject, &commands().reader().read_text(subject, text), &known)
    };
    for (subject, text) in [
        ("unsubscribe", ""),
        ("hej", "Ta bort mig från listan tack"),
        ("", "Hej!\n\nAvprenumerera\n\nMvh\nKarin"),
        ("avsluta", "-- \nKarin Ek\nExempelbladet"),
        ("Unsubscribe", "Karin Ek\nReporter, Exempelbladet\n070-174 06 05"),
        ("hjälp", ""),
        ("Hjälp", "Karin Ek\nExempelbladet"),
        ("prenumerera", ""),
        ("Radera mina uppgifter", ""),
        ("Re: Nästa möte", "unsubscribe\n\n> Vi ses på torsdag."),
        ("Sv: Nästa möte", "Hej, ta bort mig\n\nDen 2 nov. 2026 skrev Anna <a@example.org>:\n> Vi ses"),
    ] {
        assert!(is_request(subject, text), "{subject}: {text}");
    }
    let long = "Vi har länge diskuterat hur vi ska hantera den här frågan och jag tror att vi måste besluta nu.";
    for (subject, text) in [
        ("Nästa möte", "Vi ses på torsdag."),
        ("avsluta", long),
        ("Unsubscribe", long),
        ("Hur man kan avprenumerera", ""),
        ("Förslag", &format!("Avsluta\n\n{long}")),
        ("Hjälp", "Min skrivare fungerar inte."),
        ("Hjälp!\n", "Hjälp!\nKan någon komma hit?"),
        ("Re: Ska vi sluta?", "Stopp!"),
        ("Re: Fler möten", "Inga fler"),
        ("Sv: Hjälp", "Hjälp"),
        ("Ämne: budget", ""),
        ("Re: Förslag", "Ja"),
        ("Förslag", "Ja tack"),
        ("Paus", "Vi börjar igen klockan tio."),
    ] {
        assert!(!is_request(subject, text), "{subject}: {text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_read(subject in "\\PC{0,200}", text in "(?s).{0,2000}") {
        let commands = commands();
        commands.read(&subject, &text, &KNOWN);
        answer_of(&subject, &text, &KNOWN);
        commands.is_request(&subject, &commands.reader().read_text(&subject, &text), &KNOWN);
        tokens(&text);
    }
}
