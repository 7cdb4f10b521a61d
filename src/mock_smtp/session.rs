//! One connection to a mock server, from greeting to end.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use memchr::memmem;
use tokio::net::TcpStream;

use super::Shared;
use super::content::{has_bare_line_ends, without_stuffing};
use super::record::{Received, message_id};
use super::script::{Action, Event, Point};
use super::stream::Stream;

mod auth;

/// RFC 5321 §4.5.3.1.4 requires 512; extensions make commands longer.
const MAX_COMMAND: usize = 8192;

/// What to do after a command.
enum Next {
    Go,
    End,
}

/// The script's decision at a point.
enum Scripted {
    /// Do the usual.
    Proceed,
    /// Another reply was sent, which accepts or not; then do this.
    Said(bool, Next),
    /// Proceed without a reply, then do this.
    Quietly(Next),
    End,
}

#[derive(Default)]
struct Transaction {
    open: bool,
    sender: String,
    sender_parameters: String,
    recipients: Vec<String>,
    recipient_parameters: Vec<String>,
}

struct Session<'a> {
    shared: &'a Shared,
    number: u64,
    stream: Stream,
    input: Vec<u8>,
    /// Bytes at the front of `input` that have been processed.
    used: usize,
    output: Vec<u8>,
    transaction: Transaction,
    login: Option<String>,
}

/// Serves one connection until it ends.
pub(super) async fn run(stream: TcpStream, number: u64, shared: &Shared) {
    // Without it a reply waits for the next acknowledgement. A failure is harmless.
    drop(stream.set_nodelay(true));
    let script = shared.script.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let cut = script.and_then(|script| script.cut(number));
    let mut session = Session {
        shared,
        number,
        stream: Stream::new(stream, cut),
        input: Vec::new(),
        used: 0,
        output: Vec::new(),
        transaction: Transaction::default(),
        login: None,
    };
    // Errors here are how the client or the script ends a connection.
    drop(session.serve().await);
    drop(session.flush().await);
    session.stream.close().await;
}

