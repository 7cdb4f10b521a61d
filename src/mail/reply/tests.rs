//! The person's text and the quotation, in the forms in which mail programs send replies.

use super::*;

const TOKEN: &str = "aebagbafaydqqcikbmgaydq2ce";
const SENDER: Sender<'_> = Sender { address: "eva@press.example", name: "Eva Ek" };

fn reader() -> &'static ReplyReader {
    static READER: std::sync::LazyLock<ReplyReader> = std::sync::LazyLock::new(|| ReplyReader::shipped().unwrap());
    &READER
}

fn ours() -> String {
    format!("media-confirm+{TOKEN}@lists.example.org")
}

fn question() -> Question {
    let text = "Vi har fått ett mejl med eva@press.example som avsändare. Det ber oss om detta:\n\n- Prenumerera på Media\n\n\
        Stämmer det? Svara då på det här mejlet. Du behöver inte skriva något i svaret.";
    Question::new("Bekräfta din prenumeration", text, "")
}

fn own(text: &str) -> String {
    let reply = reader().read_text("Sv: x", text);
    reply.written().own().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

fn is_bare(content_type: &str, body: &str) -> bool {
    let mail = format!(
        "From: Eva Ek <eva@press.example>\r\nSubject: SV: Bekräfta din prenumeration\r\nMIME-Version: 1.0\r\n\
        Content-Type: {content_type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}"
    );
    let message = Incoming::parse(mail.as_bytes()).unwrap();
    reader().read(&message).is_bare(reader(), SENDER, &question())
}

fn plain_is_bare(body: &str) -> bool {
    is_bare("text/plain; charset=utf-8", body)
}

fn html_is_bare(body: &str) -> bool {
    is_bare("text/html; charset=utf-8", &format!("<html><head><style>p {{}}</style></head><body>{body}</body></html>"))
}

/// Attributions by mail programs; ADDRESS stands for ours.
const ATTRIBUTIONS: [&str; 47] = [
    // Gmail
    "Den lör 28 nov. 2026 kl 23:10 skrev Media och redaktioner <\nADDRESS>:",
    "Den lör 28 nov. 2026 kl 23:10 skrev Media och redaktioner <ADDRESS\n>:",
    "Den lör 28 nov. 2026 kl 23:10 skrev Media och redaktioner via\nExempelförbundets pressavdelning i Örebro <\nADDRESS>:",
    "lör 28 nov. 2026 kl. 23:10 skrev Media och redaktioner <\nADDRESS>:",
    "lør. 28. nov. 2026 kl. 23:10 skrev Media <\nADDRESS>:",
    "Den lør. 28. nov. 2026 kl. 23.10 skrev Media <\nADDRESS>:",
    "On Sat, Nov 28, 2026 at 11:10 PM Media och redaktioner <\nADDRESS> wrote:",
    "On Sat, 28 Nov 2026, 23:10 Media, <ADDRESS>\nwrote:",
    "la 28. marrask. 2026 klo 23.10 Media och redaktioner <\nADDRESS> kirjoitti:",
    "Op za 28 nov 2026 om 23:10 schreef Media <\nADDRESS>:",
    "Am Sa., 28. Nov. 2026 um 23:10 Uhr schrieb Media <\nADDRESS>:",
    "Le sam. 28 nov. 2026 à 23:10, Media <ADDRESS> a\nécrit\u{a0}:",
    "El sáb, 28 nov 2026 a las 23:10, Media (<ADDRESS>)\nescribió:",
    "Il giorno sab 28 nov 2026 alle ore 23:10 Media <\nADDRESS> ha scritto:",
    "sob., 28 lis 2026 o 23:10 Media <\nADDRESS> napisał(a):",
    "sob., 28 lis 2026, 23:10 użytkownik Media <\nADDRESS> napisał:",
    // Apple Mail
    "28 nov. 2026 kl. 23:10 skrev Media <ADDRESS>:",
    "On 28 Nov 2026, at 23:10, Media <ADDRESS> wrote:",
    "Am 28.11.2026 um 23:10 schrieb Media <ADDRESS>:",
    "Den 28. nov. 2026 kl. 23.10 skrev Media <ADDRESS>:",
    "Le 28 nov. 2026 à 23:10, Media <ADDRESS> a écrit :",
    "Op 28 nov 2026 om 23:10 heeft Media <ADDRESS> het volgende geschreven:",
    "Media <ADDRESS> kirjoitti 28.11.2026 kello 23.10:",
    "Il giorno 28 nov 2026, alle ore 23:10, Media <ADDRESS> ha scritto:",
    "Wiadomość napisana przez Media <ADDRESS> w dniu 28 lis 2026, o godz. 23:10 napisał:",
    // Yahoo
    "Den lördag 28 november 2026 23:10:02 CET, Media <ADDRESS> skrev:",
    "On Saturday, November 28, 2026 at 11:10:02 PM GMT+1, Media <\nADDRESS> wrote:",
    "Am Samstag, 28. November 2026 um 23:10:02 MEZ hat Media <ADDRESS> Folgendes geschrieben:",
    // Samsung, Zoho, Proton
    "Media <ADDRESS> skrev (lör 28 nov. 2026 kl\n23:10):",
    "---- On Sat, 28 Nov 2026 23:10:02 +0100 Media <ADDRESS> wrote ----",
    "---- På lör, 28 nov. 2026 23:10:02 +0100 Media <\nADDRESS> skrev ----",
    "On Saturday, November 28th, 2026 at 11:10 PM, Media <ADDRESS> wrote:",
    "lördag den 28 november 2026 23:10, skrev Media <ADDRESS>:",
    // Thunderbird and others
    "Den 2026-11-28 kl. 23:10, skrev Media och redaktioner:",
    "On 28/11/2026 23:10, Media wrote:",
    "Am 28.11.26 um 23:10 schrieb Media och redaktioner:",
    "Le 28/11/2026 à 23:10, Media a écrit :",
    "Op 28-11-2026 om 23:10 schreef Media:",
    "Den 28-11-2026 kl. 23.10 skrev Media:",
    "Den 28.11.2026 23:10, skrev Media:",
    "Media kirjoitti 28.11.2026 klo 23.10:",
    "W dniu 28.11.2026 o 23:10, Media pisze:",
    "El 28/11/2026 a las 23:10, Media escribió:",
    "Il 28/11/2026 23:10, Media ha scritto:",
    "2026-11-28 23:10 skrev Media:",
    "Den tis 3 mars 2026 10:12Press, media <ADDRESS>\nskrev:",
    "Media <ADDRESS> hat am 28.11.2026 23:10 CET geschrieben:",
];

/// Headers before quotations without marks, by the same programs.
const HEADERS: [&str; 14] = [
    "-----Ursprungligt meddelande-----\nFrån: Media <ADDRESS>\nSkickat: den 28 november 2026 23:10\nTill: Eva Ek\nÄmne: Bekräfta",
    "________________________________\nFrån: Media <ADDRESS>\nSkickat: lördag, november 28, 2026 11:10 EM\nTill: Eva Ek\nÄmne: Bekräfta",
    "Från: Media <ADDRESS>\nSkickat: den 28 november 2026 23:10\nTill: Eva Ek\nÄmne: Bekräfta",
    "From: Media och redaktioner \n<ADDRESS> \nSent: Saturday, November 28, 2026 11:10 PM\nTo: Eva Ek <eva@press.example>\nSubject: x",
    "*Från:* Media <ADDRESS>\n*Datum:* 28 nov. 2026\n*Till:* Eva",
    "Von: Media <ADDRESS>\nGesendet: Samstag, 28. November 2026 23:10\nAn: Eva Ek\nBetreff: x",
    "-------- Oprindelig besked --------\nFra: Media <ADDRESS>\nDato: 28.11.2026 23.10 (GMT+01:00)\nTil: eva@press.example\nEmne: x",
    "-------- Originalmeddelande --------\nFrån: Media <ADDRESS>\nDatum: 2026-11-28 23:10 (GMT+01:00)\nTill: eva@press.example\nÄmne: x",
    "Lähettäjä: Media <ADDRESS>\nLähetetty: lauantai 28. marraskuuta 2026 23.10\nVastaanottaja: Eva\nAihe: x",
    "Van: Media <ADDRESS>\nVerzonden: zaterdag 28 november 2026 23:10\nAan: Eva\nOnderwerp: x",
    "De : Media <ADDRESS>\nEnvoyé : samedi 28 novembre 2026 23:10\nÀ : Eva\nObjet : x",
    "Da: Media <ADDRESS>\nInviato: sabato 28 novembre 2026 23:10\nA: Eva\nOggetto: x",
    "Od: Media <ADDRESS>\nWysłano: sobota, 28 listopada 2026 23:10\nDo: Eva\nTemat: x",
    "De: Media <ADDRESS>\nEnviado el: sábado, 28 de noviembre de 2026 23:10\nPara: Eva\nAsunto: x",
];

const QUOTED: &str = "Vi har fått ett mejl med eva@press.example som avsändare. Det ber oss\nom detta:\n\n- Prenumerera på Media\n\nStämmer det? Svara då på det här mejlet.";

fn marked() -> String {
    QUOTED.lines().map(|line| format!("> {line}\n")).collect()
}

#[test]
fn attributions_of_every_program_and_language_are_no_words() {
    for attribution in ATTRIBUTIONS {
        let attribution = attribution.replace("ADDRESS", &ours());
        for quoted in [format!("\n{}", marked()), marked(), format!("\n{QUOTED}")] {
            for (top, words) in [("", ""), ("Ja\n\n", "Ja"), ("Ja\n", "Ja"), ("Skickat från min iPhone\n\n", "")] {
                assert_eq!(own(&format!("{top}{attribution}\n{quoted}")), words, "{top}{attribution}");
            }
            assert!(plain_is_bare(&format!("\n{attribution}\n{quoted}")), "{attribution}\n{quoted}");
            let below = format!("\n{attribution}\n{quoted}\n\nNej, jag vill inte!");
            assert!(!plain_is_bare(&below), "{below}");
            assert!(!plain_is_bare(&format!("\n{attribution}\n{quoted}\n\nNej\n")), "{attribution}");
        }
        assert!(plain_is_bare(&format!(
            "Sendt fra min iPhone\n\n> {}\n>\n{}",
            attribution.replace('\n', "\n> "),
            marked()
        )));
    }
}

#[test]
fn headers_of_quotations_without_marks_are_no_words() {
    for header in HEADERS {
        let header = header.replace("ADDRESS", &ours());
        assert_eq!(own(&format!("Ja\n\n{header}\n\n{QUOTED}")), "Ja", "{header}");
        assert!(plain_is_bare(&format!("\n\n{header}\n\n{QUOTED}\n")), "{header}");
        assert!(plain_is_bare(&format!("\n\n{header}\n\nVi har fått ett mejl\n")), "{header}");
        for below in ["Nej, jag vill inte!", "Nej", "Stämmer det?\n\nNej!", "\u{1f44e}", "?", "..."] {
            assert!(!plain_is_bare(&format!("\n\n{header}\n\n{QUOTED}\n\n{below}\n")), "{header}\n{below}");
        }
    }
}

#[test]
fn sentences_of_a_person_are_no_attributions() {
    for text in [
        "Jag skrev den 3 mars att ni ska ta bort mig:",
        "Den här veckan kan jag inte",
        "On 3 March I wrote to you and you did not answer my question:",
        "Original message was unclear",
    ] {
        assert_eq!(own(text), text);
    }
    assert_eq!(own("Hej,\r\n\r\nFrån: början till slut\r\nDenna vecka"), "Hej, / Från: början till slut / Denna vecka");
    assert_eq!(own("språk: svenska\nämnen: skola, vård"), "språk: svenska / ämnen: skola, vård");
    assert_eq!(own("Vänligen avsluta min prenumeration."), "Vänligen avsluta min prenumeration.");
    assert_eq!(own("Besta lösningen"), "Besta lösningen");
}

#[test]
fn quotations_and_signatures_of_every_kind_are_left_out() {
    for quoted in [
        "> avsluta",
        "Den 3 mars 2026 kl. 10.12 skrev Press <press@lists.example.org>:\navsluta",
        "Den tis 3 mars 2026 10:12Press, media <press@lists.example.org>\nskrev:\n\n> avsluta",
        "-----Original Message-----\nFrom: a\nunsubscribe",
        "________________________________\navsluta",
        "*From:* Press\n*Sent:* Tuesday\nstop",
        "Begin forwarded message:\nstop",
        "-- \nKarin Ek\nstop",
        "Med vänlig hälsning\nKarin\nstop",
        "Sent from my iPhone\nstop",
    ] {
        assert_eq!(own(&format!("Ja gärna\n\n{quoted}\n")), "Ja gärna", "{quoted}");
    }
}

#[test]
fn the_text_keeps_a_signature_and_what_stands_below_a_marked_quotation() {
    let text = "Jag kan tyvärr inte.\n\nMvh\nKarin";
    for quoted in [
        "Den tors 4 mars 2027 kl 09:12 skrev Press <press@example.org>:\n> Välkommen! Jag kommer.",
        "Den tors 4 mars 2027 kl 09:12 skrev Press <\npress@example.org>:\n\n> Jag kommer.",
        "On Thu, 4 Mar 2027 at 09:12, Press <press@example.org>\nwrote:\n\nI will attend.",
        "-----Ursprungligt meddelande-----\nFrån: Press\nJag kommer.",
        "Från: Press <press@example.org>\nSkickat: den 4 mars 2027 09:12\nJag kommer.",
        "________________________________\nJag kommer.",
        "-- \nJag kommer alltid",
        "Skickat från min iPhone\n\nJag kommer.",
    ] {
        let reply = reader().read_text("Sv: x", &format!("{text}\r\n\r\n{quoted}\r\n"));
        assert_eq!(reply.text(), text, "{quoted}");
    }
    let below = "On 4 March 2027, Press <press@example.org> wrote:\n> Tell us.\n\nYes.\n> Deadline\nThanks";
    assert_eq!(reader().read_text("Re: x", below).text(), "Yes.\nThanks");
}

#[test]
fn html_is_read_by_its_structure() {
    let quoted = "<p>Vi har fått ett mejl med <a href='mailto:eva@press.example'>eva@press.example</a> som avsändare. \
        Det ber oss om detta:</p><ul><li>Prenumerera på Media</li></ul><p><b>Stämmer det?</b> Svara då på det här mejlet.</p>";
    let address = format!("&lt;<a href=\"mailto:{0}\">{0}</a>&gt;", ours());
    for html in [
        format!("<div dir=\"ltr\"><br></div><br><div class=\"gmail_quote gmail_quote_container\"><div dir=\"ltr\" class=\"gmail_attr\">Den lör 28 nov. 2026 kl 23:10 skrev Media {address}:<br></div><blockquote class=\"gmail_quote\" style=\"margin:0 0 0 .8ex;border-left:1px #ccc solid\">{quoted}</blockquote></div>"),
        format!("<p><br></p><div class=\"moz-cite-prefix\">Den 2026-11-28 kl. 23:10, skrev Media:<br></div><blockquote type=\"cite\" cite=\"mid:a@b\">{quoted}</blockquote>"),
        format!("<div><br><div dir=ltr>Skickat från min iPhone</div><blockquote type=cite>28 nov. 2026 kl. 23:10 skrev Media {address}:<br><br></blockquote></div><blockquote type=cite>{quoted}</blockquote>"),
        format!("<div class=\"elementToProof\"><br></div><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\" dir=\"ltr\"><b>Från:</b> Media {address}<br><b>Skickat:</b> den 28 november 2026<br><b>Till:</b> Eva<br><b>Ämne:</b> x</div>{quoted}"),
        format!("<div class=WordSection1><p class=MsoNormal>&nbsp;</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>Från:</b> Media {address} <br><b>Skickat:</b> den 28 november 2026 23:10<br><b>Till:</b> Eva<br><b>Ämne:</b> x</p></div>{quoted}</div>"),
        format!("<div class=\"yahoo_quoted\"><div>Den lördag 28 november 2026 23:10:02 CET, Media {address} skrev:</div>{quoted}</div>"),
        format!("<div class=\"protonmail_quote\">On Saturday, Media {address} wrote:<br><blockquote type=\"cite\">{quoted}</blockquote></div>"),
        format!("<div class=\"zmail_extra\">---- On Sat, 28 Nov 2026 Media {address} wrote ---<br><blockquote>{quoted}</blockquote></div>"),
        format!("<span id=\"OLK_SRC_BODY_SECTION\"><b>From: </b>Media<br>{quoted}</span>"),
        format!("<div name=\"quote\" style=\"border-left:2px solid #C3D9E5\"><b>Gesendet:</b> Samstag<br>{quoted}</div>"),
        "<p>Hej!</p>".to_owned(),
        "<div>Mvh<br>Eva Ek<br><img src=\"cid:logo\"></div>".to_owned(),
        "<div class=\"gmail_signature\">Eva Ek<br>Reporter</div><div style=\"display:none\">Nej</div><span style='font-size:0'>Nej</span><span style='mso-hide:all'>Nej</span>".to_owned(),
    ] {
        assert!(html_is_bare(&html), "{html}");
        let with = html.replacen("<div", "<div>Nej, jag vill inte!</div><div", 1);
        assert!(with == html || !html_is_bare(&with), "{with}");
        assert!(!html_is_bare(&format!("{html}<div>Nej, jag vill inte!</div>")), "{html}");
    }
    for html in [
        "<img alt=\"Nej tack\" src=\"cid:x\">",
        "<img src=\"cid:x\">",
        "<p>\u{1f44e}</p>",
        "<img alt=\"\u{1f44e}\" src=\"https://mail.example/emoji.png\">",
        "<blockquote>Nej tack</blockquote>",
        "<div class=\"gmail_quote\"><blockquote class=\"gmail_quote\">Stämmer det?</blockquote><div>Nej</div></div>",
        "<blockquote type=cite>Stämmer det?</blockquote><p>Nej</p><blockquote type=cite>Svara då</blockquote>",
    ] {
        assert!(!html_is_bare(html), "{html}");
    }
}

#[test]
fn what_was_not_read_is_not_nothing() {
    let two = |first: &str, second: &str| format!("--b\r\n{first}\r\n--b\r\n{second}\r\n--b--\r\n");
    let empty = "Content-Type: text/plain; charset=utf-8\r\n\r\n\r\n";
    for second in [
        "Content-Type: application/pdf; name=svar.pdf\r\nContent-Disposition: attachment\r\n\r\nx",
        "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+IgAA",
        "Content-Type: application/x-microsoft-rpmsg-message; name=message.rpmsg\r\n\r\nx",
        "Content-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n/9j/4AAQ",
        "Content-Type: text/plain; name=svar.txt\r\nContent-Disposition: attachment\r\n\r\nNej",
        "Content-Type: message/rfc822\r\n\r\nSubject: Nej\r\n\r\nNej",
        "Content-Type: text/rtf\r\n\r\n{\\rtf1 Nej}",
        "Content-Type: text/enriched\r\n\r\nNej",
        "Content-Type: text/markdown\r\n\r\nNej",
        "Content-Type: text/x-amp-html\r\n\r\n<p>Nej</p>",
        "Content-Type: text/vnd.google.email-reaction+json\r\n\r\n{\"emoji\":\"x\"}",
        "Content-Type: text/html\r\n\r\n<p>Nej!</p>",
        "Content-Type: audio/mpeg\r\n\r\nx",
    ] {
        for kind in ["mixed", "alternative", "related"] {
            assert!(!is_bare(&format!("multipart/{kind}; boundary=b"), &two(empty, second)), "{kind} {second}");
        }
        let alone = second.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let kind = second.trim_start_matches("Content-Type: ").split(['\r', ';']).next().unwrap_or_default();
        assert!(!is_bare(kind, alone), "{kind}");
    }
    for kind in [
        "application/pkcs7-mime; smime-type=enveloped-data",
        "application/octet-stream",
        "text/vcard",
        "application/pkcs7-signature",
        "text/plain; charset=x-unknown",
        "application/ms-tnef",
    ] {
        assert!(!is_bare(kind, "TmVqISBKYWc="), "{kind}");
    }
    assert!(!is_bare(
        "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b",
        &two(
            "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
            "Content-Type: application/octet-stream\r\n\r\nx"
        )
    ));
    for second in [
        "Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIG",
        "Content-Type: text/vcard; name=eva.vcf\r\nContent-Disposition: attachment\r\n\r\nBEGIN:VCARD",
        "Content-Type: text/html\r\n\r\n<div><br></div>",
    ] {
        assert!(is_bare("multipart/mixed; boundary=b", &two(empty, second)), "{second}");
    }
    let logo = two(
        "Content-Type: text/html\r\n\r\n<p>Mvh<br>Eva Ek<br><img src=\"cid:logo\"></p>",
        "Content-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K",
    );
    assert!(is_bare("multipart/related; boundary=b", &logo));
}

#[test]
fn marks_of_lists_keep_silence_from_being_a_yes() {
    for field in ["List-Id: <a.example>", "X-Loop: a", "Precedence: bulk"] {
        let mail = format!("Subject: SV: Bekräfta din prenumeration\r\n{field}\r\n\r\n\r\n");
        let reply = reader().read(&Incoming::parse(mail.as_bytes()).unwrap());
        assert!(!reply.is_bare(reader(), SENDER, &question()), "{field}");
    }
}

proptest::proptest! {
    #[test]
    fn any_reply_can_be_read(subject in "\\PC{0,100}", text in "(?s).{0,2000}") {
        for kind in ["plain", "html"] {
            let mail = format!("Subject: {subject}\r\nContent-Type: text/{kind}\r\n\r\n{text}");
            let reply = reader().read(&Incoming::parse(mail.as_bytes()).unwrap());
            reply.is_bare(reader(), SENDER, &question());
            reply.text();
        }
    }
}
