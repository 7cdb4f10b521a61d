//! A connection of the mock server: plain or TLS, counted, and cut if the script says so.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::script::Cut;

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

/// A connection; counts bytes as the protocol sees them, inside TLS.
pub(super) struct Stream {
    inner: Inner,
    cut: Option<Cut>,
    received: usize,
    sent: usize,
}

impl Stream {
    pub(super) fn new(stream: TcpStream, cut: Option<Cut>) -> Self {
        Self { inner: Inner::Plain(stream), cut, received: 0, sent: 0 }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }

    pub(super) async fn encrypt(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let Inner::Plain(stream) = std::mem::replace(&mut self.inner, Inner::Gone) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(stream).await?;
        self.inner = Inner::Tls(Box::new(stream));
        Ok(())
    }

    /// Reads more into `input`; 0 when the other side has closed or the script cuts here.
    pub(super) async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        let room = match self.cut {
            Some(Cut::AfterReceived(at)) => at.saturating_sub(self.received),
            _ => usize::MAX,
        };
        if room == 0 {
            return Ok(0);
        }
        input.reserve(16 * 1024);
        let count = match (&mut self.inner, room) {
            (Inner::Plain(stream), usize::MAX) => stream.read_buf(input).await?,
            (Inner::Tls(stream), usize::MAX) => stream.read_buf(input).await?,
            (Inner::Plain(stream), room) => stream.take(room as u64).read_buf(input).await?,
            (Inner::Tls(stream), room) => stream.take(room as u64).read_buf(input).await?,
            (Inner::Gone, _) => 0,
        };
        self.received += count;
        Ok(count)
    }

    /// Writes and empties `output`; an error once the script cuts.
    pub(super) async fn write(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let room = match self.cut {
            Some(Cut::AfterSent(at)) => at.saturating_sub(self.sent).min(output.len()),
            _ => output.len(),
        };
        match &mut self.inner {
            Inner::Plain(stream) => stream.write_all(&output[..room]).await?,
            Inner::Tls(stream) => {
                stream.write_all(&output[..room]).await?;
                stream.flush().await?;
            }
            Inner::Gone => return Err(io::ErrorKind::NotConnected.into()),
        }
        self.sent += room;
        if room < output.len() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        output.clear();
        Ok(())
    }

    /// Closes it in order, if the other side allows.
    pub(super) async fn close(mut self) {
        // The peer may have closed already; that needs no report.
        drop(match &mut self.inner {
            Inner::Plain(stream) => stream.shutdown().await,
            Inner::Tls(stream) => stream.shutdown().await,
            Inner::Gone => Ok(()),
        });
    }
}
