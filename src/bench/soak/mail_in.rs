//! Peers that send mail by LMTP: for the owner, commands, posts, and unwanted mail.

use super::LIST;
use super::books::Books;
use super::dice::Dice;
use super::lmtp::{connect, say};

/// One peer, until dropped. Each of its messages has a different sender, by which it is found again.
pub(crate) async fn peer(number: u64, port: u16, books: &Books, mut dice: Dice) {
    let mut count = 0_u64;
    loop {
        // Lost and refused connections are expected with kills: what was not acknowledged is not sent again.
        let _ = connection(number, port, &mut count, books, &mut dice).await;
        tokio::time::sleep(dice.pause(20, 300)).await;
    }
}

async fn connection(number: u64, port: u16, count: &mut u64, books: &Books, dice: &mut Dice) -> anyhow::Result<()> {
    let mut stream = connect(port, &format!("peer{number}.example")).await?;
    for _ in 0..dice.below(30) {
        *count += 1;
        let sender = format!("m{count}@peer{number}.example");
        let (local_part, subject) = match dice.below(10) {
            0..=3 => (format!("{LIST}-owner"), "A question about the night trains"),
            4 => (format!("{LIST}-request"), "help"),
            5 => (format!("{LIST}-subscribe"), "subscribe"),
            6 => (LIST.to_owned(), "A post from somebody who may not"),
            7 => (format!("{LIST}-bounces"), "Undeliverable: nobody knows what"),
            8 => ("nobody-here".to_owned(), "To nobody"),
            _ => (format!("{LIST}-bounces+forged"), "Undeliverable: forged"),
        };
        if !say(&mut stream, &format!("MAIL FROM:<{sender}>")).await?.starts_with('2')
            || !say(&mut stream, &format!("RCPT TO:<{local_part}@lists.example.org>")).await?.starts_with('2')
        {
            say(&mut stream, "RSET").await?;
            continue;
        }
        say(&mut stream, "DATA").await?;
        let text = "The trains leave in the evening, and whoever boards them has a night to read.\r\n";
        let content = format!(
            "From: {sender}\r\nTo: {local_part}@lists.example.org\r\nMessage-ID: <{sender}>\r\nSubject: {subject}\r\n\r\n{}.",
            text.repeat(1 + dice.below(60) as usize)
        );
        if say(&mut stream, &content).await?.starts_with("250") {
            books.open().mails.insert(sender);
        }
        tokio::time::sleep(dice.pause(0, 60)).await;
    }
    say(&mut stream, "QUIT").await?;
    Ok(())
}
