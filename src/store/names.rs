//! Readable names of keys: `delivery 17 of m7`, `message i12`. Used to report what damage affects; they contain no
//! address.

use crate::base::id::{InboundId, MailingId, NoticeId, PostId, ReleaseId, SubscriberId};
use crate::model::ledger::Sequence;

/// The readable name of the record with this key.
pub(crate) fn words(key: &[u8]) -> String {
    named(key).unwrap_or_else(|| match key.first() {
        Some(table @ b'!'..=b'~') => format!("a record of the table {}", char::from(*table)),
        _ => "a record of an unknown table".to_owned(),
    })
}

/// The mailing and the sequence in a delivery's key.
pub(crate) fn delivery(key: &[u8]) -> Option<(MailingId, Sequence)> {
    let rest = key.strip_prefix(b"d")?;
    Some((MailingId(number(rest)?), Sequence(u32::from_be_bytes(rest.get(8..12)?.try_into().ok()?))))
}

fn named(key: &[u8]) -> Option<String> {
    let (table, rest) = key.split_first()?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    let mailing = || number(rest).map(MailingId);
    let chunk = || Some(u32::from_be_bytes(rest.get(8..12)?.try_into().ok()?));
    let last = || rest.last_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    Some(match table {
        b'A' if rest == b"h" => "the head of the audit log".to_owned(),
        b'A' if rest == b"a" => "the anchor of the audit log".to_owned(),
        b'A' => format!("entry {} of the audit log", number(rest.get(1..)?)?),
        b'B' => {
            let subscriber = SubscriberId(number(rest.get(8..)?)?);
            format!("the bounce of {subscriber} about {}", mailing()?)
        }
        b'D' => "the mark of a post's Message-ID".to_owned(),
        b'E' => "whose consent a kept mail shows".to_owned(),
        b'F' => format!("that refusals of {} are being taken back", mailing()?),
        b'J' => format!("an answer to the event {}", ReleaseId(number(rest)?)),
        b'K' => "that a test mail of a content was sent".to_owned(),
        b'L' => format!("the bytes of notice {}", NoticeId(number(rest)?)),
        b'M' => format!("the index of mailings for {}", MailingId(last()?)),
        b'N' => format!("when notice {} is due", NoticeId(last()?)),
        b'P' => format!("when post {} expires", PostId(last()?)),
        b'Q' => "what waits for its turn".to_owned(),
        b'R' => "a count of automatic replies".to_owned(),
        b'S' => format!("the index of people for {}", SubscriberId(last()?)),
        b'T' => "a pending request by mail".to_owned(),
        b'a' => "to whom an address belongs".to_owned(),
        b'b' => format!("a boilerplate text of organisation {}", until_nul(rest)),
        b'c' => format!("the counter {}", text()),
        b'd' => {
            let (mailing, sequence) = delivery(key)?;
            format!("delivery {} of {mailing}", u64::from(sequence.0) + 1)
        }
        b'e' => format!("the lease of chunk {} of {}", chunk()?, mailing()?),
        b'f' => format!("a bounce of {}", SubscriberId(number(rest)?)),
        b'g' => "which release has a content".to_owned(),
        b'h' => format!("when the job {} last ran", text()),
        b'i' => "the outcome of a request".to_owned(),
        b'j' => "the way to an invitation".to_owned(),
        b'k' => format!("the audience in chunk {} of {}", chunk()?, mailing()?),
        b'l' => format!("list {}", text()),
        b'm' => format!("mailing {}", mailing()?),
        b'n' => format!("notice {}", NoticeId(u64::MAX - number(rest)?)),
        b'o' => format!("press contact {}", text()),
        b'p' => format!("post {}", PostId(number(rest)?)),
        b'q' => format!("organisation {}", text()),
        b'r' => format!("release {}", ReleaseId(number(rest)?)),
        b's' => format!("subscriber {}", SubscriberId(number(rest)?)),
        b't' => format!("the tally of chunk {} of {}", chunk()?, mailing()?),
        b'u' => format!("when a deferred delivery of {} is due", mailing()?),
        b'v' => format!("the bounce score of {}", SubscriberId(number(rest)?)),
        b'w' => format!("that message {} waits", InboundId(number(rest)?)),
        b'x' => "a suppression".to_owned(),
        b'y' => format!("message {}", InboundId(number(rest)?)),
        b'z' => format!("the setting {}", text()),
        _ => return None,
    })
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

fn until_nul(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys;

    #[test]
    fn keys_have_names_for_people() {
        for (key, name) in [
            (keys::delivery(MailingId(7), Sequence(16)), "delivery 17 of m7"),
            (keys::inbound(InboundId(12)), "message i12"),
            (keys::notice(NoticeId(3)), "notice n3"),
            (keys::subscriber(SubscriberId(17)), "subscriber s17"),
            (keys::bounce(MailingId(1), SubscriberId(2)), "the bounce of s2 about m1"),
            (keys::setting("key"), "the setting key"),
            (keys::audit_entry(5), "entry 5 of the audit log"),
        ] {
            assert_eq!(words(&key.0), name);
        }
        assert_eq!(words(b"d\0\0"), "a record of the table d");
        assert_eq!(words(b""), "a record of an unknown table");
    }
}
