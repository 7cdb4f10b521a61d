//! A post on its way through: whatever the bytes, what is sent on has one From, of the author that was decided on, each
//! field that a header may have once at most once, and no line that a relay need not carry; with bounded growth.
#![no_main]

use depesch::base::clock::Timestamp;
use depesch::mail::compose::ListFields;
use depesch::mail::header_check::{Doubt, ONCE, author_and_doubt};
use depesch::mail::headers::Mailbox;
use depesch::mail::posted::{Changes, PostedFrame, Reader, with_line_ends};
use depesch::mail::raw_header::RawHeader;
use depesch::mail::relayable::relayable;
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let post = with_line_ends(bytes);
    for eight_bit in [true, false] {
        let Ok(fitted) = relayable(&post, eight_bit) else { continue };
        assert!(eight_bit || fitted.is_ascii());
        assert!(fitted.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        assert!(fitted.len() <= 16 * post.len() + 1000, "{} of {}", fitted.len(), post.len());
    }
    let Ok((author, doubt)) = author_and_doubt(&post) else { return };
    // The list stands in From for an address beyond ASCII.
    if doubt == Some(Doubt::TooMuch) || author.address.needs_smtputf8() {
        return;
    }
    let to = Mailbox::bare("reader@example.com".parse().unwrap());
    let changes = Changes {
        from: None,
        author: Mailbox { name: author.name, address: author.address.clone() },
        reply_to: None,
        post_address: None,
        loop_mark: "m".to_owned(),
        sensitive: false,
        message_id: "m1@example.org".to_owned(),
        date: Timestamp::UNIX_EPOCH,
        feedback_id: "m1".to_owned(),
    };
    let list = ListFields {
        title: "L".to_owned(),
        id: "l.example.org".to_owned(),
        owner: "mailto:o@example.org".to_owned(),
        help: "mailto:h@example.org".to_owned(),
    };
    let reader = Reader { to: &to, unsubscribe_https: None, unsubscribe_mailto: "mailto:u@example.org" };
    let (beginning, end) = PostedFrame::new(&post, &changes).message(&list, &reader);
    let message = [beginning.as_slice(), end.as_slice()].concat();
    let header = RawHeader::new(&message);
    assert!(header.stray.is_empty());
    for name in ONCE {
        assert!(header.named(name).count() <= 1, "{name}");
    }
    let (sent, doubt) = author_and_doubt(&message).unwrap();
    assert_eq!(sent.address, author.address);
    assert!(matches!(doubt, None | Some(Doubt::TooMuch)), "{doubt:?}");
});
