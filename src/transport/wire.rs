//! The octet stream to a relay, under lettre's connection.
//!
//! lettre reads and writes through a [`WireHandle`]; we keep another one. So it is known at every moment how much of
//! what was to be sent has left (which decides between "not sent" and "nobody knows"), writes travel together, TLS
//! can begin in the middle, and lettre sees only well-formed reply lines:
//!
//! - text that is not UTF-8 becomes readable, a bare LF ends a line, `250` alone gets its space;
//! - a code such as 571, which lettre's parser does not know, becomes 550 with ` (571)` behind its text;
//! - one line is handed over at a time, so that nothing said in the clear outlives STARTTLS (RFC 3207 §4.2).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Longer reply lines are cut: RFC 5321 §4.5.3.1.5 allows 512 octets, lettre takes 1,000.
const MAX_LINE: usize = 900;
/// A server that sends so much without ending its line speaks no SMTP.
const MAX_WITHOUT_LINE_END: usize = 16 * 1024;

/// What carries the octets.
pub(super) enum Carrier {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken out for a TLS handshake, or broken in one.
    None,
}

/// The stream with its buffers.
pub(super) struct Wire {
    carrier: Carrier,
    output: Vec<u8>,
    written: usize,
    /// Octets as they came.
    input: Vec<u8>,
    /// The line that lettre is reading.
    line: Vec<u8>,
    handed: usize,
    broken: Option<String>,
}

/// One of the two handles on a [`Wire`].
#[derive(Clone)]
pub(super) struct WireHandle(Arc<Mutex<Wire>>);

