//! The grammar of SMTP and LMTP commands (RFC 5321 §4.1, RFC 2033, RFC 6531): parses one line into one [`Command`].
//!
//! Why not `smtp-proto`, the best available parser: it removes the quotes of quoted local parts, so that two readers
//! may understand two addresses; it reads `<postmaster>` as the empty path, so that a sender of that form would
//! become the null sender; it ends lines at a bare LF and drops CR anywhere; and it accepts NUL. A test compares the
//! two where they should agree (`tests/depesch/smtp/smtp_grammar.rs`).

use super::mailbox::{mailbox, path};

/// A valid command, or one with a defined reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO, HELO or LHLO, with the peer's name: printable, but otherwise arbitrary.
    Hello(Hello, &'a str),
    /// MAIL FROM; `None` is the null reverse-path.
    Mail(Option<&'a str>, MailParameters),
    /// RCPT TO; `postmaster` may have no domain.
    Recipient(&'a str),
    /// DATA.
    Data,
    /// RSET.
    Reset,
    /// NOOP, whatever follows it.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY of anything.
    Verify,
    /// HELP, whatever follows it.
    Help,
    /// STARTTLS.
    StartTls,
    /// A command of an extension that is not offered.
    NotOffered,
}

/// The kind of greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// HELO: without extensions.
    Plain,
    /// EHLO.
    Extended,
    /// LHLO (RFC 2033 §4.1).
    Lmtp,
}

/// The parameters of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// RFC 1870: the announced size in bytes; saturates.
    pub size: Option<u64>,
    /// RFC 6531: addresses and headers may contain UTF-8.
    pub smtputf8: bool,
    /// Whether there were any parameters.
    pub any: bool,
}

/// Why a line is not a valid command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Unknown command.
    Unknown,
    /// The arguments do not have the form given here.
    Arguments(&'static str),
    /// The reverse-path is invalid.
    Sender,
    /// The forward-path is invalid.
    Recipient,
    /// A parameter of MAIL or RCPT that is not offered.
    Parameter,
}

/// Parses one line without its CRLF.
///
/// # Errors
/// [`Wrong`], to be answered with 5xx.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Wrong> {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (verb, rest) = line.split_at(end);
    if verb.len() > 8 {
        return Err(Wrong::Unknown);
    }
    let mut upper = [0; 8];
    upper[..verb.len()].copy_from_slice(verb);
    upper.make_ascii_uppercase();
    let bare = |command, form| if trim(rest).is_empty() { Ok(command) } else { Err(Wrong::Arguments(form)) };
    match &upper[..verb.len()] {
        b"EHLO" => Ok(Command::Hello(Hello::Extended, name(rest)?)),
        b"HELO" => Ok(Command::Hello(Hello::Plain, name(rest)?)),
        b"LHLO" => Ok(Command::Hello(Hello::Lmtp, name(rest)?)),
        b"MAIL" => mail(rest),
        b"RCPT" => recipient(rest),
        b"DATA" => bare(Command::Data, "DATA"),
        b"RSET" => bare(Command::Reset, "RSET"),
        b"QUIT" => bare(Command::Quit, "QUIT"),
        b"STARTTLS" => bare(Command::StartTls, "STARTTLS"),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if trim(rest).is_empty() => Err(Wrong::Arguments("VRFY name")),
        b"VRFY" => Ok(Command::Verify),
        b"EXPN" | b"TURN" | b"ETRN" | b"ATRN" | b"AUTH" | b"BDAT" | b"BURL" | b"SEND" | b"SOML" | b"SAML" => {
            Ok(Command::NotOffered)
        }
        _ => Err(Wrong::Unknown),
    }
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// The name that a peer gives for itself. Peers give arbitrary names, and none proves anything, so any printable one
/// is accepted.
fn name(rest: &[u8]) -> Result<&str, Wrong> {
    const FORM: Wrong = Wrong::Arguments("EHLO name");
    let name = std::str::from_utf8(trim(rest)).map_err(|_| FORM)?;
    let wrong = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > 255 || name.contains(wrong) {
        return Err(FORM);
    }
    Ok(name)
}

/// `FROM:` or `TO:` in any case, followed by spaces, which are common though not allowed.
fn after_keyword<'a>(rest: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let (head, tail) = rest.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| tail.trim_ascii_start())
}

