use super::*;

fn rules() -> Rules {
    Rules::shipped().unwrap()
}

fn read(mail: &str) -> Reading {
    rules().read(&Incoming::parse(mail.as_bytes()).unwrap())
}

fn mail(body: &str) -> String {
    let fields = "From: Karin Ek <karin@example.com>\nTo: rsvp@lists.example.org\nSubject: Sv: Inbjudan: Kommer bostäderna?\n\
        MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n";
    format!("{fields}\n{body}")
}

fn answer(mail: &str) -> Answer {
    match read(mail) {
        Reading::Answer(answer) => answer,
        other => panic!("{other:?}\n{mail}"),
    }
}

fn doubt(mail: &str) -> Doubt {
    match read(mail) {
        Reading::Uncertain { why, .. } => why,
        other => panic!("{other:?}\n{mail}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Reads a text as if it were the whole new text of a mail.
fn read_text(rules: &Rules, text: &str) -> Result<Option<Attendance>, Doubt> {
    rules.judge(&fields::read(&rules.reader.read_text("", text).text(), &rules.words), "").said
}

#[test]
fn wordings_mean_what_people_mean() {
    let (rules, mut wrong) = (rules(), Vec::new());
    let table = include_str!("../../../tests/data/rsvp-wordings.tsv").lines();
    for line in table.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (expected, text) = line.split_once('\t').unwrap();
        let read = read_text(&rules, &text.replace("\\n", "\n"));
        let got = match read {
            Ok(Some(Attendance::Yes)) => "yes",
            Ok(Some(Attendance::No)) => "no",
            Ok(Some(Attendance::Maybe)) => "maybe",
            Ok(None) | Err(_) => "unclear",
        };
        if got != expected {
            wrong.push(format!("{expected}, read as {read:?}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn labelled_fields_are_taken_as_given() {
    let body = "Jag kommer gärna!\n\nNamn: Karin Ek\nRedaktion: Exempelbladet, Örebro\n* Funktion: reporter\nPresskort: 12345-6\n\
        Antal: 2\nTelefon: 070-174 06 05\n";
    let got = answer(&mail(body));
    let person = Person {
        name: some("Karin Ek"),
        newsroom: some("Exempelbladet, Örebro"),
        function: some("reporter"),
        press_card: some("12345-6"),
        people: Some(2),
    };
    assert_eq!((got.person, got.attendance), (person.clone(), Attendance::Yes));
    assert_eq!(got.comment, "Jag kommer gärna!");
    let english = "I will attend. \nName: Karin Ek; Newsroom/Media: Exempelbladet, Örebro; Role: reporter; Press card: 12345-6; \
        Number of people: two";
    let got = answer(&mail(english));
    assert_eq!(got.person, person, "{got:?}");
}

#[test]
fn those_whom_a_person_brings_are_counted() {
    let people = |text: &str| answer(&mail(text)).person.people;
    for (text, count) in [
        ("Jag kommer gärna. Har med mig en fotograf.", 2),
        ("Jag kommer tillsammans med min kollega Oskar.", 2),
        ("Ja tack, jag kommer! Tar med mig en kollega och två fotografer.", 4),
        ("I will attend, bringing a photographer and an intern.", 3),
        ("Jag kommer. Vi blir tre. Har med mig en fotograf.", 3),
    ] {
        assert_eq!(people(text), Some(count), "{text}");
    }
    for text in [
        "Jag kommer, men har inte med mig någon fotograf.",
        "Jag kommer. Tar med mig inga frågor.",
        "Jag kommer. Har med mig min kamera.",
        "Jag kommer tillsammans med stor glädje.",
    ] {
        assert_eq!(people(text), None, "{text}");
    }
}

#[test]
fn all_that_the_invitation_asks_for_is_a_registration() {
    let form = "Namn: Karin Ek\nRedaktion: Exempelbladet\nFunktion: reporter\n";
    assert_eq!(answer(&mail(form)).attendance, Attendance::Yes);
    assert_eq!(doubt(&mail("Namn: Karin Ek\n")), Doubt::NoAnswer);
    // A form sent back blank says nothing.
    assert_eq!(doubt(&mail("Namn:\nRedaktion: ____\nFunktion:\n")), Doubt::NoAnswer);
    assert_eq!(answer(&mail(&format!("Tyvärr kan jag inte komma.\n{form}"))).attendance, Attendance::No);
    assert_eq!(answer(&mail(&format!("{form}Deltar: nej\n"))).attendance, Attendance::No);
}

#[test]
fn a_signature_gives_name_function_and_newsroom() {
    let got = answer(&mail(
        "Jag kommer, presskort nr 4711.\n\nMed vänlig hälsning\nKarin Ek\nReporter, Exempelbladet\n070-174 06 05",
    ));
    let person = got.person;
    assert_eq!((person.name, person.function), (some("Karin Ek"), some("Reporter")));
    assert_eq!((person.newsroom, person.press_card), (some("Exempelbladet"), some("4711")));
    let line = answer(&mail("Vi kommer, två personer.\n\nOskar Wiklund, fotograf, Exempelposten\n")).person;
    assert_eq!((line.name, line.newsroom, line.people), (some("Oskar Wiklund"), some("Exempelposten"), Some(2)));
    // Words in a signature are not an answer.
    assert_eq!(doubt(&mail("Tack!\n\nMvh\nKarin Ek\nJag kommer alltid\n")), Doubt::NoAnswer);
}

#[test]
fn quoted_text_is_not_read() {
    let ours = "Den tors 4 mars 2027 kl 09:12 skrev Exempelförbundet <media@lists.example.org>:\n> Namn: Anna\n> Jag kommer.\n";
    assert_eq!(doubt(&mail(&format!("Tack!\n\n{ours}"))), Doubt::NoAnswer);
    assert_eq!(answer(&mail(&format!("Nej, tyvärr.\n\n{ours}"))).attendance, Attendance::No);
    assert_eq!(answer(&mail(&format!("{ours}\nKommer inte.\n"))).attendance, Attendance::No);
    let outlook = "Jag kan inte komma.\n\nFrån: Exempelförbundet <media@lists.example.org>\nSkickat: den 4 mars 2027 09:12\n\
        Till: Karin Ek\nÄmne: Inbjudan\n\nVi hoppas att du kommer. Jag kommer.\n";
    assert_eq!(answer(&mail(outlook)).attendance, Attendance::No);
}

#[test]
fn a_subject_of_ours_says_nothing_and_one_of_theirs_may() {
    let with = |subject: &str, body: &str| mail(body).replace("Sv: Inbjudan: Kommer bostäderna?", subject);
    assert_eq!(doubt(&with("Re: Anmälan till pressträff", "Hej!")), Doubt::NoAnswer);
    assert_eq!(answer(&with("Anmälan till pressträff", "Karin Ek, Exempelbladet")).attendance, Attendance::Yes);
    assert_eq!(answer(&with("Accepted: Pressträff @ Thu 11 Mar 2027", "")).attendance, Attendance::Yes);
    assert_eq!(answer(&with("Avböjt: Pressträff", "")).attendance, Attendance::No);
    assert_eq!(doubt(&with("Anmälan till pressträff", "Jag kan inte komma.")), Doubt::Contradiction);
}

#[test]
fn a_question_beside_an_answer_is_noticed() {
    assert!(answer(&mail("Jag kommer gärna! Finns det parkering?")).asks);
    assert!(!answer(&mail("Jag kommer gärna! Se https://example.org/?a=b")).asks);
    assert_eq!(doubt(&mail("Kommer ni att sända?")), Doubt::Question);
}

#[test]
fn a_program_that_writes_for_somebody_away_never_answers() {
    let body = "Jag är på semester och kan inte komma.\n";
    let plain = mail(body);
    assert_eq!(answer(&plain).attendance, Attendance::No);
    for field in ["Auto-Submitted: auto-replied", "Precedence: auto_reply", "X-Autoreply: yes", "X-Autoresponder: yes"]
    {
        assert_eq!(read(&format!("{field}\n{plain}")), Reading::Automatic, "{field}");
    }
    // What a person may have written does not disappear: the press contact looks at it.
    for field in ["Precedence: bulk", "List-Id: <x.example.org>"] {
        assert_eq!(doubt(&format!("{field}\n{plain}")), Doubt::Automatic, "{field}");
    }
    assert_eq!(answer(&format!("X-Auto-Response-Suppress: All\n{plain}")).attendance, Attendance::No);
    for subject in ["Autosvar: Inbjudan", "Automatic reply: Inbjudan", "Out of Office", "Frånvaro: Sv: Inbjudan"] {
        let mail = plain.replace("Sv: Inbjudan: Kommer bostäderna?", subject);
        assert_eq!(doubt(&mail), Doubt::Automatic, "{subject}");
    }
    assert_eq!(
        doubt(&mail("Hej! Detta är ett automatiskt svar. Jag kommer inte att läsa min mejl.")),
        Doubt::Automatic
    );
}

#[test]
fn an_answer_that_cannot_be_read_is_said_to_be_so_and_html_is_read_where_the_text_is_empty() {
    let fields = "From: Karin Ek <karin@example.com>\nSubject: Sv: Inbjudan\nMIME-Version: 1.0\n";
    let opaque = format!("{fields}Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nMIIG\n");
    assert_eq!(doubt(&opaque), Doubt::Unreadable);
    let html = format!(
        "{fields}Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n\n--b\n\
         Content-Type: text/html\n\n<p>Jag kommer inte.</p><blockquote type=cite>Jag kommer.</blockquote>\n--b--\n"
    );
    assert_eq!(answer(&html).attendance, Attendance::No);
    let token = "aebagbafaydqqcikbmgaydq2ce";
    assert!(!answer(&mail(&format!("Jag kommer. <media-confirm+{token}@lists.example.org>"))).comment.contains(token));
}

#[test]
fn any_text_is_read_in_bounded_time() {
    let rules = rules();
    for seed in [
        "Jag kommer inte om ",
        "Namn: ",
        "och ",
        "? ",
        "kommer ",
        "can't ",
        "\n",
        "(",
        "å,",
        "presskort ",
        "Mvh\n",
        "'",
    ] {
        let text = seed.repeat(200_000 / seed.len());
        let _ = rules.read(&Incoming::parse(mail(&text).as_bytes()).unwrap());
        for cut in 0..40 {
            let _ = read_text(
                &rules,
                &text[text.floor_char_boundary(cut)
                    ..text.floor_char_boundary(cut * 7 + 1).max(text.floor_char_boundary(cut))],
            );
        }
    }
}