impl WireHandle {
    pub(super) fn new(carrier: Carrier) -> Self {
        Self(Arc::new(Mutex::new(Wire {
            carrier,
            output: Vec::new(),
            written: 0,
            input: Vec::new(),
            line: Vec::new(),
            handed: 0,
            broken: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes some of what waits to be written; ready with `true` when nothing is left.
    pub(super) fn poll_write_out(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.lock().poll_write_some(context)
    }
}

impl Wire {
    /// Room for what is to be sent next.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        &mut self.output
    }

    /// How many octets have surely not left.
    pub(super) fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    /// Nothing more is written; what was said before can still be read.
    pub(super) fn give_up(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| why.to_owned());
    }

    /// Takes the TCP stream out for a TLS handshake; an error if the server has already said more than its answer
    /// to STARTTLS, as only an attacker does.
    pub(super) fn take_plain(&mut self) -> Result<TcpStream, &'static str> {
        if !self.input.is_empty() || self.handed < self.line.len() {
            return Err("it sent text after its answer to STARTTLS, before the handshake");
        }
        match std::mem::replace(&mut self.carrier, Carrier::None) {
            Carrier::Plain(stream) => Ok(stream),
            Carrier::Tls(_) | Carrier::None => Err("TLS is in use already"),
        }
    }

    /// Goes on over another carrier.
    pub(super) fn put(&mut self, carrier: Carrier) {
        self.carrier = carrier;
    }

    /// What arrived without being asked for, e.g. a 421 or the end: the connection is then of no more use. Never waits.
    pub(super) fn poll_unasked(&mut self, context: &mut Context<'_>) -> Option<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                let line = normalised(&self.input[..end]);
                return Some(format!("the relay said unasked: {}", line.trim_end()));
            }
            match self.poll_fill(context) {
                Poll::Pending => return None,
                Poll::Ready(Err(error)) => return Some(error.to_string()),
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    fn poll_write_some(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Some(broken) = &self.broken {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, broken.clone())));
        }
        if self.unsent() > 0 {
            let rest = &self.output[self.written..];
            let wrote = match &mut self.carrier {
                Carrier::Plain(stream) => ready!(Pin::new(stream).poll_write(context, rest)),
                Carrier::Tls(stream) => ready!(Pin::new(stream.as_mut()).poll_write(context, rest)),
                Carrier::None => Err(io::ErrorKind::NotConnected.into()),
            };
            let failed = match wrote {
                Ok(0) => "the connection takes no more".to_owned(),
                Ok(count) => {
                    self.written += count;
                    return Poll::Ready(Ok(self.unsent() == 0 && !matches!(self.carrier, Carrier::Tls(_))));
                }
                Err(error) => error.to_string(),
            };
            self.broken = Some(failed.clone());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, failed)));
        }
        if let Carrier::Tls(stream) = &mut self.carrier {
            ready!(Pin::new(stream.as_mut()).poll_flush(context))?;
        }
        Poll::Ready(Ok(true))
    }

    /// Reads more octets; an error at the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.input.len() > MAX_WITHOUT_LINE_END {
            let text = "the relay sends a line without end: it speaks no SMTP";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let mut space = [0; 2048];
        let mut buffer = ReadBuf::new(&mut space);
        let read = match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Carrier::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, &mut buffer),
            Carrier::None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        ready!(read)?;
        if buffer.filled().is_empty() {
            let text = "the relay closed the connection";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.handed == self.line.len() {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                self.line = normalised(&self.input[..end]).into_bytes();
                self.handed = 0;
                self.input.drain(..=end);
            } else {
                ready!(self.poll_fill(context))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A reply line as lettre's parser takes it, with CRLF, from one without its LF.
fn normalised(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
    let (code, mut rest) = match text.as_bytes() {
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', ..] => text.split_at(3),
        // No reply at all: the parser shall say so.
        _ => return format!("{}\r\n", cut(&text)),
    };
    let separator = if rest.starts_with('-') { '-' } else { ' ' };
    rest = rest.strip_prefix([' ', '-']).unwrap_or(rest);
    match code.as_bytes()[1] {
        b'0'..=b'5' => format!("{code}{separator}{}\r\n", cut(rest)),
        _ => format!("{}50{separator}{} ({code})\r\n", &code[..1], cut(rest)),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LINE)]
}

impl AsyncRead for WireHandle {
    /// Sends what waits to be sent, then reads: replies are waited for only when their commands are on the way.
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.lock();
        let failed = loop {
            match wire.poll_write_some(context) {
                Poll::Ready(Ok(true)) => break None,
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Err(error)) => break Some(error),
                Poll::Pending => return Poll::Pending,
            }
        };
        // A server that hung up may have said why before.
        match (wire.poll_line(context), failed) {
            (Poll::Ready(Ok(())), _) => {}
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Ready(Err(error)), None) => return Poll::Ready(Err(error)),
            (_, Some(error)) => return Poll::Ready(Err(error)),
        }
        let wire = &mut *wire;
        let count = buffer.remaining().min(wire.line.len() - wire.handed);
        buffer.put_slice(&wire.line[wire.handed..wire.handed + count]);
        wire.handed += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WireHandle {
    /// Only keeps: what is to be sent leaves with the next read.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().output().extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Carrier::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Carrier::None => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for WireHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireHandle")
    }
}

impl AsyncTokioStream for WireHandle {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.lock().carrier {
            Carrier::Plain(stream) => stream.peer_addr(),
            Carrier::Tls(stream) => stream.get_ref().0.peer_addr(),
            Carrier::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn makes_reply_lines_well_formed() {
        let check = |line: &[u8], expected: &str| assert_eq!(normalised(line), format!("{expected}\r\n"));
        check(b"250 OK\r", "250 OK");
        check(b"250", "250 ");
        check(b"250-SIZE 10\r", "250-SIZE 10");
        check(b"250-   \r", "250-");
        check(b"571 5.7.1 no\r", "550 5.7.1 no (571)");
        check(b"471-4.7.1 no\r", "450-4.7.1 no (471)");
        check(b"550 f\xfcr", "550 f\u{fffd}r");
        check(b"HTTP/1.1 400", "HTTP/1.1 400");
        check(&[b"250 ".as_slice(), &[b'x'; 5000]].concat(), &format!("250 {}", "x".repeat(900)));
    }
}
