//! The byte stream to a relay, under lettre's connection.
//!
//! lettre reads and writes through a [`WireHandle`]; we keep another one. So it is known at every moment how many
//! bytes have been sent (which decides between "not sent" and "unknown"), writes are combined, TLS can begin in the
//! middle, and lettre only sees well-formed replies ([`super::replies`]). Replies are passed on one at a time, so
//! that nothing said before STARTTLS is used after it (RFC 3207 §4.2).
//!
//! lettre has no HELO: if a relay refuses EHLO, the wire sends HELO in its place (RFC 5321 §3.2).

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

use super::replies::{Collector, GARBLED, Whole, readable};

/// Maximum bytes kept of a line without an end.
const MAX_WITHOUT_LINE_END: usize = 16 * 1024;
/// Maximum number of lines of a reply, of which 40 are kept; more count as endless.
const MOST_LINES: usize = 2000;
/// A line with more bytes than this is not SMTP.
const MAX_LINE_LENGTH: usize = 1024 * 1024;

/// The underlying stream.
pub(super) enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken out for a TLS handshake, or broken in one.
    None,
}

/// The stream with its buffers.
pub(super) struct Wire {
    stream: Stream,
    output: Vec<u8>,
    written: usize,
    /// Bytes received.
    input: Vec<u8>,
    /// Bytes of the line in `input` that were not kept.
    dropped: usize,
    collector: Collector,
    /// Number of lines of the reply being collected.
    lines: usize,
    /// The reply that lettre is reading.
    line: Vec<u8>,
    handed: usize,
    broken: Option<String>,
    greeting: Greeting,
    /// The HELO command to send if EHLO is refused, with its CRLF.
    plain_hello: String,
    garbled: Option<Garbled>,
}

/// The state of the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// EHLO was not sent yet, or was answered.
    Waiting,
    /// EHLO was sent.
    Extended,
    /// EHLO was refused, and HELO was sent.
    Plain,
    /// The connection is open.
    Over,
}

/// An invalid reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbled {
    /// Whether it has codes, all of them refusals.
    pub(super) is_refusal: bool,
}

/// One of the two handles on a [`Wire`].
#[derive(Clone)]
pub(super) struct WireHandle(Arc<Mutex<Wire>>);

impl WireHandle {
    pub(super) fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Wire {
            stream,
            output: Vec::new(),
            written: 0,
            input: Vec::new(),
            dropped: 0,
            collector: Collector::default(),
            lines: 0,
            line: Vec::new(),
            handed: 0,
            broken: None,
            greeting: Greeting::Waiting,
            plain_hello: String::new(),
            garbled: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes some of the pending output; ready with `true` when nothing is left.
    pub(super) fn poll_write_out(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.lock().poll_write_some(context)
    }
}

impl Wire {
    /// The buffer of pending output.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        &mut self.output
    }

