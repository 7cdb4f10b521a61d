//! The section `[doctor]`: what `depesch doctor` cannot find out by itself.

use std::net::IpAddr;

use toml::de::DeValue;

use super::reader::{Reader, quoted};

/// What the doctor is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorConfig {
    /// The selectors with which the relay signs (RFC 6376 §3.1).
    pub dkim_selectors: Vec<String>,
    /// The addresses by which mail leaves for the world.
    pub addresses: Vec<IpAddr>,
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
    }
}

fn texts<T>(value: &DeValue<'_>, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|one| parse(one.get_ref().as_str()?)).collect()
}

fn shown<T: ToString>(all: &[T]) -> String {
    let each: Vec<String> = all.iter().map(|one| quoted(&one.to_string())).collect();
    format!("[{}]", each.join(", "))
}
