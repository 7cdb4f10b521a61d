//! Our grammar compared with smtp-proto: what ours accepts, smtp-proto parses identically. The reverse does not hold,
//! for reasons given in `smtp/grammar.rs`.

use std::borrow::Cow;

use depesch::smtp::grammar::{Command, Hello, parse};
use proptest::prelude::*;
use smtp_proto::Request;

fn check(line: &str) -> Result<(), TestCaseError> {
    let Ok(ours) = parse(line.as_bytes()) else { return Ok(()) };
    let whole = format!("{line}\r\n");
    let theirs = Request::parse(&mut whole.as_bytes().iter());
    match ours {
        Command::Mail(sender, parameters) => {
            let Ok(Request::Mail { from }) = theirs else {
                return Err(TestCaseError::fail(format!("{line:?}: {theirs:?}")));
            };
            prop_assert_eq!(from.address, Cow::from(sender.unwrap_or_default()));
            prop_assert_eq!(from.size as u64, parameters.size.unwrap_or(0));
            prop_assert_eq!(from.flags & smtp_proto::MAIL_SMTPUTF8 != 0, parameters.smtputf8);
        }
        Command::Recipient("postmaster") => prop_assert!(matches!(theirs, Ok(Request::Rcpt { .. })), "{line:?}"),
        Command::Recipient(address) => {
            let Ok(Request::Rcpt { to }) = theirs else {
                return Err(TestCaseError::fail(format!("{line:?}: {theirs:?}")));
            };
            prop_assert_eq!(to.address, address);
        }
        Command::Hello(hello, name) => {
            let read = match (hello, theirs) {
                (Hello::Extended, Ok(Request::Ehlo { host }))
                | (Hello::Plain, Ok(Request::Helo { host }))
                | (Hello::Lmtp, Ok(Request::Lhlo { host })) => host,
                (_, theirs) => return Err(TestCaseError::fail(format!("{line:?}: {theirs:?}"))),
            };
            prop_assert_eq!(read, name);
        }
        Command::Data => prop_assert_eq!(theirs, Ok(Request::Data)),
        Command::Reset => prop_assert_eq!(theirs, Ok(Request::Rset)),
        Command::Quit => prop_assert_eq!(theirs, Ok(Request::Quit)),
        Command::StartTls => prop_assert_eq!(theirs, Ok(Request::StartTls)),
        Command::Noop | Command::Help | Command::Verify | Command::NotOffered => {}
    }
    Ok(())
}

proptest! {
    /// Without quotes and literals: smtp-proto changes quotes and refuses literals.
    #[test]
    fn plain_paths_are_read_the_same(
        verb in prop::sample::select(vec!["MAIL FROM:", "mail from:", "RCPT TO:", "Rcpt To:", "RCPT TO: "]),
        path in "[a-zA-Z0-9.+=_@,:åö-]{0,12}@?[a-z.å-]{1,8}(\\.example)?",
        parameters in prop::sample::select(vec!["", " SIZE=77", " BODY=7BIT SMTPUTF8", " size=1 body=8BITMIME", " X=Y"]),
    ) {
        check(&format!("{verb}<{path}>{parameters}"))?;
    }

    #[test]
    fn other_commands_are_read_the_same(
        verb in prop::sample::select(vec!["EHLO", "helo", "LHLO", "DATA", "RSET", "quit", "STARTTLS", "NOOP", "BOO"]),
        rest in "( [!-~]{1,10}){0,2}",
    ) {
        check(&format!("{verb}{rest}"))?;
    }
}
