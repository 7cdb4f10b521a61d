//! A name server on a real UDP socket.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;

/// A record.
#[derive(Clone, Debug)]
pub enum Record {
    Text(String),
    Mx(u16, &'static str),
    Address(IpAddr),
    Pointer(&'static str),
    Alias(&'static str),
}

/// Its records. Other names do not exist; names that contain `silent` are never answered, those with `broken` fail.
#[derive(Clone, Debug, Default)]
pub struct Zone(BTreeMap<String, Vec<Record>>);

impl Zone {
    /// Adds a record.
    pub fn with(mut self, name: &str, record: Record) -> Self {
        self.0.entry(name.to_lowercase()).or_default().push(record);
        self
    }

    /// Adds a TXT record.
    pub fn text(self, name: &str, text: &str) -> Self {
        self.with(name, Record::Text(text.to_owned()))
    }

    /// Adds an A or AAAA record.
    pub fn address(self, name: &str, address: &str) -> Self {
        self.with(name, Record::Address(address.parse().unwrap()))
    }

    /// Adds an MX record; "" stands for ".".
    pub fn mx(self, name: &str, preference: u16, host: &'static str) -> Self {
        self.with(name, Record::Mx(preference, host))
    }

    /// Adds a PTR record of an IPv4 address.
    pub fn pointer(self, address: &str, host: &'static str) -> Self {
        let labels: Vec<&str> = address.rsplit('.').collect();
        self.with(&format!("{}.in-addr.arpa", labels.join(".")), Record::Pointer(host))
    }

    /// Removes all records of a name.
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Serves the zone until the runtime ends.
    pub async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0u8; 1500];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = self.answer(&buffer[..length]) {
                    socket.send_to(&answer, peer).await.unwrap();
                }
            }
        });
        address
    }

    /// RFC 1035 §4.1: the response to a query.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (mut at, mut labels) = (12, Vec::new());
        while query[at] != 0 {
            let length = usize::from(query[at]);
            labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_lowercase());
            at += length + 1;
        }
        let (name, kind, end) = (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5);
        if name.contains("silent") {
            return None;
        }
        let known = self.0.get(&name);
        let found: Vec<(u16, Vec<u8>)> =
            known.into_iter().flatten().map(Record::data).filter(|(k, _)| *k == kind).collect();
        let code = match known {
            _ if name.contains("broken") => 2,
            Some(_) => 0,
            None => 3,
        };
        let mut out = query[..2].to_vec();
        out.extend([0x81, 0x80 | code, 0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
        out.extend(&query[12..end]);
        for (kind, data) in found {
            out.extend([0xc0, 12]);
            out.extend(kind.to_be_bytes());
            out.extend([0, 1, 0, 0, 1, 0]);
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
        }
        Some(out)
    }
}

impl Record {
    /// The type and data of the record.
    fn data(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Text(text) => {
                let strings = text.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat());
                (16, strings.collect())
            }
            Self::Mx(preference, host) => (15, [preference.to_be_bytes().to_vec(), name(host)].concat()),
            Self::Address(IpAddr::V4(address)) => (1, address.octets().to_vec()),
            Self::Address(IpAddr::V6(address)) => (28, address.octets().to_vec()),
            Self::Pointer(host) => (12, name(host)),
            Self::Alias(host) => (5, name(host)),
        }
    }
}

fn name(host: &str) -> Vec<u8> {
    let labels = host.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    octets.push(0);
    octets
}
