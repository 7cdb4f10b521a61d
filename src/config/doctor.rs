//! The section `[doctor]`: facts that `depesch doctor` cannot find out itself.

use std::net::IpAddr;

use toml::de::DeValue;

use super::reader::{Reader, quoted};

/// A warning that the operator has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The finding's id, as shown by the doctor.
    pub id: String,
    /// Why it is accepted.
    pub reason: String,
}

/// Settings of the doctor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorConfig {
    /// The selectors of the relay's signatures (RFC 6376 §3.1).
    pub dkim_selectors: Vec<String>,
    /// The addresses from which mail is sent to the internet.
    pub addresses: Vec<IpAddr>,
    /// Accepted warnings.
    pub accept: Vec<Accepted>,
}

impl DoctorConfig {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.section("doctor");
        let is_selector =
            |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let selectors = |value: &DeValue<'_>| texts(value, |text| Some(text).filter(is_selector).map(str::to_owned));
        let expected = "a list of selectors such as [\"s2026\"]";
        reader.value("dkim_selectors", expected, &mut self.dkim_selectors, selectors, |all| shown(all));
        let addresses = |value: &DeValue<'_>| texts(value, |text| text.parse().ok());
        let expected = "a list of IP addresses such as [\"192.0.2.25\"]";
        reader.value("addresses", expected, &mut self.addresses, addresses, |all| shown(all));
        let expected = "a list such as [{ id = \"sync\", reason = \"a slow disk is known\" }], each with a reason";
        let show = |all: &Vec<Accepted>| {
            let one = |one: &Accepted| format!("{{ id = {}, reason = {} }}", quoted(&one.id), quoted(&one.reason));
            format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(", "))
        };
        reader.value("accept", expected, &mut self.accept, accepted, show);
    }
}

fn accepted(value: &DeValue<'_>) -> Option<Vec<Accepted>> {
    let one = |value: &DeValue<'_>| {
        let DeValue::Table(table) = value else { return None };
        let text = |name: &str| {
            let (_, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
            value.get_ref().as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let known = table.iter().count() == 2;
        Some(Accepted { id: text("id")?, reason: text("reason")? }).filter(|_| known)
    };
    value.as_array()?.iter().map(|value| one(value.get_ref())).collect()
}

fn texts<T>(value: &DeValue<'_>, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|one| parse(one.get_ref().as_str()?)).collect()
}

fn shown<T: ToString>(all: &[T]) -> String {
    let each: Vec<String> = all.iter().map(|one| quoted(&one.to_string())).collect();
    format!("[{}]", each.join(", "))
}
