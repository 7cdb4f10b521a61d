//! Decodes again, from a part's own bytes, what the message parser loses.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, HeaderName, MessagePart, MimeHeaders};

use super::{calendar_text, parameter, text_of, unflowed};

/// Maximum bytes of one header field that are read.
const MAX_FIELD: usize = 64 * 1024;

/// The text of a text part: `parsed`, or its bytes in `raw`, the message, decoded again where the parser may have been
/// wrong: bytes that are invalid in its charset, UTF-8 with another label, a byte order mark, a calendar's folds.
pub(crate) fn text_of_part(part: &MessagePart<'_>, raw: &[u8], parsed: &str, content_type: &str) -> String {
    let label = part.content_type().and_then(|kind| kind.attribute("charset"));
    let labelled = label.is_some_and(|label| !label.to_ascii_lowercase().starts_with("utf"));
    let is_calendar = content_type == "text/calendar";
    let doubtful = parsed.contains(['\u{fffd}', '\u{feff}', '\0']) || labelled && !parsed.is_ascii();
    match bytes_of(part, raw) {
        Some(bytes) if is_calendar => calendar_text(&bytes, label),
        Some(bytes) if doubtful => text_of(&bytes, label),
        _ => parsed.to_owned(),
    }
}

/// The content of a part that is not a message, with the transfer encoding decoded.
fn bytes_of(part: &MessagePart<'_>, raw: &[u8]) -> Option<Vec<u8>> {
    let encoded = raw.get(part.offset_body as usize..part.offset_end as usize)?;
    match part.encoding {
        Encoding::None => Some(encoded.to_vec()),
        Encoding::Base64 => base64_decode(encoded),
        Encoding::QuotedPrintable => quoted_printable_decode(encoded),
    }
}

/// The text of a part without soft line breaks, if it declares them (RFC 3676).
pub(crate) fn reflowed(part: &MessagePart<'_>, content_type: &str, text: String) -> String {
    let says = |name: &str, value: &str| {
        let given = part.content_type().and_then(|kind| kind.attribute(name));
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(value))
    };
    match content_type == "text/plain" && says("format", "flowed") {
        true => unflowed(&text, says("delsp", "yes")),
        false => text,
    }
}

