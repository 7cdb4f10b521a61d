use super::*;

const GOOGLE: &str = "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\n\
    METHOD:REPLY\r\nBEGIN:VEVENT\r\nDTSTART:20270311T083000Z\r\nDTEND:20270311T100000Z\r\nDTSTAMP:20270304T081200Z\r\n\
    ORGANIZER;CN=Press:mailto:press@example.org\r\nUID:event-r7@lists.example.org\r\n\
    ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=karin@\r\n example.com;X-NUM-GUESTS=0:mailto:karin@example.com\r\n\
    SEQUENCE:1\r\nSTATUS:CONFIRMED\r\nSUMMARY:Pressträff\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn with(calendar: &str, content_type: &str, from: &str) -> Option<Result<CalendarReply, CalendarDoubt>> {
    let mail = format!("From: {from}\r\nMIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n{calendar}");
    calendar_reply(&Incoming::parse(mail.as_bytes()).unwrap(), from)
}

fn read(calendar: &str) -> Result<CalendarReply, CalendarDoubt> {
    with(calendar, "text/calendar; charset=UTF-8; method=REPLY", "karin@example.com").unwrap()
}

#[test]
fn an_answer_is_read_with_folds_and_parameters() {
    let reply = read(GOOGLE).unwrap();
    assert_eq!((reply.uid.as_str(), reply.sequence), ("event-r7@lists.example.org", 1));
    assert_eq!(reply.participation, Participation::Accepted);
    assert_eq!((reply.name, reply.address.as_str()), (None, "karin@example.com"), "a CN that is an address is no name");
    let outlook = GOOGLE
        .replace("PARTSTAT=ACCEPTED;CN=karin@\r\n example.com", "partstat=declined;CN=\"Ek, Karin: reporter\"")
        .replace("mailto:karin", "MAILTO:karin")
        .replace("SEQUENCE:1", "COMMENT;LANGUAGE=sv-SE:Har förhinder\\, tyvärr.\\nKarin\r\nSEQUENCE:0")
        .replace("\r\n", "\n");
    let reply = read(&outlook).unwrap();
    assert_eq!(reply.participation, Participation::Declined);
    assert_eq!(reply.name.as_deref(), Some("Ek, Karin: reporter"));
    assert_eq!(reply.comment.as_deref(), Some("Har förhinder, tyvärr.\nKarin"));
}

#[test]
fn the_method_stands_twice_and_is_the_same() {
    let typed = |content_type: &str| with(GOOGLE, content_type, "karin@example.com");
    assert_eq!(typed("text/calendar; method=REQUEST"), Some(Err(CalendarDoubt::Method)));
    assert_eq!(typed("text/calendar"), Some(Err(CalendarDoubt::Method)));
    assert!(typed("text/calendar; method=reply").unwrap().is_ok());
    assert_eq!(typed("text/plain"), None);
    assert_eq!(read(&GOOGLE.replace("METHOD:REPLY\r\n", "")), Err(CalendarDoubt::Method));
    let counter = GOOGLE.replace("METHOD:REPLY", "METHOD:COUNTER");
    let read = with(&counter, "text/calendar; method=COUNTER", "karin@example.com");
    assert_eq!(read, Some(Err(CalendarDoubt::NoReply)));
}

#[test]
fn one_attendee_answers_or_nobody() {
    for (status, expected) in [
        ("TENTATIVE", Ok(Participation::Tentative)),
        ("NEEDS-ACTION", Err(CalendarDoubt::Undecided)),
        ("DELEGATED", Err(CalendarDoubt::Undecided)),
    ] {
        let reply = read(&GOOGLE.replace("PARTSTAT=ACCEPTED", &format!("PARTSTAT={status}")));
        assert_eq!(reply.map(|reply| reply.participation), expected);
    }
    let line = "ATTENDEE;PARTSTAT=DECLINED;CN=Oskar Wiklund:mailto:oskar@example.com\r\nSEQUENCE";
    let two = GOOGLE.replace("SEQUENCE", line);
    assert_eq!(read(&two).unwrap().participation, Participation::Accepted, "the sender is one of them");
    let stranger = with(&two, "text/calendar; method=REPLY", "nils@example.com").unwrap();
    assert_eq!(stranger, Err(CalendarDoubt::Several));
    assert_eq!(read("BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n"), Err(CalendarDoubt::Several));
}

#[test]
fn instances_of_a_series_count_where_they_agree() {
    let event = &GOOGLE[GOOGLE.find("BEGIN:VEVENT").unwrap()..GOOGLE.find("END:VCALENDAR").unwrap()];
    let instance = event.replace("SEQUENCE:1", "RECURRENCE-ID:20270311T083000Z\r\nSEQUENCE:1");
    let both = |second: &str| GOOGLE.replace("END:VCALENDAR", &format!("{second}END:VCALENDAR"));
    assert!(read(&both(&instance)).is_ok());
    assert_eq!(read(&both(&instance.replace("ACCEPTED", "DECLINED"))), Err(CalendarDoubt::Several));
    assert_eq!(read(&both(&instance.replace("event-r7", "event-r8"))), Err(CalendarDoubt::Several));
}

