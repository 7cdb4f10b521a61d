//! SPF, DKIM and DMARC by `mail-auth`, with DNS look-ups through `hickory-resolver`, which caches a limited number of
//! answers for as long as they are valid.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput, SpfResult,
};

use crate::base::address::Address;
use crate::mail::incoming::Incoming;
use crate::model::authentication::{Authentication, Check, DomainPolicy};
use crate::model::inbound::{Arrival, Via};

use super::{Authenticating, Authenticator, results};

/// Maximum number of cached answers.
const CACHE: u64 = 4096;
/// Maximum number of signatures checked in one message: each costs a look-up and a computation.
const MOST_SIGNATURES: usize = 8;

/// The part of the time limit for looking up the policy of the author's domain, and later for evaluating it.
const POLICY_PART: (u32, u32) = (1, 4);
/// The part of it for SPF and DKIM, each.
const CHECKS_PART: (u32, u32) = (1, 2);

/// Settings of DNS look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupSettings {
    /// The name servers; the system's own if empty.
    pub servers: Vec<SocketAddr>,
    /// This machine's name, for the macros of SPF.
    pub host: String,
    /// The server whose Authentication-Results are trusted (RFC 8601 §2.5).
    pub trusted: Option<String>,
    /// The time limit for all look-ups of one message.
    pub time_limit: Duration,
}

impl Default for LookupSettings {
    fn default() -> Self {
        let host = "localhost".to_owned();
        Self { servers: Vec::new(), host, trusted: None, time_limit: Duration::from_secs(15) }
    }
}

/// DNS look-ups are not possible.
#[derive(Debug, thiserror::Error)]
#[error("the resolver cannot be set up: {0}; check /etc/resolv.conf, or set name servers in inbound.resolvers")]
pub struct LookupError(String);

/// Verifies messages with DNS look-ups.
pub struct Lookups {
    authenticator: MessageAuthenticator,
    settings: LookupSettings,
}

impl Lookups {
    /// Creates it; nothing is looked up yet.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn new(settings: LookupSettings) -> Result<Self, LookupError> {
        Ok(Self { authenticator: authenticator(&settings)?, settings })
    }

    async fn check(&self, arrival: &Arrival, bytes: &[u8], author: &Address) -> Authentication {
        // In such a message the library finds another author; see `mail::header_check`.
        let Some(message) = AuthenticatedMessage::parse(bytes).filter(|message| reads_the_same(message, author)) else {
            return Authentication::default();
        };
        // First, and with time of its own: nothing chosen by the sender can use it up.
        let sheet = format!("From: <{author}>\r\n\r\n");
        let Some(sheet) = AuthenticatedMessage::parse(sheet.as_bytes()) else { return Authentication::default() };
        let nothing = SpfOutput::new(String::new());
        let asked = self.authenticator.verify_dmarc(DmarcParameters::new(&sheet, &[], "", &nothing));
        let policy = self.in_time(POLICY_PART, asked).await.map_or(DomainPolicy::Unknown, |dmarc| policy(&dmarc));
        let Some(peer) = arrival.peer.filter(|_| arrival.via == Via::Smtp) else {
            let said = self.settings.trusted.as_ref().and_then(|trusted| {
                let message = Incoming::parse_headers(bytes).ok()?;
                Some(results::of_server(&message, trusted, author))
            });
            return Authentication { policy, ..said.unwrap_or_default() };
        };
        let own = SpfParameters::verify_mail_from(peer, &arrival.helo, &self.settings.host, author.as_str());
        // At the same time, each with its whole time: a domain of the sender's that never answers stops only its own
        // check.
        let (spf, dkim, own) = tokio::join!(
            self.in_time(CHECKS_PART, self.spf(arrival, peer)),
            self.in_time(CHECKS_PART, self.dkim(&message)),
            self.in_time(CHECKS_PART, self.authenticator.verify_spf(own)),
        );
        let sender = arrival.sender.as_deref().unwrap_or_default();
        let domain = sender.rsplit_once('@').map_or(arrival.helo.as_str(), |(_, domain)| domain);
        let (signatures, sent_by) = (dkim.as_deref().unwrap_or_default(), spf.as_ref().unwrap_or(&nothing));
        // The author determined by Depesch, whatever else can be found in the message.
        let asked = self.authenticator.verify_dmarc(DmarcParameters::new(&sheet, signatures, domain, sent_by));
        let dmarc = self.in_time(POLICY_PART, asked).await;
        let evidence = Evidence { dmarc, dkim: dkim.as_deref(), spf: spf.as_ref(), sender: domain, own: own.as_ref() };
        Authentication {
            author: evidence.author(author.domain()),
            spf: spf.as_ref().map_or(Check::Unknown, |spf| of_spf(spf.result())),
            dkim: dkim.as_deref().map_or(Check::Unknown, of_dkim),
            policy,
        }
    }

    /// The result, if it arrives within a part of the time limit.
    async fn in_time<T>(&self, (part, of): (u32, u32), work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.settings.time_limit * part / of, work).await.ok()
    }

    async fn spf(&self, arrival: &Arrival, peer: IpAddr) -> SpfOutput {
        let sender = arrival.sender.as_deref().unwrap_or_default();
        let parameters = SpfParameters::verify(peer, &arrival.helo, &self.settings.host, sender);
        self.authenticator.verify_spf(parameters).await
    }

    async fn dkim<'x>(&self, message: &'x AuthenticatedMessage<'x>) -> Vec<DkimOutput<'x>> {
        match message.dkim_headers.len() {
            0..=MOST_SIGNATURES => self.authenticator.verify_dkim(message).await,
            _ => Vec::new(),
        }
    }
}

