//! A minimal LMTP client (RFC 2033) for the actors that send mail.

use anyhow::bail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one message over a new connection; `true` when it was answered with 250, and `false` when it was refused.
/// `content` has lines that end with CRLF and no line of a single dot.
///
/// # Errors
/// The connection could not be made, or was lost: the message may have been accepted or not.
pub(crate) async fn hand_in(port: u16, sender: &str, recipient: &str, content: &str) -> anyhow::Result<bool> {
    let mut stream = connect(port, "reader.example").await?;
    for line in [format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{recipient}>"), "DATA".to_owned()] {
        if !matches!(say(&mut stream, &line).await?.as_bytes().first(), Some(b'2' | b'3')) {
            return Ok(false);
        }
    }
    let taken = say(&mut stream, &format!("{content}.")).await?.starts_with("250");
    // The message has been acknowledged or refused: nothing depends on this.
    let _ = say(&mut stream, "QUIT").await;
    Ok(taken)
}

/// Opens a connection, reads the greeting and sends LHLO.
///
/// # Errors
/// The daemon does not listen, or closed the connection.
pub(crate) async fn connect(port: u16, name: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    reply(&mut stream).await?;
    say(&mut stream, &format!("LHLO {name}")).await?;
    Ok(stream)
}

/// Sends one line, or a message with its final dot, and reads the reply.
///
/// # Errors
/// The daemon closed the connection.
pub(crate) async fn say(stream: &mut TcpStream, line: &str) -> anyhow::Result<String> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    reply(stream).await
}

/// The next reply with all its lines.
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