fn mail(rest: &[u8]) -> Result<Command<'_>, Wrong> {
    let rest = after_keyword(rest, b"FROM:").ok_or(Wrong::Arguments("MAIL FROM:<address>"))?;
    let (sender, parameters) = match rest.strip_prefix(b"<>") {
        // RFC 5321 §4.5.5: the null reverse-path.
        Some(parameters) => (None, parameters),
        None => {
            let (path, parameters) = path(rest).ok_or(Wrong::Sender)?;
            (Some(mailbox(path).ok_or(Wrong::Sender)?), parameters)
        }
    };
    Ok(Command::Mail(sender, mail_parameters(parameters)?))
}

fn mail_parameters(rest: &[u8]) -> Result<MailParameters, Wrong> {
    let mut found = MailParameters::default();
    let mut body = false;
    for parameter in parameters(rest)? {
        found.any = true;
        let (keyword, value) = match parameter.iter().position(|byte| *byte == b'=') {
            Some(at) => (&parameter[..at], Some(&parameter[at + 1..])),
            None => (parameter, None),
        };
        match (keyword.to_ascii_uppercase().as_slice(), value) {
            (b"SIZE", value) if found.size.is_none() => found.size = Some(value.and_then(size).ok_or(SIZE)?),
            // RFC 6152 §2. Bytes are preserved in either case.
            (b"BODY", Some(value)) if !body => {
                body = value.eq_ignore_ascii_case(b"7BIT") || value.eq_ignore_ascii_case(b"8BITMIME");
                if !body {
                    return Err(Wrong::Arguments("BODY=7BIT or BODY=8BITMIME"));
                }
            }
            (b"SMTPUTF8", None) if !found.smtputf8 => found.smtputf8 = true,
            (b"SIZE", _) => return Err(SIZE),
            (b"BODY", _) => return Err(Wrong::Arguments("BODY=7BIT or BODY=8BITMIME")),
            (b"SMTPUTF8", _) => return Err(Wrong::Arguments("SMTPUTF8")),
            _ => return Err(Wrong::Parameter),
        }
    }
    Ok(found)
}

const SIZE: Wrong = Wrong::Arguments("SIZE=octets");

/// RFC 1870 §4: one to twenty digits; a value beyond the integer's range becomes the largest.
fn size(digits: &[u8]) -> Option<u64> {
    let form = (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    form.then(|| digits.iter().fold(0, add))
}

fn recipient(rest: &[u8]) -> Result<Command<'_>, Wrong> {
    let rest = after_keyword(rest, b"TO:").ok_or(Wrong::Arguments("RCPT TO:<address>"))?;
    let (path, rest) = path(rest).ok_or(Wrong::Recipient)?;
    // RFC 5321 §4.5.1: without a domain, in any case.
    let address = match path.eq_ignore_ascii_case("postmaster") {
        true => "postmaster",
        false => mailbox(path).ok_or(Wrong::Recipient)?,
    };
    match parameters(rest)?.next() {
        None => Ok(Command::Recipient(address)),
        Some(_) => Err(Wrong::Parameter),
    }
}

