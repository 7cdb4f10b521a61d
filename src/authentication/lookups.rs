//! SPF, DKIM and DMARC by `mail-auth`, with names looked up through `hickory-resolver`, which keeps answers for as long as
//! they hold, so many at most.

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

use crate::mail::incoming::Incoming;
use crate::model::authentication::{Authentication, Check, DomainPolicy};
use crate::model::inbound::{Arrival, Via};

use super::{Authenticating, Authenticator, results};

/// Answers kept at most.
const CACHE: u64 = 4096;
/// Signatures of one message that are checked: each costs a look-up and a computation.
const MOST_SIGNATURES: usize = 8;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupSettings {
    /// The servers to ask; the system's own where there are none.
    pub servers: Vec<SocketAddr>,
    /// What this machine calls itself, for the macros of SPF.
    pub host: String,
    /// The server whose Authentication-Results are believed of mail that came by it (RFC 8601 §2.5).
    pub trusted: Option<String>,
    /// All look-ups for one message end by then.
    pub time_limit: Duration,
}

impl Default for LookupSettings {
    fn default() -> Self {
        let host = "localhost".to_owned();
        Self { servers: Vec::new(), host, trusted: None, time_limit: Duration::from_secs(15) }
    }
}

/// Names cannot be looked up at all.
#[derive(Debug, thiserror::Error)]
#[error("the resolver cannot be set up: {0}; look at /etc/resolv.conf, or name servers in inbound.resolvers")]
pub struct LookupError(String);

/// Checks messages by looking names up.
pub struct Lookups {
    authenticator: MessageAuthenticator,
    settings: LookupSettings,
}

impl Lookups {
    /// Sets it up; nothing is looked up yet.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn new(settings: LookupSettings) -> Result<Self, LookupError> {
        Ok(Self { authenticator: authenticator(&settings)?, settings })
    }

    async fn check(&self, arrival: &Arrival, octets: &[u8]) -> Authentication {
        let Some(message) = AuthenticatedMessage::parse(octets) else { return Authentication::default() };
        let peer = arrival.peer.filter(|_| arrival.via == Via::Smtp);
        let (spf, dkim) = match peer {
            Some(peer) => (self.spf(arrival, peer).await, self.dkim(&message).await),
            None => (SpfOutput::new(String::new()), Vec::new()),
        };
        let sender = arrival.sender.as_deref().unwrap_or_default();
        let domain = sender.rsplit_once('@').map_or(arrival.helo.as_str(), |(_, domain)| domain);
        let dmarc = self.authenticator.verify_dmarc(DmarcParameters::new(&message, &dkim, domain, &spf)).await;
        let policy = policy(&dmarc);
        if peer.is_none() {
            let said = self.settings.trusted.as_ref().and_then(|trusted| {
                let message = Incoming::parse_headers(octets).ok()?;
                Some(results::of_server(&message, trusted))
            });
            return Authentication { policy, ..said.unwrap_or_default() };
        }
        Authentication {
            author: author(&dmarc, &dkim, &spf, domain, message.from()),
            spf: of_spf(spf.result()),
            dkim: of_dkim(&dkim),
            policy,
        }
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
    fn authenticate<'a>(&'a self, arrival: &'a Arrival, octets: &'a [u8]) -> Authenticating<'a> {
        Box::pin(async move {
            let check = self.check(arrival, octets);
            tokio::time::timeout(self.settings.time_limit, check).await.unwrap_or_default()
        })
    }
}

/// The library with its resolver, which asks the servers of the settings.
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
    options.timeout = options.timeout.min(settings.time_limit / 3);
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

/// Without a record of the domain the two mechanisms may still speak for it, where they speak for just that domain.
fn author(dmarc: &DmarcOutput, dkim: &[DkimOutput<'_>], spf: &SpfOutput, sender: &str, from: &str) -> Check {
    match dmarc.result() {
        DmarcResult::Pass => return Check::Pass,
        DmarcResult::TempError(_) => return Check::Unknown,
        DmarcResult::Fail(_) | DmarcResult::PermError(_) if dmarc.dmarc_record().is_some() => return Check::Fail,
        DmarcResult::Fail(_) | DmarcResult::PermError(_) | DmarcResult::None => {}
    }
    let domain = from.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    let is_its = |other: &str| !domain.is_empty() && other.eq_ignore_ascii_case(domain);
    let signed = dkim.iter().filter(|one| *one.result() == DkimResult::Pass).filter_map(DkimOutput::signature);
    match signed.into_iter().any(|signature| is_its(&signature.d))
        || (spf.result() == SpfResult::Pass && is_its(sender))
    {
        true => Check::Pass,
        false => Check::None,
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
