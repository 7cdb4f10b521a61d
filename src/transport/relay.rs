//! The relay: a smarthost that takes mail by SMTP. Opens connections and readies them: TLS, EHLO, AUTH.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Auth, Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::base::secret::Secret;
use crate::model::reply::Reply;

use super::extensions::Extensions;
use super::session::RelayConnection;
use super::wire::{Carrier, WireHandle};
use super::{ConnectError, Connection, Transport, TransportFuture, tls};

/// The port on which TLS begins with the first byte (RFC 8314 §3.3).
const IMPLICIT_TLS_PORT: u16 = 465;

/// Where the relay is and how to speak with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Its name, as in its certificate, or its IP address.
    pub host: String,
    /// Its port: 587 or 25, 465 for [`Encryption::Implicit`].
    pub port: u16,
    /// How TLS begins.
    pub encryption: Encryption,
    /// PEM file of the only certificates to trust; `None`: those of the machine.
    pub ca_file: Option<PathBuf>,
    /// User and password, if it asks for them.
    pub login: Option<Login>,
    /// Lets the password go without TLS where the relay is on this machine (127.0.0.0/8, ::1 or `localhost`).
    pub login_on_loopback: bool,
    /// After so many messages a connection is ended and another one opened: 1,000.
    pub messages_per_connection: u32,
    /// What to call ourselves in EHLO; `None`: the machine's name.
    pub hello_name: Option<String>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::Opportunistic,
            ca_file: None,
            login: None,
            login_on_loopback: false,
            messages_per_connection: 1000,
            hello_name: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    None,
    /// With STARTTLS where offered, whatever the certificate: against listeners only, so no login goes over it.
    Opportunistic,
    /// With STARTTLS and a good certificate, or not at all (RFC 3207).
    StartTls,
    /// With the connection (RFC 8314 §3.3), and a good certificate.
    Implicit,
}

/// A user at the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How long to wait; the defaults are what RFC 5321 §4.5.3.2 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For TCP, and for the TLS handshake: 30 s each.
    pub connect: Duration,
    /// For greeting and the answer to EHLO together: 5 min.
    pub greeting: Duration,
    /// For the answer to MAIL, RCPT, RSET, AUTH and STARTTLS: 5 min each.
    pub command: Duration,
    /// For the 354 to DATA: 2 min.
    pub data: Duration,
    /// Until some of the content is taken: 3 min.
    pub block: Duration,
    /// For the answer to the final dot: 10 min.
    pub message: Duration,
    /// For the answer to QUIT: 2 s, as nothing depends on it.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            message: Duration::from_secs(600),
            quit: Duration::from_secs(2),
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// A login would go over a connection that somebody could read.
    #[error("a login needs TLS with a checked certificate: set the relay's encryption to starttls or implicit")]
    LoginWithoutTls,
    /// The port and the encryption do not belong together (RFC 8314 §3.3).
    #[error(
        "port 465 expects TLS from the first byte: set the relay's encryption to implicit, or the port to 587 for starttls"
    )]
    PortOfImplicitTls,
    /// The relay's name is no name.
    #[error("\u{201c}{0}\u{201d} is neither a host name nor an IP address")]
    Host(String),
    /// The CA file is of no use.
    #[error("the CA file {} cannot be used: {why}", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The machine has no roots.
    #[error("this machine has no CA certificates: install its ca-certificates package, or set a CA file")]
    NoRoots,
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// A relay that connections can be opened to.
pub struct Relay {
    settings: RelaySettings,
    name: ServerName<'static>,
    tls: Option<Arc<ClientConfig>>,
    hello: ClientId,
}