/// The rest after a path: nothing, or parameters separated by spaces (RFC 5321 §4.1.2).
fn parameters(rest: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Wrong> {
    if !rest.is_empty() && rest[0] != b' ' {
        return Err(Wrong::Arguments("a space between <address> and parameters"));
    }
    let allowed = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || !byte.is_ascii();
    if !rest.iter().all(allowed) {
        return Err(Wrong::Parameter);
    }
    Ok(rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(line: &str) -> Result<Option<String>, Wrong> {
        match parse(line.as_bytes())? {
            Command::Mail(sender, _) => Ok(sender.map(str::to_owned)),
            other => panic!("{other:?}"),
        }
    }

    fn recipient(line: &str) -> Result<String, Wrong> {
        match parse(line.as_bytes())? {
            Command::Recipient(address) => Ok(address.to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paths_are_kept_as_they_were_written() {
        for address in [
            "Karin.Ek+press@Example.ORG",
            "\"a b\"@example.org",
            "\"a@b\\\">\"@example.org",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "root@localhost",
            "åsa@sköv.example",
            "prvs=0123456789=a@my_host.example",
        ] {
            assert_eq!(sender(&format!("MAIL FROM:<{address}>")), Ok(Some(address.to_owned())));
            assert_eq!(recipient(&format!("rcpt to: <{address}> ")), Ok(address.to_owned()));
        }
        assert_eq!(recipient("RCPT TO:<@a.example,@b.example:c@d.example>"), Ok("c@d.example".to_owned()));
        assert_eq!(recipient("RCPT TO:<PostMaster>"), Ok("postmaster".to_owned()));
        assert_eq!(sender("MAIL FROM:<>"), Ok(None));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for wrong in [
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@b..c",
            "a@b.",
            "\"a\"b@c",
            "\"\"@c",
            "\"a\\\"@c",
            "a@[]",
            "a@[b]c",
            "@a:b",
            "@a:@b:c@d",
            "a@b c",
            "a(b)@c",
            "a\u{7f}@b",
            "a\u{85}@b",
            "a\0@b",
            "\"a\0\"@b",
            "<a@b>",
            "a@b\u{a0}c",
        ] {
            assert!(sender(&format!("MAIL FROM:<{wrong}>")).is_err(), "{wrong:?} was taken as sender");
            assert!(recipient(&format!("RCPT TO:<{wrong}>")).is_err(), "{wrong:?} was taken as recipient");
        }
        assert_eq!(sender("MAIL FROM:<postmaster>"), Err(Wrong::Sender));
        assert_eq!(recipient("RCPT TO:<>"), Err(Wrong::Recipient));
        assert_eq!(sender(&format!("MAIL FROM:<{}@b.example>", "a".repeat(400))), Err(Wrong::Sender));
        assert!(parse(b"MAIL FROM:<\xff@b.example>").is_err());
    }

    #[test]
    fn parameters_are_read_or_refused() {
        let given = |line: &str| match parse(line.as_bytes()) {
            Ok(Command::Mail(_, parameters)) => Ok(parameters),
            Err(wrong) => Err(wrong),
            other => panic!("{other:?}"),
        };
        let all = given("MAIL FROM:<a@b.example> size=10 BODY=8bitmime SMTPUTF8").unwrap();
        assert_eq!(all, MailParameters { size: Some(10), smtputf8: true, any: true });
        assert_eq!(given("MAIL FROM:<> SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
        assert_eq!(given("MAIL FROM:<> RET=HDRS"), Err(Wrong::Parameter));
        assert_eq!(given("MAIL FROM:<> AUTH=<>"), Err(Wrong::Parameter));
        for wrong in ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1 SIZE=1", "BODY=BINARYMIME", "BODY", "SMTPUTF8=yes"] {
            assert!(matches!(given(&format!("MAIL FROM:<> {wrong}")), Err(Wrong::Arguments(_))), "{wrong}");
        }
        assert!(given("MAIL FROM:<a@b.example>SIZE=1").is_err());
        assert_eq!(recipient("RCPT TO:<a@b.example> NOTIFY=NEVER"), Err(Wrong::Parameter));
    }

    #[test]
    fn commands_are_known_in_any_case_and_take_no_arguments_that_they_have_none_of() {
        assert_eq!(parse(b"qUiT"), Ok(Command::Quit));
        assert_eq!(parse(b"DATA "), Ok(Command::Data));
        assert!(matches!(parse(b"DATA now"), Err(Wrong::Arguments(_))));
        assert_eq!(parse(b"NOOP whatever"), Ok(Command::Noop));
        assert_eq!(parse(b"BDAT 3 LAST"), Ok(Command::NotOffered));
        assert_eq!(parse(b"EHLO [192.0.2.1]"), Ok(Command::Hello(Hello::Extended, "[192.0.2.1]")));
        for wrong in [&b"EHLO"[..], b"EHLO ", b"EHLO a b", b"EHLO a\0", b"EHLO a\tb", b"EHLO \xff"] {
            assert!(parse(wrong).is_err(), "{wrong:?} was taken");
        }
        for wrong in [&b""[..], b" ", b"MAILFROM:<>", b"MAIL:FROM<>", b"GET / HTTP/1.1", b"QUITS", b"\0"] {
            assert!(parse(wrong).is_err(), "{wrong:?} was taken");
        }
        assert_eq!(parse(b"GET"), Err(Wrong::Unknown));
    }
}