/// The sender's name for a part: `filename` (RFC 2183 §2.3), otherwise `name`, decoded. Never a path to write to.
pub(crate) fn file_name_of(part: &MessagePart<'_>, raw: &[u8]) -> Option<String> {
    let named = |field: HeaderName<'_>, name: &str| {
        let header = part.headers.iter().rev().find(|header| header.name == field)?;
        let value = raw.get(header.offset_start as usize..header.offset_end as usize)?;
        parameter(&value[..value.len().min(MAX_FIELD)], name)
    };
    let name = named(HeaderName::ContentDisposition, "filename").or_else(|| named(HeaderName::ContentType, "name"));
    name.or_else(|| part.attachment_name().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use crate::mail::incoming::Incoming;

    fn parse(mail: &[u8]) -> Incoming {
        Incoming::parse(mail).unwrap()
    }

    #[test]
    fn a_text_is_read_under_any_label_and_transfer_encoding() {
        for (fields, body) in [
            (&b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit"[..], &b"Sk\xe5ne"[..]),
            (b"Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 8bit", b"Sk\xc3\xa5ne"),
            (
                b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable",
                b"Sk=C3=A5=\nne",
            ),
            (b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", b"Sk=E5ne"),
            (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64", b"U2vlbmU="),
            (b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64", b"//5TAGsA5QBuAGUA"),
            (b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", b"77u/U2vDpW5l"),
            (b"X: y", b"Sk\xe5ne"),
            (b"Content-Type: text/html; charset=utf-8", b"<p>Sk\xe5ne</p>"),
        ] {
            for whole in [
                [&b"Subject: x\n"[..], fields, b"\n\n", body].concat(),
                [
                    &b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"[..],
                    fields,
                    b"\n\n",
                    body,
                    b"\n--b--\n",
                ]
                .concat(),
            ] {
                let mail = parse(&whole);
                assert_eq!(mail.text().trim(), "Skåne", "{}", String::from_utf8_lossy(&whole));
                assert!(mail.parts()[0].text.as_deref().is_some_and(|text| text.contains("Skåne")));
            }
        }
    }

    #[test]
    fn embedded_messages_are_read_the_same_way() {
        let inner = b"Subject: Sk\xe5ne\nContent-Type: text/plain; charset=utf-8\n\nSk\xe5ne\n";
        let whole = [
            &b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"[..],
            inner,
            b"--b--\n",
        ]
        .concat();
        let mail = parse(&whole);
        let inner = mail.embedded().unwrap();
        assert_eq!((inner.subject(), inner.text().trim()), ("Skåne", "Skåne"));
    }

    #[test]
    fn names_and_subjects_are_read_whole() {
        let mail = parse(
            b"Subject: =?utf-8?Q?Anm=C3?=\r\n =?utf-8?Q?=A4lan?= till =?iso-8859-1?Q?Sk=C3=A5ne?=\r\n\
            From: =?utf-8?B?RXZhIMM=?= =?utf-8?B?hWtlc3Nvbg==?= <eva@press.example>, \"=?utf-8?Q?Bo_=C3?= =?utf-8?Q?=96?=\" <bo@press.example>\r\n\
            To: \xc5ke Ek <ake@press.example>\r\nCc: \xc3\x85ke <a@press.example>, Nils <n@press.example>\r\n\r\nhej\r\n",
        );
        assert_eq!(mail.subject(), "Anmälan till Skåne");
        let everybody: Vec<(&str, &str)> = ["From", "To", "Cc"]
            .into_iter()
            .flat_map(|name| mail.correspondents(name))
            .map(|one| (one.name.as_str(), one.address.as_str()))
            .collect();
        let expected = [
            ("Eva Åkesson", "eva@press.example"),
            ("Bo Ö", "bo@press.example"),
            ("Åke Ek", "ake@press.example"),
            ("Åke", "a@press.example"),
            ("Nils", "n@press.example"),
        ];
        assert_eq!(everybody, expected);
    }

    #[test]
    fn how_a_name_is_decoded_never_says_who_is_meant() {
        for name in [
            "=?utf-8?Q?a=40b=2Eexample=3E?= =?utf-8?Q?,_x?=",
            "=?utf-8?B?PGFAYi5leGFtcGxlPg==?= \"",
            "=?utf-8?Q?=22?= =",
        ] {
            let mail = parse(format!("From: {name} <eva@press.example>\n\nx\n").as_bytes());
            let alone = parse(format!("From: {} <eva@press.example>\n\nx\n", name.replace("=?", "=_?")).as_bytes());
            let last = |mail: &Incoming| mail.correspondents("From").last().map(|one| one.address.clone());
            assert_eq!(last(&mail), last(&alone), "{name}");
        }
    }

    #[test]
    fn flowed_text_is_read_as_its_author_wrote_it() {
        for (kind, expected) in [
            ("text/plain; format=flowed; delsp=yes", "Jag vill avanmäla mig.\n"),
            ("text/plain; Format=\"Flowed\"", "Jag vill av anmäla mig.\n"),
            ("text/plain", "Jag vill av \nanmäla mig.\n"),
        ] {
            let mail = parse(
                format!("Subject: x\nContent-Type: {kind}; charset=utf-8\n\nJag vill av \nanmäla mig.\n").as_bytes(),
            );
            assert_eq!(mail.text(), expected, "{kind}");
        }
    }

    #[test]
    fn file_names_are_read_whole() {
        let mail = parse(
            b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf; name=x.pdf\n\
            Content-Disposition: attachment;\n filename*0*=utf-8''%C3;\n filename*1*=%85rsm%C3%B6te.pdf\n\nx\n\
            --b\nContent-Type: application/pdf; name=\"=?utf-8?Q?=C3?=\n =?utf-8?Q?=85.pdf?=\"\n\nx\n--b--\n",
        );
        let names: Vec<_> = mail.parts().iter().map(|part| part.file_name.as_deref()).collect();
        assert_eq!(names, [Some("Årsmöte.pdf"), Some("Å.pdf")]);
    }
}