impl Relay {
    /// Checks the settings and reads the CA certificates; connects nowhere.
    ///
    /// # Errors
    /// Settings that cannot work, for a person to mend.
    pub fn new(settings: RelaySettings) -> Result<Self, RelayError> {
        let name = ServerName::try_from(settings.host.clone()).map_err(|_| RelayError::Host(settings.host.clone()))?;
        if settings.port == IMPLICIT_TLS_PORT && settings.encryption != Encryption::Implicit {
            return Err(RelayError::PortOfImplicitTls);
        }
        let checked = matches!(settings.encryption, Encryption::StartTls | Encryption::Implicit);
        let excused = settings.login_on_loopback && is_loopback(&settings.host);
        if settings.login.is_some() && !checked && !excused {
            return Err(RelayError::LoginWithoutTls);
        }
        let tls = match settings.encryption {
            Encryption::None => None,
            Encryption::Opportunistic => Some(tls::opportunistic()?),
            Encryption::StartTls | Encryption::Implicit => Some(tls::verifying(settings.ca_file.as_deref())?),
        };
        let hello = match &settings.hello_name {
            Some(name) => ClientId::Domain(name.chars().filter(char::is_ascii_graphic).collect()),
            None => ClientId::default(),
        };
        Ok(Self { settings, name, tls, hello })
    }

    async fn open(&self) -> Result<RelayConnection, ConnectError> {
        let timeouts = self.settings.timeouts;
        let stream = self.dial().await?;
        let carrier = match (self.settings.encryption, &self.tls) {
            (Encryption::Implicit, Some(config)) => self.encrypt(stream, config).await?,
            _ => Carrier::Plain(stream),
        };
        let mut encrypted = matches!(carrier, Carrier::Tls(_));
        let wire = WireHandle::new(carrier);
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &self.hello);
        let mut lettre = within(timeouts.greeting, "greeting", greeted).await?;
        // lettre does not keep what it does not know, so it is asked for once more.
        let mut offered = self.hello(&mut lettre, &wire).await?;
        let wanted = match self.settings.encryption {
            Encryption::None | Encryption::Implicit => false,
            Encryption::Opportunistic => offered.start_tls,
            Encryption::StartTls if !offered.start_tls => {
                let text = "it offers no STARTTLS, and encryption is set to starttls";
                return Err(ConnectError::Security(text.to_owned()));
            }
            Encryption::StartTls => true,
        };
        if let (true, Some(config)) = (wanted, &self.tls) {
            self.start_tls(&mut lettre, &wire, config).await?;
            encrypted = true;
            // RFC 3207 §4.2: what was offered in the clear is forgotten.
            offered = self.hello(&mut lettre, &wire).await?;
        }
        wire.lock().greeted();
        if let Some(login) = &self.settings.login {
            self.log_in(&mut lettre, login, &offered, encrypted).await?;
        }
        Ok(RelayConnection::new(lettre, wire, offered, timeouts, self.settings.messages_per_connection))
    }

    /// A TCP connection that sends at once: Nagle's delay would leave 23 messages a second.
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let (host, port) = (self.settings.host.as_str(), self.settings.port);
        let place = format!("{host}:{port}");
        let unreachable = |why: String| ConnectError::Unreachable(format!("{place}: {why}"));
        let stream = match timeout(self.settings.timeouts.connect, TcpStream::connect((host, port))).await {
            Err(_) => return Err(unreachable("nobody answered in time".to_owned())),
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        Ok(stream)
    }

    async fn encrypt(&self, stream: TcpStream, config: &Arc<ClientConfig>) -> Result<Carrier, ConnectError> {
        let handshake = TlsConnector::from(config.clone()).connect(self.name.clone(), stream);
        match timeout(self.settings.timeouts.connect, handshake).await {
            Err(_) => Err(ConnectError::Unreachable("no end of the TLS handshake in time".to_owned())),
            // What is wrong with a certificate, a person mends; a connection that breaks, time mends.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(ConnectError::Security(error.to_string()))
            }
            Ok(Err(error)) => Err(ConnectError::Unreachable(format!("in the TLS handshake: {error}"))),
            Ok(Ok(stream)) => Ok(Carrier::Tls(Box::new(stream))),
        }
    }

    async fn hello(&self, lettre: &mut AsyncSmtpConnection, wire: &WireHandle) -> Result<Extensions, ConnectError> {
        // After HELO there are no extensions (RFC 5321 §2.2.1), and a relay that refused EHLO is not asked again.
        if wire.lock().is_plain() {
            return Ok(Extensions::default());
        }
        let said = lettre.command(Ehlo::new(self.hello.clone()));
        let response = within(self.settings.timeouts.greeting, "EHLO", said).await?;
        match wire.lock().is_plain() {
            true => Ok(Extensions::default()),
            false => Ok(Extensions::from_response(&response)),
        }
    }

    async fn start_tls(
        &self,
        lettre: &mut AsyncSmtpConnection,
        wire: &WireHandle,
        config: &Arc<ClientConfig>,
    ) -> Result<(), ConnectError> {
        within(self.settings.timeouts.command, "STARTTLS", lettre.command(Starttls)).await?;
        let plain = wire.lock().take_plain().map_err(|why| ConnectError::Security(why.to_owned()))?;
        let carrier = self.encrypt(plain, config).await?;
        wire.lock().put(carrier);
        Ok(())
    }

    async fn log_in(
        &self,
        lettre: &mut AsyncSmtpConnection,
        login: &Login,
        offered: &Extensions,
        encrypted: bool,
    ) -> Result<(), ConnectError> {
        // Checked once more where the password is: it never leaves without TLS (RFC 4954 §4, RFC 8314).
        let excused = self.settings.login_on_loopback && is_loopback(&self.settings.host);
        if !encrypted && !excused {
            return Err(ConnectError::Security("the login was not sent: there is no TLS".to_owned()));
        }
        let known = [Mechanism::Plain, Mechanism::Login];
        let Some(mechanism) = known.into_iter().find(|known| offered.auth.contains(&known.to_string())) else {
            let text = format!("it offers AUTH {:?}; PLAIN or LOGIN is needed", offered.auth);
            return Err(ConnectError::Security(text));
        };
        let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
        let failed = |error: SmtpError| match refusal(&error) {
            // A code 4xx passes: the relay's password check is down, say (RFC 4954 §6).
            Some(reply) if reply.is_permanent() => ConnectError::Security(format!("AUTH {mechanism}: {reply}")),
            Some(reply) => ConnectError::TurnedAway(reply),
            None => ConnectError::Unreachable(format!("AUTH {mechanism}: {}", cause(&error))),
        };
        let wait = self.settings.timeouts.command;
        let late = |_| ConnectError::Unreachable(format!("no answer to AUTH {mechanism} in time"));
        let first = Auth::new(mechanism, credentials.clone(), None).map_err(failed)?;
        let mut response = timeout(wait, lettre.command(first)).await.map_err(late)?.map_err(failed)?;
        // LOGIN asks twice; more is no login.
        for _ in 0..3 {
            if !response.has_code(334) {
                break;
            }
            let next = Auth::new_from_response(mechanism, credentials.clone(), &response).map_err(failed)?;
            response = timeout(wait, lettre.command(next)).await.map_err(late)?.map_err(failed)?;
        }
        match response.has_code(235) {
            true => Ok(()),
            false => Err(ConnectError::Security(format!("AUTH {mechanism}: {}", reply(&response)))),
        }
    }
}

