//! One LMTP command and its reply (RFC 2033), as the actors that hand in mail need them.

use anyhow::bail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Hands in one message over a connection of its own; true when 250 was said of it, and false when it was refused.
/// `content` has lines that end with CRLF and no line of a single dot.
///
/// # Errors
/// The connection could not be made, or was lost: the message may have been taken or not.
pub async fn hand_in(port: u16, sender: &str, recipient: &str, content: &str) -> anyhow::Result<bool> {
    let mut stream = connect(port, "reader.example").await?;
    for line in [format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{recipient}>"), "DATA".to_owned()] {
        if !matches!(say(&mut stream, &line).await?.as_bytes().first(), Some(b'2' | b'3')) {
            return Ok(false);
        }
    }
    let taken = say(&mut stream, &format!("{content}.")).await?.starts_with("250");
    // The message is acknowledged or refused already: nothing depends on this.
    let _ = say(&mut stream, "QUIT").await;
    Ok(taken)
}

/// A connection on which the greeting was read and LHLO said.
///
/// # Errors
/// The daemon does not listen, or ended the connection.
pub async fn connect(port: u16, name: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    reply(&mut stream).await?;
    say(&mut stream, &format!("LHLO {name}")).await?;
    Ok(stream)
}

/// Sends one line, or a message with its final dot, and reads the reply.
///
/// # Errors
/// The daemon ended the connection.
pub async fn say(stream: &mut TcpStream, line: &str) -> anyhow::Result<String> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    reply(stream).await
}

/// The next reply, all its lines.
async fn reply(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            bail!("the daemon ended the connection");
        }
        let text = String::from_utf8_lossy(&read);
        let last = text.strip_suffix("\r\n").and_then(|lines| lines.rsplit("\r\n").next());
        if last.is_some_and(|line| line.as_bytes().get(3) == Some(&b' ')) {
            return Ok(last.unwrap_or_default().to_owned());
        }
    }
}
