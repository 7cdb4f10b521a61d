//! Signed tokens and addresses: a token that was changed is void or says the same; addresses never hold what would break a
//! header or an SMTP line, and read the same when read again.
#![no_main]

use depesch::base::address::Address;
use depesch::base::token::{Key, Purpose};
use depesch::mail::command::tokens;
// Counts stores.
use depesch_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = Key::new([7; 32]);
    tokens_hold(&key, bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for purpose in [Purpose::Unsubscribe, Purpose::Bounce, Purpose::Confirm] {
        assert_eq!(key.verify(purpose, text), None, "forged");
    }
    tokens(text);
    if let Ok(address) = text.parse::<Address>() {
        let written = address.to_string();
        assert!(
            !written.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"(),;".contains(c)),
            "{written:?}"
        );
        assert_eq!(written.parse::<Address>().as_ref(), Ok(&address));
        assert_eq!(Address::from_stored(written).as_ref(), Ok(&address));
        assert!(address.domain().is_ascii());
    }
});

/// The first byte is a number to sign; the others are put over the token.
fn tokens_hold(key: &Key, bytes: &[u8]) {
    let Some((&number, changes)) = bytes.split_first() else { return };
    let numbers = [u64::from(number), u64::from(number) << 20];
    let signed = key.sign(Purpose::Confirm, &numbers);
    assert_eq!(key.verify(Purpose::Confirm, &signed.to_uppercase()).as_deref(), Some(&numbers[..]));
    assert_eq!(key.verify(Purpose::Bounce, &signed), None, "a token for one purpose is good for another");
    let mut changed = signed.into_bytes();
    changed.iter_mut().zip(changes).for_each(|(byte, change)| *byte ^= change & 0x1f);
    if let Some(read) = std::str::from_utf8(&changed).ok().and_then(|text| key.verify(Purpose::Confirm, text)) {
        assert_eq!(read, numbers, "a changed token says something else");
    }
}