impl Session<'_> {
    async fn serve(&mut self) -> io::Result<()> {
        if self.shared.settings.implicit_tls
            && let Some(config) = &self.shared.settings.tls
        {
            self.stream.encrypt(config.clone()).await?;
        }
        match self.scripted(Point::Greeting, "").await? {
            Scripted::Proceed => self.say("220 mock.example ESMTP"),
            Scripted::Said(_, Next::Go) => {}
            Scripted::Said(_, Next::End) | Scripted::Quietly(_) | Scripted::End => return Ok(()),
        }
        while let Some(line) = self.line().await? {
            if let Next::End = self.command(&line).await? {
                break;
            }
        }
        Ok(())
    }

    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write(&mut self.output).await
    }

    /// Waits for more input. Replies are sent only now, so that those to pipelined commands are sent together.
    async fn more(&mut self) -> io::Result<bool> {
        self.flush().await?;
        if self.used > 0 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        Ok(self.stream.read(&mut self.input).await? > 0)
    }

    /// The next command without its CRLF; `None` at the end.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let waiting = &self.input[self.used..];
            if let Some(end) = memmem::find(waiting, b"\r\n") {
                let line = waiting[..end].to_vec();
                self.used += end + 2;
                return Ok(Some(line));
            }
            if waiting.len() > MAX_COMMAND || !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Asks the script and carries out its action, unless that is to proceed.
    async fn scripted(&mut self, point: Point, address: &str) -> io::Result<Scripted> {
        let script = self.shared.script.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let Some(script) = script else { return Ok(Scripted::Proceed) };
        match script.decide(&Event { connection: self.number, point, address }) {
            Action::Proceed => Ok(Scripted::Proceed),
            Action::Delay(time) => {
                self.flush().await?;
                tokio::time::sleep(time).await;
                Ok(Scripted::Proceed)
            }
            Action::Reply(reply) => {
                let next = if reply.starts_with("421") { Next::End } else { Next::Go };
                Ok(self.said(&reply, next))
            }
            Action::ReplyThenClose(reply) => Ok(self.said(&reply, Next::End)),
            Action::Close => Ok(Scripted::End),
            Action::Silence => {
                self.silence().await?;
                Ok(Scripted::End)
            }
            Action::AcceptThenClose => Ok(Scripted::Quietly(Next::End)),
            Action::AcceptThenSilence => Ok(Scripted::Quietly(Next::Go)),
        }
    }

    fn said(&mut self, reply: &str, next: Next) -> Scripted {
        self.say(reply);
        Scripted::Said(reply.starts_with('2') || reply.starts_with('3'), next)
    }

    /// Sends nothing more until the other side gives up.
    async fn silence(&mut self) -> io::Result<()> {
        while self.more().await? {
            self.used = self.input.len();
        }
        Ok(())
    }

    async fn command(&mut self, line: &[u8]) -> io::Result<Next> {
        if line.contains(&b'\n') || line.contains(&b'\r') {
            self.shared.record.bare_line_ends.fetch_add(1, Relaxed);
            self.say("500 5.5.2 bare CR or LF");
            return Ok(Next::Go);
        }
        let line = String::from_utf8_lossy(line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let point = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => Point::Ehlo,
            "STARTTLS" => Point::StartTls,
            "AUTH" => Point::Auth,
            "MAIL" => Point::Mail,
            "RCPT" => Point::Recipient,
            "DATA" => Point::Data,
            "RSET" => Point::Reset,
            "QUIT" => Point::Quit,
            "NOOP" => {
                self.say("250 2.0.0 OK");
                return Ok(Next::Go);
            }
            _ => {
                self.say("500 5.5.1 unknown command");
                return Ok(Next::Go);
            }
        };
        if matches!(point, Point::Data) {
            return self.data().await;
        }
        let path = path(rest);
        let speak = match self.scripted(point, path.0).await? {
            Scripted::End | Scripted::Said(_, Next::End) | Scripted::Quietly(Next::End) => return Ok(Next::End),
            Scripted::Quietly(Next::Go) => {
                self.silence().await?;
                return Ok(Next::End);
            }
            Scripted::Said(false, Next::Go) => return Ok(Next::Go),
            Scripted::Said(true, Next::Go) => false,
            Scripted::Proceed => true,
        };
        self.usual(point, rest, path, speak).await
    }

    /// The usual effect of a command; `speak` is false if the script has replied already.
    async fn usual(&mut self, point: Point, rest: &str, path: (&str, &str), speak: bool) -> io::Result<Next> {
        let reply = match point {
            Point::Ehlo => {
                self.transaction = Transaction::default();
                self.greet_back()
            }
            Point::Mail if self.transaction.open => "503 5.5.1 nested MAIL".to_owned(),
            Point::Mail => {
                let (sender, sender_parameters) = (path.0.to_owned(), path.1.to_owned());
                self.transaction = Transaction { open: true, sender, sender_parameters, ..Transaction::default() };
                "250 2.1.0 OK".to_owned()
            }
            Point::Recipient if !self.transaction.open => "503 5.5.1 MAIL first".to_owned(),
            Point::Recipient => {
                self.transaction.recipients.push(path.0.to_owned());
                self.transaction.recipient_parameters.push(path.1.to_owned());
                "250 2.1.5 OK".to_owned()
            }
            Point::Reset => {
                self.transaction = Transaction::default();
                "250 2.0.0 OK".to_owned()
            }
            Point::Auth => self.auth(rest).await?,
            Point::StartTls => return self.start_tls(speak).await,
            Point::Quit => "221 2.0.0 bye".to_owned(),
            Point::Greeting | Point::Data | Point::Message => return Ok(Next::Go),
        };
        if speak {
            self.say(&reply);
        }
        Ok(if point == Point::Quit { Next::End } else { Next::Go })
    }

    fn greet_back(&self) -> String {
        let settings = &self.shared.settings;
        let mut offers = vec!["mock.example".to_owned()];
        offers.extend(settings.extensions.iter().cloned());
        if settings.tls.is_some() && !self.stream.is_encrypted() {
            offers.push("STARTTLS".to_owned());
        }
        if settings.login.is_some() && (self.stream.is_encrypted() || settings.login_without_tls) {
            offers.push(format!("AUTH {}", settings.mechanisms));
        }
        let last = offers.len() - 1;
        let lines = offers.iter().enumerate();
        let lines = lines.map(|(at, offer)| format!("250{}{offer}", if at == last { ' ' } else { '-' }));
        lines.collect::<Vec<_>>().join("\r\n")
    }

    async fn start_tls(&mut self, speak: bool) -> io::Result<Next> {
        let Some(config) = self.shared.settings.tls.clone().filter(|_| !self.stream.is_encrypted()) else {
            self.say("502 5.5.1 no STARTTLS here");
            return Ok(Next::Go);
        };
        if speak {
            self.say("220 2.0.0 go ahead");
        }
        self.flush().await?;
        // RFC 3207 §4.2: what was received before TLS is discarded.
        self.input.clear();
        self.used = 0;
        self.transaction = Transaction::default();
        self.stream.encrypt(config).await?;
        Ok(Next::Go)
    }

    fn first_recipient(&self) -> String {
        self.transaction.recipients.first().cloned().unwrap_or_default()
    }

    async fn data(&mut self) -> io::Result<Next> {
        let recipient = self.first_recipient();
        match self.scripted(Point::Data, &recipient).await? {
            Scripted::Proceed if self.transaction.recipients.is_empty() => {
                self.say("503 5.5.1 no valid recipients");
                return Ok(Next::Go);
            }
            Scripted::Proceed => self.say("354 end with CRLF.CRLF"),
            Scripted::Said(true, Next::Go) => {}
            Scripted::Said(false, Next::Go) => return Ok(Next::Go),
            Scripted::Said(_, Next::End) | Scripted::Quietly(_) | Scripted::End => return Ok(Next::End),
        }
        let Some(length) = self.content().await? else { return Ok(Next::End) };
        let next = match self.scripted(Point::Message, &recipient).await? {
            Scripted::End => return Ok(Next::End),
            Scripted::Said(false, next) => next,
            Scripted::Said(true, next) | Scripted::Quietly(next @ Next::End) => {
                self.accept(length);
                next
            }
            Scripted::Quietly(Next::Go) => {
                self.accept(length);
                self.silence().await?;
                Next::End
            }
            Scripted::Proceed => {
                let reply = self.accept(length);
                self.say(&reply);
                Next::Go
            }
        };
        self.used += length + 3;
        self.transaction = Transaction::default();
        Ok(next)
    }

    /// Reads to the end of the content and returns its length, including its last CRLF but not the `.` CRLF; `None`
    /// when the connection ends first. RFC 5321 §4.1.1.4: only CRLF.CRLF ends it, where the first CRLF may be that of
    /// DATA.
    async fn content(&mut self) -> io::Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let content = &self.input[self.used..];
            if content.starts_with(b".\r\n") {
                return Ok(Some(0));
            }
            if let Some(at) = memmem::find(&content[searched..], b"\r\n.\r\n") {
                return Ok(Some(searched + at + 2));
            }
            searched = content.len().saturating_sub(4);
            if content.len() > self.shared.settings.max_size * 2 || !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Accepts the content at the front of the input, or returns why not.
    fn accept(&mut self, length: usize) -> String {
        let record = &self.shared.record;
        let content = &self.input[self.used..self.used + length];
        if self.transaction.recipients.is_empty() {
            record.without_recipient.fetch_add(1, Relaxed);
            return "554 5.5.1 no valid recipients".to_owned();
        }
        if length > self.shared.settings.max_size {
            return "552 5.3.4 message too big".to_owned();
        }
        if self.shared.settings.check_line_ends && has_bare_line_ends(content) {
            record.bare_line_ends.fetch_add(1, Relaxed);
            return "550 5.6.11 bare CR or LF".to_owned();
        }
        let transaction = std::mem::take(&mut self.transaction);
        let received = Received {
            sender: transaction.sender,
            sender_parameters: transaction.sender_parameters,
            recipients: transaction.recipients,
            recipient_parameters: transaction.recipient_parameters,
            message_id: String::from_utf8_lossy(message_id(content)).into_owned(),
            bytes: if record.wants_content() { without_stuffing(content) } else { Vec::new() },
            encrypted: self.stream.is_encrypted(),
            login: self.login.clone(),
        };
        match record.accept(received, length) {
            Ok(()) => format!("250 2.0.0 OK queued as {}-{}", self.number, record.totals().accepted),
            Err(error) => format!("451 4.3.0 cannot keep it: {error}").replace(['\r', '\n'], " "),
        }
    }
}

/// The address in angle brackets and the text after it, of `FROM:<a@b> SIZE=1`.
fn path(rest: &str) -> (&str, &str) {
    let Some((_, after)) = rest.split_once('<') else { return ("", "") };
    let Some((address, parameters)) = after.split_once('>') else { return ("", "") };
    (address, parameters.trim())
}
