//! The relay: a smarthost that accepts mail over SMTP. Opens connections and prepares them: TLS, EHLO, AUTH.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Auth, Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

pub use super::settings::{Encryption, Login, RelayError, RelaySettings, Timeouts};

use super::extensions::Extensions;
use super::replies::{cause, refusal, reply};
use super::session::RelayConnection;
use super::wire::{Stream, WireHandle};
use super::{ConnectError, Connection, Transport, TransportFuture, tls};

/// The port on which TLS begins with the first byte (RFC 8314 §3.3).
const IMPLICIT_TLS_PORT: u16 = 465;

/// A relay to which connections can be opened.
pub struct Relay {
    settings: RelaySettings,
    name: ServerName<'static>,
    tls: Option<Arc<ClientConfig>>,
    hello: ClientId,
}

impl Relay {
    /// Checks the settings and reads the CA certificates; does not connect.
    ///
    /// # Errors
    /// Settings that cannot work, for a person to fix.
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
        let stream = match (self.settings.encryption, &self.tls) {
            (Encryption::Implicit, Some(config)) => self.encrypt(stream, config).await?,
            _ => Stream::Plain(stream),
        };
        let mut encrypted = matches!(stream, Stream::Tls(_));
        let wire = WireHandle::new(stream);
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &self.hello);
        let mut lettre = within(timeouts.greeting, "greeting", greeted).await?;
        // lettre discards extensions that it does not know, so EHLO is sent once more.
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
            // RFC 3207 §4.2: what was offered before TLS is forgotten.
            offered = self.hello(&mut lettre, &wire).await?;
        }
        wire.lock().greeted();
        if let Some(login) = &self.settings.login {
            self.log_in(&mut lettre, login, &offered, encrypted).await?;
        }
        Ok(RelayConnection::new(lettre, wire, offered, timeouts, self.settings.messages_per_connection))
    }

    /// Opens a TCP connection that sends at once: with Nagle's delay only 23 messages a second are possible.
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let (host, port) = (self.settings.host.as_str(), self.settings.port);
        let place = format!("{host}:{port}");
        let unreachable = |why: String| ConnectError::Unreachable(format!("{place}: {why}"));
        let stream = match timeout(self.settings.timeouts.connect, TcpStream::connect((host, port))).await {
            Err(_) => return Err(unreachable("no answer in time".to_owned())),
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        Ok(stream)
    }

    async fn encrypt(&self, stream: TcpStream, config: &Arc<ClientConfig>) -> Result<Stream, ConnectError> {
        let handshake = TlsConnector::from(config.clone()).connect(self.name.clone(), stream);
        match timeout(self.settings.timeouts.connect, handshake).await {
            Err(_) => Err(ConnectError::Unreachable("the TLS handshake did not finish in time".to_owned())),
            // A bad certificate must be fixed by a person; a broken connection only needs a retry.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(ConnectError::Security(error.to_string()))
            }
            Ok(Err(error)) => Err(ConnectError::Unreachable(format!("in the TLS handshake: {error}"))),
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
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
        let stream = self.encrypt(plain, config).await?;
        wire.lock().put(stream);
        Ok(())
    }

    async fn log_in(
        &self,
        lettre: &mut AsyncSmtpConnection,
        login: &Login,
        offered: &Extensions,
        encrypted: bool,
    ) -> Result<(), ConnectError> {
        // Checked once more where the password is: it is never sent without TLS (RFC 4954 §4, RFC 8314).
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
            // A 4xx code is temporary: e.g. the relay's password check is down (RFC 4954 §6).
            Some(reply) if reply.is_permanent() => ConnectError::Security(format!("AUTH {mechanism}: {reply}")),
            Some(reply) => ConnectError::TurnedAway(reply),
            None => ConnectError::Unreachable(format!("AUTH {mechanism}: {}", cause(&error))),
        };
        let wait = self.settings.timeouts.command;
        let late = |_| ConnectError::Unreachable(format!("no answer to AUTH {mechanism} in time"));
        let first = Auth::new(mechanism, credentials.clone(), None).map_err(failed)?;
        let mut response = timeout(wait, lettre.command(first)).await.map_err(late)?.map_err(failed)?;
        // LOGIN asks twice; more is a fault.
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

/// This machine's name, used in EHLO unless one is configured.
pub(crate) fn machine_name() -> String {
    ClientId::default().to_string()
}