impl Transport for Relay {
    fn connect(&self) -> TransportFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
        Box::pin(async { Ok(Box::new(self.open().await?) as Box<dyn Connection>) })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn within<T>(
    time: Duration,
    what: &str,
    work: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, ConnectError> {
    match timeout(time, work).await {
        Err(_) => Err(ConnectError::Unreachable(format!("no answer in time ({what})"))),
        Ok(Err(error)) => Err(match refusal(&error) {
            Some(reply) => ConnectError::TurnedAway(reply),
            None => ConnectError::Unreachable(format!("{} ({what})", cause(&error))),
        }),
        Ok(Ok(value)) => Ok(value),
    }
}

/// The reply in an error of lettre's, if it is one.
pub(super) fn refusal(error: &SmtpError) -> Option<Reply> {
    let code = error.status()?;
    Some(Reply::new(code.into(), &cause(error)))
}

/// What lettre says went wrong, without its own preface.
pub(super) fn cause(error: &SmtpError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A positive reply.
pub(super) fn reply(response: &Response) -> Reply {
    Reply::new(response.code().into(), &response.message().collect::<Vec<_>>().join("\n"))
}

/// What this machine calls itself, as in EHLO where nothing else is configured.
pub fn machine_name() -> String {
    ClientId::default().to_string()
}
