//! DNS queries about names and addresses. "No such record" is an answer; a missing answer is an error, and never
//! taken for the former.

use std::net::IpAddr;
use std::time::Duration;

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::Dmarc;
use mail_auth::hickory_resolver::lookup::Lookup;
use mail_auth::hickory_resolver::net::{DnsError, NetError};
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::hickory_resolver::proto::rr::{RData, RecordType};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{MessageAuthenticator, SpfResult};

use super::lookups::{LookupError, LookupSettings, authenticator, server_names};

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The records.
    Found(T),
    /// The record or the name does not exist.
    None,
    /// The query failed; the reason.
    Failed(String),
}

/// The SPF result for an address (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfVerdict {
    /// The address may send.
    Pass,
    /// The address must not send.
    Fail,
    /// The address probably must not send.
    SoftFail,
    /// The record says nothing about it.
    Neutral,
    /// There is no record.
    None,
    /// The record is invalid: two records, too many look-ups, an include without a target.
    Wrong,
    /// The query failed.
    Failed,
}

/// Queries the DNS.
pub struct Names {
    authenticator: MessageAuthenticator,
    host: String,
    /// The name servers in use, for people.
    servers: String,
    time_limit: Duration,
}

impl Names {
    /// Creates it; nothing is queried yet.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn new(settings: &LookupSettings) -> Result<Self, LookupError> {
        let (host, time_limit) = (settings.host.clone(), settings.time_limit);
        Ok(Self { authenticator: authenticator(settings)?, host, servers: server_names(settings)?, time_limit })
    }

    /// The TXT records of a name, each as one text.
    pub(crate) async fn texts(&self, name: &str) -> Answer<Vec<String>> {
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        self.ask(name, RecordType::TXT, text).await
    }

    /// The MX records of a domain: preference and name, the empty name for "." (RFC 7505).
    pub(crate) async fn exchangers(&self, domain: &str) -> Answer<Vec<(u16, String)>> {
        let exchanger = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, plain(&mx.exchange.to_lowercase().to_ascii()))),
            _ => None,
        };
        self.ask(domain, RecordType::MX, exchanger).await
    }

    /// The addresses of a host, of both kinds.
    pub(crate) async fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Answer::Found(vec![address]);
        }
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let old = self.ask(host, RecordType::A, address).await;
        match (old, self.ask(host, RecordType::AAAA, address).await) {
            (Answer::Found(old), Answer::Found(new)) => Answer::Found([old, new].concat()),
            (Answer::Found(one), _) | (_, Answer::Found(one)) => Answer::Found(one),
            (Answer::Failed(why), _) | (_, Answer::Failed(why)) => Answer::Failed(why),
            (Answer::None, Answer::None) => Answer::None,
        }
    }

    /// The target of an alias (CNAME).
    pub(crate) async fn alias(&self, name: &str) -> Answer<Vec<String>> {
        let alias = |data: &RData| match data {
            RData::CNAME(target) => Some(plain(&target.to_lowercase().to_ascii())),
            _ => None,
        };
        self.ask(name, RecordType::CNAME, alias).await
    }

    /// The names of an address.
    pub(crate) async fn pointers(&self, address: IpAddr) -> Answer<Vec<String>> {
        let found = tokio::time::timeout(self.time_limit, self.authenticator.resolver().reverse_lookup(address)).await;
        self.answer(found.ok(), |data: &RData| match data {
            RData::PTR(name) => Some(plain(&name.to_lowercase().to_ascii())),
            _ => None,
        })
    }

    /// The SPF result of a sender's domain for an address, evaluated as by receivers (RFC 7208 §4).
    pub(crate) async fn spf(&self, address: IpAddr, sender: &str) -> SpfVerdict {
        let parameters = SpfParameters::verify_mail_from(address, &self.host, &self.host, sender);
        let found = tokio::time::timeout(self.time_limit, self.authenticator.verify_spf(parameters)).await;
        match found.map(|output| output.result()) {
            Ok(SpfResult::Pass) => SpfVerdict::Pass,
            Ok(SpfResult::Fail) => SpfVerdict::Fail,
            Ok(SpfResult::SoftFail) => SpfVerdict::SoftFail,
            Ok(SpfResult::Neutral) => SpfVerdict::Neutral,
            Ok(SpfResult::None) => SpfVerdict::None,
            Ok(SpfResult::PermError) => SpfVerdict::Wrong,
            Ok(SpfResult::TempError) | Err(_) => SpfVerdict::Failed,
        }
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Answer<Vec<T>> {
        // With a final dot the machine's search domains are not tried.
        let asked = self.authenticator.resolver().lookup(format!("{}.", name.trim_end_matches('.')), kind);
        let found = tokio::time::timeout(self.time_limit, asked).await;
        self.answer(found.ok(), read)
    }

    fn answer<T>(&self, found: Option<Result<Lookup, NetError>>, read: impl Fn(&RData) -> Option<T>) -> Answer<Vec<T>> {
        let lookup = match found {
            None => {
                let (servers, seconds) = (&self.servers, self.time_limit.as_secs());
                return Answer::Failed(format!("no answer from {servers} within {seconds} s"));
            }
            Some(Err(error)) if says_no(&error) => return Answer::None,
            Some(Err(error)) => return Answer::Failed(self.unanswered(&error)),
            Some(Ok(lookup)) => lookup,
        };
        let records: Vec<T> = lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
        match records.is_empty() {
            true => Answer::None,
            false => Answer::Found(records),
        }
    }
}

impl Names {
    /// Why a query has no answer, with the servers queried.
    fn unanswered(&self, error: &NetError) -> String {
        let servers = &self.servers;
        match error {
            NetError::NoConnections => format!(
                "{servers} does not answer over UDP or cannot be reached over TCP, which is used when an answer is too long \
                 for UDP; let TCP port 53 pass the firewall"
            ),
            NetError::Timeout => format!("no answer from {servers} in time"),
            other => format!("{other} (asked {servers})"),
        }
    }
}

/// Whether a server answered that the record does not exist; a failure is not such an answer.
fn says_no(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
        }
        _ => false,
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

/// Whether receivers can parse a DMARC record (RFC 7489 §6.3).
pub(crate) fn is_dmarc(record: &str) -> bool {
    Dmarc::parse(record.as_bytes()).is_ok()
}

/// Checks that receivers can parse a record with a DKIM key (RFC 6376 §3.6.1).
///
/// # Errors
/// The library's error.
pub(crate) fn read_key(record: &str) -> Result<(), String> {
    DomainKey::parse(record.as_bytes()).map(|_| ()).map_err(|error| error.to_string())
}
