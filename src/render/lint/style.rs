//! Rules about tone.

use super::{Finding, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    for (key, text) in [("headline", Some(&release.headline)), ("subject", release.subject.as_ref())] {
        if let Some(fault) = text.and_then(|text| shouting(text)) {
            findings.push(subject.warning(("shouting", fault), key, &[]));
        }
    }
}

/// How a line shouts, if it does: all in capitals, a first word in capitals with a colon, several exclamation marks.
fn shouting(text: &str) -> Option<&'static str> {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let capitals = letters().filter(|c| c.is_uppercase()).count();
    if letters().count() >= 10 && capitals * 10 > letters().count() * 7 {
        return Some("capitals");
    }
    let label = text.split_once(':').map(|(label, _)| label.trim());
    let loud = |label: &str| label.chars().count() >= 6 && label.chars().all(|c| c.is_uppercase() || c == ' ');
    if label.is_some_and(loud) {
        return Some("label");
    }
    text.contains("!!").then_some("exclamation")
}

#[cfg(test)]
mod tests {
    use super::shouting;

    #[test]
    fn tells_shouting_from_abbreviations() {
        for loud in ["PRESSMEDDELANDE: nya siffror", "NYA SIFFROR FRÅN KARLSTAD", "Succé!!"] {
            assert!(shouting(loud).is_some(), "{loud}");
        }
        for calm in ["LO, TCO och SACO i nytt avtal", "VA: vatten och avlopp", "EU", "Pressinbjudan: riksmöte"] {
            assert_eq!(shouting(calm), None, "{calm}");
        }
    }
}