impl Authenticator for Lookups {
    fn authenticate<'a>(&'a self, arrival: &'a Arrival, bytes: &'a [u8], author: &'a Address) -> Authenticating<'a> {
        Box::pin(self.check(arrival, bytes, author))
    }
}

/// The name servers in use, for people: `127.0.0.53:53`.
///
/// # Errors
/// [`LookupError`]: the system's own cannot be read.
pub(super) fn server_names(settings: &LookupSettings) -> Result<String, LookupError> {
    let servers: Vec<String> = match settings.servers.is_empty() {
        true => {
            let (config, _) = read_system_conf().map_err(|error| LookupError(error.to_string()))?;
            config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53).to_string()).collect()
        }
        false => settings.servers.iter().map(SocketAddr::to_string).collect(),
    };
    Ok(format!("name server {}", servers.join(", ")))
}

pub(super) fn authenticator(settings: &LookupSettings) -> Result<MessageAuthenticator, LookupError> {
    let failed = |error: &dyn std::fmt::Display| LookupError(error.to_string());
    let (config, mut options) = match settings.servers.is_empty() {
        true => read_system_conf().map_err(|error| failed(&error))?,
        false => {
            let servers = settings.servers.iter().map(name_server).collect();
            (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
        }
    };
    options.cache_size = CACHE;
    // So that a lost packet is repeated within the time for the policy.
    options.timeout = options.timeout.min(settings.time_limit / 8);
    MessageAuthenticator::new(config, options).map_err(|error| failed(&error))
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connection = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![connection(ConnectionConfig::udp()), connection(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

/// Whether the library finds the same single author in a message as Depesch.
fn reads_the_same(message: &AuthenticatedMessage<'_>, author: &Address) -> bool {
    // An unquoted comma in a name makes the library read the name as another address, without an @.
    let mut read = message.froms().iter().filter(|from| from.contains('@'));
    let same = |from: &String| from.parse::<Address>().is_ok_and(|from| from.key() == author.key());
    read.next().is_some_and(same) && read.next().is_none()
}

/// The evidence for and against an author; `None` is what did not arrive in time.
struct Evidence<'a> {
    dmarc: Option<DmarcOutput>,
    dkim: Option<&'a [DkimOutput<'a>]>,
    spf: Option<&'a SpfOutput>,
    /// The domain whose SPF record was queried.
    sender: &'a str,
    /// The SPF result of the author's domain for the sending machine, whatever the envelope sender is.
    own: Option<&'a SpfOutput>,
}

impl Evidence<'_> {
    /// Without a DMARC record, the two mechanisms may still vouch for the author's domain, if they concern exactly
    /// that domain; or against it.
    fn author(&self, domain: &str) -> Check {
        let Some(dmarc) = &self.dmarc else { return Check::Unknown };
        let of_author = self.sender.eq_ignore_ascii_case(domain);
        // The missing evidence might have proven it.
        let incomplete = self.dkim.is_none() || self.spf.is_none() && of_author;
        match dmarc.result() {
            DmarcResult::Pass => return Check::Pass,
            DmarcResult::TempError(_) => return Check::Unknown,
            _ if dmarc.dmarc_record().is_some() => return if incomplete { Check::Unknown } else { Check::Fail },
            DmarcResult::Fail(_) | DmarcResult::PermError(_) | DmarcResult::None => {}
        }
        let signatures = || self.dkim.unwrap_or_default().iter();
        let of_domain =
            |output: &DkimOutput<'_>| output.signature().is_some_and(|one| one.d.eq_ignore_ascii_case(domain));
        let signed = signatures().any(|one| *one.result() == DkimResult::Pass && of_domain(one));
        if signed || of_author && self.spf.is_some_and(|spf| spf.result() == SpfResult::Pass) {
            return Check::Pass;
        }
        let own = self.own.map_or(Check::Unknown, |own| of_spf(own.result()));
        let broken = signatures().any(|one| of_domain(one) && !matches!(one.result(), DkimResult::TempError(_)));
        match (own, broken) {
            _ if incomplete => Check::Unknown,
            (Check::Fail, _) | (_, true) => Check::Fail,
            (Check::Unknown, _) => Check::Unknown,
            _ if signatures().any(of_domain) => Check::Unknown,
            _ => Check::None,
        }
    }
}

fn policy(dmarc: &DmarcOutput) -> DomainPolicy {
    match (dmarc.dmarc_record(), dmarc.result(), dmarc.policy()) {
        (None, DmarcResult::TempError(_), _) => DomainPolicy::Unknown,
        (None, ..) => DomainPolicy::None,
        (Some(_), _, Policy::Quarantine) => DomainPolicy::Quarantine,
        (Some(_), _, Policy::Reject) => DomainPolicy::Reject,
        (Some(_), _, Policy::None | Policy::Unspecified) => DomainPolicy::None,
    }
}

fn of_spf(result: SpfResult) -> Check {
    match result {
        SpfResult::Pass => Check::Pass,
        SpfResult::Fail | SpfResult::SoftFail => Check::Fail,
        SpfResult::Neutral | SpfResult::None | SpfResult::PermError => Check::None,
        SpfResult::TempError => Check::Unknown,
    }
}

fn of_dkim(outputs: &[DkimOutput<'_>]) -> Check {
    let any = |is: fn(&DkimResult) -> bool| outputs.iter().any(|output| is(output.result()));
    match outputs.is_empty() {
        true => Check::None,
        false if any(|result| *result == DkimResult::Pass) => Check::Pass,
        false if any(|result| matches!(result, DkimResult::TempError(_))) => Check::Unknown,
        false => Check::Fail,
    }
}
