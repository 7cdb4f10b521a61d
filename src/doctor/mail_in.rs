//! Incoming mail: whether the sockets are open, and whether they match the MX record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::Config;

use super::finding::{Area, Finding, Severity};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// SMTP, for mail servers of others.
    Smtp,
    /// LMTP, for a mail server of our own.
    Lmtp,
}

/// A listener that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The expected protocol.
    pub speaks: Speaks,
    /// Its address, or the path of a socket.
    pub address: String,
    /// Whether it is configured; otherwise it is the address of a socket unit.
    pub configured: bool,
    /// Its greeting and the extensions it offers, or why there are none.
    pub answer: Result<Vec<String>, String>,
}

/// The place of a listener.
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The expected listeners: those in the configuration, otherwise those of the socket units.
fn places(config: &Config) -> Vec<(Speaks, Place, bool)> {
    let inbound = &config.inbound;
    let smtp = inbound.smtp.iter().map(|address| (Speaks::Smtp, Place::Tcp(here(*address)), true));
    let lmtp = inbound.lmtp.iter().map(|address| (Speaks::Lmtp, Place::Tcp(here(*address)), true));
    let socket = inbound.lmtp_socket.iter().map(|path| (Speaks::Lmtp, Place::Unix(path.clone()), true));
    let places: Vec<_> = smtp.chain(lmtp).chain(socket).collect();
    if !places.is_empty() {
        return places;
    }
    let port = |port| Place::Tcp((Ipv4Addr::LOCALHOST, port).into());
    let unit = [
        (Speaks::Smtp, port(25)),
        (Speaks::Lmtp, port(24)),
        (Speaks::Lmtp, Place::Unix("/run/depesch-lmtp.sock".into())),
    ];
    unit.into_iter().map(|(speaks, place)| (speaks, place, false)).collect()
}

/// An unspecified address is reached through the machine's own.
fn here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// Tries all listeners.
pub(crate) async fn observe(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for (speaks, place, configured) in places(config) {
        let (address, greeted) = match place {
            Place::Tcp(address) => (address.to_string(), timeout(TIMEOUT, over_tcp(speaks, address)).await),
            Place::Unix(path) => (path.display().to_string(), timeout(TIMEOUT, over_unix(speaks, &path)).await),
        };
        let answer = match greeted {
            Ok(Ok(lines)) => Ok(lines),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        endpoints.push(Endpoint { speaks, address, configured, answer });
    }
    endpoints
}

async fn over_tcp(speaks: Speaks, address: SocketAddr) -> std::io::Result<Vec<String>> {
    greet(speaks, TcpStream::connect(address).await?).await
}

async fn over_unix(speaks: Speaks, path: &Path) -> std::io::Result<Vec<String>> {
    greet(speaks, UnixStream::connect(path).await?).await
}

async fn greet(speaks: Speaks, stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<Vec<String>> {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    reply(&mut stream, &mut lines).await?;
    let hello = if speaks == Speaks::Smtp { "EHLO" } else { "LHLO" };
    stream.write_all(format!("{hello} localhost\r\n").as_bytes()).await?;
    reply(&mut stream, &mut lines).await?;
    // If it does not receive the QUIT, no harm is done.
    drop(stream.write_all(b"QUIT\r\n").await);
    Ok(lines)
}

/// Reads one reply (RFC 5321 §4.2.1), limited to a few short lines.
async fn reply(stream: &mut (impl AsyncBufRead + Unpin), lines: &mut Vec<String>) -> std::io::Result<()> {
    while lines.len() < 64 {
        let mut line = Vec::new();
        (&mut *stream).take(1024).read_until(b'\n', &mut line).await?;
        let is_last = line.get(3) != Some(&b'-');
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// Evaluates the listeners.
pub fn evaluate(endpoints: &[Endpoint]) -> Vec<Finding> {
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::MailIn, code, what, why, remedy)
    };
    let mut found = Vec::new();
    for endpoint in endpoints {
        let Endpoint { address, configured, answer, .. } = endpoint;
        match answer {
            Ok(lines) => found.extend(open(endpoint, lines)),
            Err(why) if *configured => found.push(finding(
                Severity::Error,
                "listener",
                format!("no answer on {address}, where the configuration listens for mail: {why}"),
                "Bounces, unsubscribes and answers by mail are not received; senders retry for some days, then give up.",
                "Start the daemon; if it runs, check journalctl -u depesch.",
            )),
            Err(_) => {}
        }
    }
    let ours = |endpoint: &Endpoint| endpoint.configured || endpoint.answer.as_ref().is_ok_and(|lines| is_ours(lines));
    if !endpoints.iter().any(ours) {
        found.push(finding(
            Severity::Warning,
            "no-listener",
            "Depesch does not listen for mail: neither by [inbound] nor on ports 25 and 24".to_owned(),
            "Unless a pipe alias passes mail in, bounces are not counted and people cannot unsubscribe by mail.",
            "systemctl enable depesch-lmtp.socket behind a mail server of your own, or depesch-smtp.socket as the MX itself.",
        ));
    }
    found
}

fn is_ours(lines: &[String]) -> bool {
    lines.first().is_some_and(|greeting| greeting.starts_with("220") && greeting.ends_with("Depesch"))
}

fn open(endpoint: &Endpoint, lines: &[String]) -> Vec<Finding> {
    let Endpoint { speaks, address, configured, .. } = endpoint;
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::MailIn, code, what, why, remedy)
    };
    let greeting = lines.first().map(String::as_str).unwrap_or_default();
    match (is_ours(lines), configured) {
        (true, _) => {}
        (false, true) => {
            let what = format!("another program than Depesch answers on {address}: {greeting}");
            let why = "Mail to the lists goes elsewhere.";
            return vec![finding(Severity::Error, "listener", what, why, "Give one of the two another address.")];
        }
        // Another mail server on this machine's port 25: it may pass mail on in any way.
        (false, false) => return Vec::new(),
    }
    let word = if *speaks == Speaks::Smtp { "SMTP" } else { "LMTP" };
    let mut found = vec![Finding::good(Area::MailIn, "listener", format!("mail is received by {word} on {address}"))];
    let offers_tls = lines.iter().any(|line| line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS")));
    if *speaks == Speaks::Smtp && !offers_tls {
        found.push(finding(
            Severity::Warning,
            "no-starttls",
            format!("{address} does not offer STARTTLS"),
            "Mail to the lists, with addresses and answers in it, arrives unencrypted.",
            "Put certificate and key into /etc/depesch/certificate.pem and key.pem, set [inbound] certificate_credential and \
             key_credential, and restart.",
        ));
    }
    found
}
