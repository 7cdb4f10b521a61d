//! Thousands of hostile mails to every address of a list, in the names of its subscribers: no panic, no noticeable
//! slowness, no unsubscribes.

use std::time::Duration;

use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::World;

const MAILS: usize = 10_000;
const WHERE: [&str; 12] = [
    "subscribe",
    "unsubscribe",
    "request",
    "confirm",
    "pause",
    "resume",
    "which",
    "help",
    "set",
    "owner",
    "avsluta",
    "leave",
];

/// Fragments that mails are built from, honest and hostile.
const PIECES: [&str; 40] = [
    "unsubscribe",
    "avsluta",
    "STOP",
    "ja",
    "ok",
    "confirm",
    "Re: ",
    "Sv: unsubscribe",
    "\n",
    "\n\n",
    "> ",
    "-- \n",
    "\r",
    "\0",
    "unsubscribe p1@press.example",
    "Subject: unsubscribe\n",
    "Auto-Submitted: no\n",
    "Content-Type: text/html\n\n",
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    "--b--\n",
    "Content-Transfer-Encoding: base64\n\n",
    "dW5zdWJzY3JpYmU=",
    "=?utf-8?q?avsluta?=",
    "=?utf-8?b?////?=",
    "From: p1@press.example\n",
    "To: media-unsubscribe@lists.example.org\n",
    "Reply-To: p2@press.example\n",
    "<div>unsubscribe</div>",
    "<!--",
    "&nbsp;",
    "((((((((",
    "<<<<<<<<",
    "åäö",
    "\u{202e}",
    "språk: engelska\n",
    "ämnen: \u{1b}[2J\n",
    "aebagbafaydqqcikbmgaydq2ceaebagbafa",
    "{{list.title}}",
    "'; DROP TABLE",
    "\u{fffd}",
];

/// Pseudo-random numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Real mail if available, and invented mail.
fn seeds() -> Vec<Vec<u8>> {
    let own =
        "Subject: Sv: Nyheter\nContent-Type: text/plain; charset=utf-8\n\nHej,\nunsubscribe\n\n> avsluta\n-- \nKarin\n";
    let mut seeds = vec![own.as_bytes().to_vec(), own.replace("text/plain", "text/html").into_bytes()];
    for folder in ["bounces", "ordinary"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/mail").join(folder);
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = files.map(|file| file.path()).collect();
        paths.sort();
        seeds
            .extend(paths.into_iter().filter_map(|path| std::fs::read(path).ok()).filter(|bytes| bytes.len() < 20_000));
    }
    seeds
}

fn mutate(bytes: &[u8], numbers: &mut Numbers) -> String {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + numbers.below(12) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(4) {
            0 => bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes()).for_each(drop),
            1 => bytes.truncate(at.max(1)),
            2 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            _ => {
                let from = numbers.below(at + 1);
                let piece = bytes[from..at.min(from + 200)].to_vec();
                bytes.splice(at..at, piece).for_each(drop);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn no_panic_and_no_wrong_unsubscribe() {
    let world = World::new().await;
    for number in 0..3 {
        world.subscribes(&format!("p{number}@press.example")).await;
    }
    let (seeds, mut numbers) = (seeds(), Numbers(0x5eed));
    let mut slowest = Duration::ZERO;
    for number in 0..MAILS {
        let from = format!("p{}@press.example", numbers.below(4));
        let mail = format!("From: {from}\n{}", mutate(&seeds[numbers.below(seeds.len())], &mut numbers));
        let to =
            format!("media{}{}@lists.example.org", ["-", "+"][numbers.below(2)], WHERE[numbers.below(WHERE.len())]);
        let sender = (numbers.below(8) > 0).then_some(from.as_str());
        let begun = std::time::Instant::now();
        world.arrives(sender, &to, &mail).await;
        slowest = slowest.max(begun.elapsed());
        if number % 100 == 0 {
            world.clock.advance(chrono::Duration::hours(6));
        }
    }
    for number in 0..3 {
        let address = format!("p{number}@press.example");
        assert_eq!(world.standing(&address).await, Some(SubscriptionState::Active), "{address}");
    }
    assert!(world.subscriber("p3@press.example").await.is_none());
    println!("{MAILS} mails, the slowest took {slowest:?}");
    let questions = world.sent().await.iter().filter(|sent| sent.starts_with("confirm")).count();
    assert!(questions > 3, "the mails did reach the commands");
}