    /// Number of bytes that have certainly not been sent.
    pub(super) fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    /// Stops writing; replies received before can still be read.
    pub(super) fn give_up(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| why.to_owned());
    }

    /// Ends the greeting: what follows concerns a login or a message.
    pub(super) fn greeted(&mut self) {
        self.greeting = Greeting::Over;
    }

    /// Whether the relay accepted HELO in place of EHLO, and so offers no extensions.
    pub(super) fn is_plain(&self) -> bool {
        self.greeting == Greeting::Plain
    }

    /// Details of the last reply, if it was invalid; returned once.
    pub(super) fn take_garbled(&mut self) -> Option<Garbled> {
        self.garbled.take()
    }

    /// Takes the TCP stream out for a TLS handshake; an error if the server has already sent more than its answer to
    /// STARTTLS, as only an attacker does.
    pub(super) fn take_plain(&mut self) -> Result<TcpStream, &'static str> {
        if !self.input.is_empty() || self.handed < self.line.len() {
            return Err("it sent text after its answer to STARTTLS, before the handshake");
        }
        match std::mem::replace(&mut self.stream, Stream::None) {
            Stream::Plain(stream) => Ok(stream),
            Stream::Tls(_) | Stream::None => Err("TLS is already in use"),
        }
    }

    /// Continues over another stream.
    pub(super) fn put(&mut self, stream: Stream) {
        self.stream = stream;
    }

    /// Unsolicited input, e.g. a 421 or the end of the stream: the connection must not be used any more. Never waits.
    pub(super) fn poll_unasked(&mut self, context: &mut Context<'_>) -> Option<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                return Some(format!("the relay sent without being asked: {}", readable(&self.input[..end])));
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
            let wrote = match &mut self.stream {
                Stream::Plain(stream) => ready!(Pin::new(stream).poll_write(context, rest)),
                Stream::Tls(stream) => ready!(Pin::new(stream.as_mut()).poll_write(context, rest)),
                Stream::None => Err(io::ErrorKind::NotConnected.into()),
            };
            let failed = match wrote {
                Ok(0) => "the connection accepts no more data".to_owned(),
                Ok(count) => {
                    self.written += count;
                    return Poll::Ready(Ok(self.unsent() == 0 && !matches!(self.stream, Stream::Tls(_))));
                }
                Err(error) => error.to_string(),
            };
            self.broken = Some(failed.clone());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, failed)));
        }
        if let Stream::Tls(stream) = &mut self.stream {
            ready!(Pin::new(stream.as_mut()).poll_flush(context))?;
        }
        Poll::Ready(Ok(true))
    }

    /// Reads more bytes; an error at the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end of an overlong line is not needed: its beginning has all the information.
        if self.input.len() > MAX_WITHOUT_LINE_END {
            self.dropped += self.input.len() - MAX_WITHOUT_LINE_END;
            self.input.truncate(MAX_WITHOUT_LINE_END);
        }
        if self.dropped > MAX_LINE_LENGTH {
            let text = "the relay sends an endless line: it does not speak SMTP";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let mut space = [0; 2048];
        let mut buffer = ReadBuf::new(&mut space);
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, &mut buffer),
            Stream::None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        ready!(read)?;
        if buffer.filled().is_empty() {
            let text = "the relay closed the connection";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Prepares a complete reply for lettre.
    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.handed == self.line.len() {
            let Some(end) = memchr::memchr(b'\n', &self.input) else {
                ready!(self.poll_fill(context))?;
                continue;
            };
            let whole = self.collector.push(&self.input[..end]);
            self.input.drain(..=end);
            self.dropped = 0;
            self.lines += 1;
            let Some(whole) = whole else {
                if self.lines > MOST_LINES {
                    let text = "the relay sends an endless reply: it does not speak SMTP";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                continue;
            };
            self.lines = 0;
            if self.refuses_extensions(&whole) {
                self.greeting = Greeting::Plain;
                let hello = std::mem::take(&mut self.plain_hello);
                self.output().extend_from_slice(hello.as_bytes());
                while !ready!(self.poll_write_some(context))? {}
                continue;
            }
            self.line = self.piped_in(whole)?;
            if self.greeting == Greeting::Extended {
                self.greeting = Greeting::Waiting;
            }
            self.handed = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether this reply refuses EHLO such that HELO should be tried (RFC 5321 §3.2).
    fn refuses_extensions(&self, whole: &Whole) -> bool {
        let Whole::Proper(text) = whole else { return false };
        let is_refusal = ["500", "501", "502", "504", "550"].iter().any(|code| text.starts_with(code));
        is_refusal && self.greeting == Greeting::Extended && !self.plain_hello.is_empty()
    }

    /// A reply in the form for lettre.
    fn piped_in(&mut self, whole: Whole) -> io::Result<Vec<u8>> {
        let is_greeting = self.greeting != Greeting::Over;
        match whole {
            // lettre requires the relay's name, which is not used here.
            Whole::Proper(text) if is_greeting && text.starts_with("250") && text[4..].starts_with([' ', '\r']) => {
                Ok(format!("{}relay{}", &text[..4], &text[4..]).into_bytes())
            }
            Whole::Proper(text) => Ok(text.into_bytes()),
            Whole::Garbled { words, .. } if is_greeting => {
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("it does not speak SMTP: {words}")))
            }
            Whole::Garbled { words, is_refusal } => {
                self.garbled = Some(Garbled { is_refusal });
                Ok(format!("451 {GARBLED}: {}\r\n", readable(words.as_bytes())).into_bytes())
            }
        }
    }
}

impl AsyncRead for WireHandle {
    /// Sends pending output, then reads: replies are awaited only when their commands are on the way.
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
        match (wire.poll_reply(context), failed) {
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
    /// Only buffers: the output is sent with the next read.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.lock();
        if let Some(name) = bytes.strip_prefix(b"EHLO ")
            && wire.greeting != Greeting::Over
        {
            wire.greeting = Greeting::Extended;
            wire.plain_hello = format!("HELO {}", String::from_utf8_lossy(name));
        }
        wire.output().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Stream::None => Poll::Ready(Ok(())),
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
        match &self.lock().stream {
            Stream::Plain(stream) => stream.peer_addr(),
            Stream::Tls(stream) => stream.get_ref().0.peer_addr(),
            Stream::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
