//! The DNS of the sending domains: records are looked up first, then each kind is evaluated separately, without the
//! network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;

use crate::authentication::names::{Answer, Names, SpfVerdict};
use crate::config::{Config, TransportChoice};

use super::finding::{Area, Finding, Severity};
use super::settings::is_local;

pub(crate) mod dkim;
pub(crate) mod dmarc;
pub(crate) mod mx;
pub(crate) mod pointer;
pub(crate) mod spf;
mod spf_terms;

/// An address without a host (RFC 5737): an SPF record that allows it allows every address.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Maximum number of look-ups of an SPF record (RFC 7208 §4.6.4).
const SPF_LOOKUPS: usize = 10;
/// Number of parent domains queried for a DMARC record, as receivers do.
const PARENTS: usize = 4;

/// A host that receives a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanger {
    /// Hosts with a lower value come first.
    pub preference: u16,
    /// Its name; empty for "." (RFC 7505).
    pub name: String,
    /// Its addresses.
    pub addresses: Answer<Vec<IpAddr>>,
    /// The target, if the name is an alias (CNAME).
    pub alias: Option<String>,
}

/// The DNS records of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Whether lists have addresses there; otherwise it is only the organisation's.
    pub has_lists: bool,
    /// TXT records at the domain.
    pub texts: Answer<Vec<String>>,
    /// SPF records reached by include and redirect: the name, its records.
    pub included: Vec<(String, Vec<String>)>,
    /// The SPF result for an address without a host.
    pub stranger: SpfVerdict,
    /// The SPF results for the addresses from which mail is sent.
    pub ours: Vec<(IpAddr, SpfVerdict)>,
    /// TXT records at each selector.
    pub keys: Vec<(String, Answer<Vec<String>>)>,
    /// TXT records at `_dmarc.` of the domain, and of its parents up to the first that has any: the name, the
    /// records.
    pub dmarc: Vec<(String, Answer<Vec<String>>)>,
    /// MX records.
    pub exchangers: Answer<Vec<Exchanger>>,
}

/// An address from which mail is sent, with its names and their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The address.
    pub address: IpAddr,
    /// Its names, each with its own addresses.
    pub names: Answer<Vec<(String, Answer<Vec<IpAddr>>)>>,
}

/// The addresses from which mail is sent, as far as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Configured.
    Configured(Vec<IpAddr>),
    /// The relay's address; it may send from others.
    Relay(Vec<IpAddr>),
    /// Unknown: the relay is this machine, or cannot be found.
    Unknown,
}

impl Leaving {
    fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Configured(addresses) | Self::Relay(addresses) => addresses,
            Self::Unknown => &[],
        }
    }
}

/// All records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The addresses from which mail is sent.
    pub leaving: Leaving,
    /// Those addresses with their names, if they are ours.
    pub outgoing: Vec<Outgoing>,
    /// The domains.
    pub domains: Vec<Domain>,
}

/// Looks up everything about `lists` (the domains of the lists) and the organisation's domain.
pub async fn observe(config: &Config, lists: &BTreeSet<String>, names: &Names) -> Records {
    let leaving = leaving(config, names).await;
    let own = match &leaving {
        Leaving::Configured(addresses) => addresses.as_slice(),
        Leaving::Relay(_) | Leaving::Unknown => &[],
    };
    let outgoing = join_all(
        own.iter().map(|address| async { Outgoing { address: *address, names: pointers(*address, names).await } }),
    );
    let organisation = Some(&config.organisation.domain).filter(|domain| *domain != "localhost");
    let all = lists.iter().chain(organisation.filter(|domain| !lists.contains(*domain)));
    let domains = join_all(all.map(|name| domain(name, lists.contains(name), config, &leaving, names)));
    let (outgoing, domains) = tokio::join!(outgoing, domains);
    Records { leaving, outgoing, domains }
}

async fn leaving(config: &Config, names: &Names) -> Leaving {
    if !config.doctor.addresses.is_empty() {
        return Leaving::Configured(config.doctor.addresses.clone());
    }
    if config.transport != TransportChoice::Relay || is_local(&config.relay.host) {
        return Leaving::Unknown;
    }
    match names.addresses(&config.relay.host).await {
        Answer::Found(addresses) => {
            let public: Vec<IpAddr> = addresses.into_iter().filter(|address| mx::is_public(*address)).collect();
            if public.is_empty() { Leaving::Unknown } else { Leaving::Relay(public) }
        }
        Answer::None | Answer::Failed(_) => Leaving::Unknown,
    }
}

async fn pointers(address: IpAddr, names: &Names) -> Answer<Vec<(String, Answer<Vec<IpAddr>>)>> {
    match names.pointers(address).await {
        Answer::Found(found) => {
            let mut with = Vec::new();
            for name in found {
                let addresses = names.addresses(&name).await;
                with.push((name, addresses));
            }
            Answer::Found(with)
        }
        Answer::None => Answer::None,
        Answer::Failed(why) => Answer::Failed(why),
    }
}