#[test]
fn nothing_inside_another_component_counts() {
    let alarm =
        "BEGIN:VALARM\r\nUID:other\r\nATTENDEE;PARTSTAT=DECLINED:mailto:karin@example.com\r\nEND:VALARM\r\nSEQUENCE";
    let reply = read(&GOOGLE.replace("SEQUENCE", alarm)).unwrap();
    assert_eq!((reply.uid.as_str(), reply.participation), ("event-r7@lists.example.org", Participation::Accepted));
}

#[test]
fn any_bytes_are_read_in_bounded_time() {
    for seed in
        ["BEGIN:VEVENT\n", "ATTENDEE;A=\"", " \n", ";", ":", "\\", "END:\n", "å", "METHOD:REPLY\nBEGIN:VCALENDAR\n"]
    {
        let _ = read(&seed.repeat(300_000 / seed.len()));
        let _ = read(&format!("{}{}", &GOOGLE[..GOOGLE.len() / 2], seed.repeat(1000)));
    }
    for cut in 0..GOOGLE.len() {
        if GOOGLE.is_char_boundary(cut) {
            let _ = read(&GOOGLE[..cut]);
        }
    }
}

#[test]
fn names_and_comments_are_read_as_programs_write_them() {
    let named = |name: &str| {
        let reply = read(&GOOGLE.replace("CN=karin@\r\n example.com", &format!("CN={name}"))).unwrap();
        reply.name.unwrap_or_default()
    };
    // RFC 6868; a quotation mark that is escaped as in a text; encoded words.
    assert_eq!(named("Eva ^'Evis^' Ek"), "Eva \"Evis\" Ek");
    assert_eq!(named("\"Eva^nEk ^^ ^x^\""), "Eva Ek ^ ^x^");
    assert_eq!(named("=?utf-8?Q?Eva_=C3?= =?utf-8?Q?=85kesson?="), "Eva Åkesson");
    let google =
        GOOGLE.replace("X-NUM-GUESTS=0", "X-NUM-GUESTS=2;X-RESPONSE-COMMENT=\"Vi blir tre; ring ^'Bo^':\r\n  070\"");
    let reply = read(&google).unwrap();
    assert_eq!((reply.comment.as_deref(), reply.guests), (Some("Vi blir tre; ring \"Bo\": 070"), 2));
    assert_eq!(reply.participation, Participation::Accepted);
}

#[test]
fn a_character_may_be_cut_by_a_fold_and_a_mark_may_stand_first() {
    let cut = GOOGLE.replace("CN=karin@\r\n example.com", "CN=\"Eva Åkesson\"");
    let at = cut.find('Å').unwrap() + 1;
    let cut = [&b"\xef\xbb\xbf"[..], &cut.as_bytes()[..at], b"\r\n ", &cut.as_bytes()[at..]].concat();
    let head = "From: karin@example.com\r\nMIME-Version: 1.0\r\nContent-Type: ";
    for kind in [
        "text/calendar; charset=utf-8; method=REPLY",
        "text/calendar; method=REPLY",
        "application/ics",
        "application/octet-stream; name=\"x.ICS\"",
    ] {
        let mail = [head.as_bytes(), kind.as_bytes(), b"\r\n\r\n", &cut].concat();
        let mail = Incoming::parse(&mail).unwrap();
        assert!(has_calendar_reply(&mail), "{kind}");
        let reply = calendar_reply(&mail, "karin@example.com").unwrap().unwrap();
        assert_eq!(reply.name.as_deref(), Some("Eva Åkesson"), "{kind}");
    }
}

#[test]
fn a_calendar_file_that_is_no_reply_is_no_answer() {
    let published = GOOGLE.replace("METHOD:REPLY", "METHOD:PUBLISH");
    assert_eq!(with(&published, "application/ics", "karin@example.com"), None);
    assert_eq!(with(GOOGLE, "application/octet-stream; name=x.bin", "karin@example.com"), None);
}

#[test]
fn who_answers_for_another_person_is_looked_at_by_a_person() {
    for more in [
        "SENT-BY=\"mailto:assistent@example.com\"",
        "DELEGATED-FROM=\"mailto:chef@example.com\"",
        "DELEGATED-TO=\"mailto:bo@example.com\"",
    ] {
        let reply = read(&GOOGLE.replace("X-NUM-GUESTS=0", more));
        assert_eq!(reply, Err(CalendarDoubt::Undecided), "{more}");
    }
}