async fn domain(name: &str, has_lists: bool, config: &Config, leaving: &Leaving, names: &Names) -> Domain {
    let sender = format!("postmaster@{name}");
    let stranger = names.spf(STRANGER, &sender);
    let ours = leaving.addresses().iter().map(|address| async { (*address, names.spf(*address, &sender).await) });
    let selectors = config.doctor.dkim_selectors.iter();
    let keys = selectors
        .map(|selector| async move { (selector.clone(), names.texts(&format!("{selector}._domainkey.{name}")).await) });
    let (texts, stranger, ours, keys, dmarc, exchangers) = tokio::join!(
        names.texts(name),
        stranger,
        join_all(ours),
        join_all(keys),
        dmarc_records(name, names),
        exchangers(name, names),
    );
    let included = included(&texts, names).await;
    Domain { name: name.to_owned(), has_lists, texts, included, stranger, ours, keys, dmarc, exchangers }
}

/// The SPF records referred to by those of a domain; failed look-ups are left out, because the evaluation reports
/// them.
async fn included(texts: &Answer<Vec<String>>, names: &Names) -> Vec<(String, Vec<String>)> {
    let Answer::Found(texts) = texts else { return Vec::new() };
    let leads_to = |records: &[String]| -> Vec<String> {
        records.iter().filter(|text| spf::is_spf(text)).flat_map(|record| spf_terms::leads_to(record)).collect()
    };
    let (mut found, mut open) = (Vec::<(String, Vec<String>)>::new(), leads_to(texts));
    while let Some(name) = open.pop() {
        // RFC 7208 §4.6.4: receivers stop here too.
        if found.len() >= SPF_LOOKUPS || found.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let records = match names.texts(&name).await {
            Answer::Found(texts) => texts.into_iter().filter(|text| spf::is_spf(text)).collect(),
            Answer::None | Answer::Failed(_) => Vec::new(),
        };
        open.extend(leads_to(&records));
        found.push((name, records));
    }
    found
}

async fn exchangers(domain: &str, names: &Names) -> Answer<Vec<Exchanger>> {
    match names.exchangers(domain).await {
        Answer::Found(found) => {
            let with = found.into_iter().map(|(preference, name)| async move {
                if name.is_empty() {
                    return Exchanger { preference, name, addresses: Answer::None, alias: None };
                }
                let (addresses, alias) = tokio::join!(names.addresses(&name), names.alias(&name));
                let alias = match alias {
                    Answer::Found(aliases) => aliases.into_iter().next(),
                    // The addresses show the problem then.
                    Answer::None | Answer::Failed(_) => None,
                };
                Exchanger { preference, name, addresses, alias }
            });
            Answer::Found(join_all(with).await)
        }
        Answer::None => Answer::None,
        Answer::Failed(why) => Answer::Failed(why),
    }
}

async fn dmarc_records(domain: &str, names: &Names) -> Vec<(String, Answer<Vec<String>>)> {
    let mut asked = Vec::new();
    let mut name = domain;
    for _ in 0..PARENTS {
        let answer = names.texts(&format!("_dmarc.{name}")).await;
        let ends = answer != Answer::None;
        asked.push((name.to_owned(), answer));
        match name.split_once('.') {
            // A top-level domain has no policy of its own.
            Some((_, parent)) if !ends && parent.contains('.') => name = parent,
            _ => break,
        }
    }
    asked
}

/// Evaluates everything.
pub fn evaluate(config: &Config, records: &Records) -> Vec<Finding> {
    let mut found = Vec::new();
    if records.domains.is_empty() {
        found.push(Finding::new(
            Severity::NotSeen,
            Area::Dns,
            "no-domains",
            "no sending domain is known, so the DNS was not checked",
            "",
            "Start the daemon and create a list, or set [organisation] domain.",
        ));
    }
    if records.leaving == Leaving::Unknown && !records.domains.is_empty() {
        found.push(Finding::new(
            Severity::NotSeen,
            Area::Dns,
            "no-addresses",
            "it is unknown from which address mail is sent, so SPF was not checked for it",
            "",
            "Set [doctor] addresses, e.g. [\"203.0.113.25\"]: those from which your relay or this machine sends.",
        ));
    }
    for outgoing in &records.outgoing {
        found.push(pointer::evaluate(
            outgoing,
            config.relay.hello_name.as_deref().filter(|_| is_local(&config.relay.host)),
        ));
    }
    for domain in &records.domains {
        found.extend(spf::evaluate(domain, &records.leaving));
        found.extend(dkim::evaluate(domain));
        found.extend(dmarc::evaluate(domain));
        found.extend(mx::evaluate(domain, config));
    }
    found
}

/// A finding about a domain that could not be looked up: neither good nor bad.
fn not_seen(code: &'static str, what: &str, why: &str) -> Finding {
    Finding::new(
        Severity::NotSeen,
        Area::Dns,
        code,
        format!("{what} could not be looked up: {why}"),
        "",
        "Try again; if it persists, check the name servers of this machine and of the domain.",
    )
}

fn finding(
    severity: Severity,
    code: &'static str,
    what: impl Into<String>,
    why: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding::new(severity, Area::Dns, code, what, why, remedy)
}

/// The tags of a record such as `v=DMARC1; p=none` (RFC 6376 §3.2): name in lower case, value.
fn tags(record: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_lowercase(), value.trim().to_owned()))
    };
    record.split(';').filter_map(pair).collect()
}
