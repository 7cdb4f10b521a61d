//! The subject of a reply: prefixes added by mail programs and gateways, and subjects that only programs write.

use unicode_normalization::UnicodeNormalization;

use super::ReplyReader;

/// Maximum bytes of a subject that are read.
const LONGEST: usize = 1000;
/// Number of letters from which the beginning of a subject is sufficient: some programs cut long ones off.
const ENOUGH: usize = 40;

/// What a subject tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Whether it begins with "Re:" or similar.
    pub is_answer: bool,
    /// Whether it begins with the prefix of an answer or of a forwarded mail.
    pub has_prefix: bool,
    /// Whether it begins as only programs write it: absence, receipts, recalls.
    pub is_automatic: bool,
    /// The subject without prefixes and gateway tags.
    pub core: String,
}

impl Subject {
    /// Whether it is this subject, after "Re:" or similar.
    pub(crate) fn answers(&self, subject: &str) -> bool {
        let (own, ours) = (letters(&self.core), letters(subject));
        let cut = own.chars().count() >= ENOUGH && ours.starts_with(&own);
        self.is_answer && !ours.is_empty() && (own == ours || cut)
    }
}

/// Only letters and digits, in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl ReplyReader {
    /// Parses a subject.
    pub(crate) fn subject(&self, subject: &str) -> Subject {
        let mut rest = visible(subject);
        let mut found = Subject::default();
        let mut prefixes = 0;
        loop {
            if let Some(shorter) = self.without_tag(&rest) {
                rest = shorter;
                continue;
            }
            let Some((prefix, after)) = split_prefix(&rest) else { break };
            let answers = self.answers.contains(&prefix);
            if !answers && !self.forwards.contains(&prefix) {
                break;
            }
            // Forwarding is not answering.
            found.is_answer |= answers && prefixes == 0;
            prefixes += 1;
            found.has_prefix = true;
            rest = after;
        }
        found.is_automatic = prefixes == 0 && self.begins_automatic(&rest);
        found.core = rest;
        found
    }

    /// The subject without "Re:", "Fwd:" and similar prefixes, gateway tags, and a list's tag in brackets.
    pub(crate) fn without_prefixes(&self, subject: &str) -> String {
        let mut rest = self.subject(subject).core;
        while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            rest = self.subject(after).core;
        }
        rest
    }

    /// The text after a gateway's tag: `[EXT]`, `{Extern}`, `*EXTERN*`, `EXT:`, `EXTERN - `, or a tag in capitals
    /// alone.
    fn without_tag(&self, subject: &str) -> Option<String> {
        const OPENS: [char; 8] = ['[', '(', '{', '*', '<', '!', ' ', '\u{3010}'];
        const CLOSES: [char; 10] = [']', ')', '}', '*', '>', ':', '!', '\u{ff1a}', '\u{fe55}', '\u{3011}'];
        let known = |tag: &str| {
            let name: String = tag.trim().nfkc().flat_map(char::to_lowercase).collect();
            self.gateway.contains(&name)
        };
        let inner = subject.trim_start_matches(OPENS);
        if let Some(at) = inner.find(CLOSES).filter(|at| known(&inner[..*at])) {
            return Some(inner[at..].trim_start_matches(|c| CLOSES.contains(&c) || c == ' ').to_owned());
        }
        if let Some((_, after)) =
            [" - ", " | ", " \u{2013} "].iter().find_map(|dash| subject.split_once(dash)).filter(|(tag, _)| known(tag))
        {
            return Some(after.trim_start().to_owned());
        }
        let in_capitals = |tag: &str| !tag.contains(char::is_lowercase) && known(tag);
        subject.split_once(' ').filter(|(tag, _)| in_capitals(tag)).map(|(_, after)| after.to_owned())
    }

    fn begins_automatic(&self, subject: &str) -> bool {
        let lower = subject.to_lowercase();
        self.subject_automatic.iter().any(|phrase| {
            let Some(rest) = lower.strip_prefix(phrase.as_str()) else { return false };
            let mut rest = rest.chars().skip_while(|c| c.is_whitespace());
            let ends = rest.next().is_none_or(|c| matches!(c, ':' | '\u{ff1a}' | '(' | '['));
            let certain = phrase.contains([' ', '-']) && !lower[phrase.len()..].starts_with(char::is_alphanumeric);
            ends || certain
        })
    }
}

/// "Re", "SV", `Re[2]`, "Re (3)", "Re^2", "Réf. :" and the text after the colon.
fn split_prefix(subject: &str) -> Option<(String, String)> {
    let at = subject.find([':', '\u{ff1a}', '\u{fe55}'])?;
    let (prefix, rest) = subject.split_at(at);
    let word = prefix.split(['[', '(', '^', '*']).next().unwrap_or_default();
    // Full-width letters are equal to their usual forms.
    let word = word.trim().nfkc().collect::<String>().to_lowercase();
    let number = prefix[prefix.find(['[', '(', '^', '*']).unwrap_or(prefix.len())..].chars();
    let numbered = number.into_iter().all(|c| c.is_ascii_digit() || "[]()^* ".contains(c));
    let rest = rest.trim_start_matches([':', '\u{ff1a}', '\u{fe55}']).trim_start();
    (numbered && !word.is_empty()).then(|| (word, rest.to_owned()))
}

/// On one line, with single spaces and without invisible characters.
fn visible(subject: &str) -> String {
    let subject = &subject[..subject.floor_char_boundary(LONGEST)];
    let subject: String = subject.chars().filter(|c| !super::lines::is_invisible(*c)).collect();
    subject.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "Bekräfta din prenumeration [aebagbafaydqqcikbmgaydq2ce]";

    fn subject(text: &str) -> Subject {
        ReplyReader::shipped().unwrap().subject(text)
    }

    #[test]
    fn our_subject_is_known_behind_every_prefix_of_an_answer() {
        for prefix in [
            "Re:",
            "SV:",
            "Sv: ",
            "AW: ",
            "Antw: ",
            "RE[2]: ",
            "Re (3): ",
            "Re^2: ",
            "Re: Re: ",
            "SV: Re: ",
            "RE\u{ff1a}",
            "Re\u{a0}: ",
            "VS: ",
            "[EXT] Re: ",
            "[Extern] SV: ",
            "SV: [EXT] ",
            "EXTERN: Re: ",
            "*EXTERN* Re: ",
            "[EXTERNAL] [SPAM?] RE: ",
            "Re: Fwd: ",
            "Odp: ",
            "R: ",
            "RIF: ",
            "Ré\u{301}p: ",
        ] {
            let expected = !prefix.starts_with("Ré\u{301}");
            assert_eq!(subject(&format!("{prefix}{OURS}")).answers(OURS), expected, "{prefix}");
        }
        assert!(subject("Re: Bekräfta  din\tprenumeration\u{a0}[aebagbafaydqqcikbmgaydq2ce]").answers(OURS));
        assert!(subject("Re: Bekräfta din prenumeration [aebagbafaydqqcikbmga").answers(OURS), "cut off");
    }

    #[test]
    fn a_subject_of_its_own_is_not_ours() {
        for own in [
            "",
            OURS,
            "Re:",
            "Re: ",
            "Semester",
            "Urlaub",
            "Eva Ek har slutat",
            "VB: Bekräfta din prenumeration [aebagbafaydqqcikbmgaydq2ce]",
        ] {
            assert!(!subject(own).answers(OURS), "{own}");
        }
        for prefix in [
            "Abwesend: ",
            "Läst: ",
            "[Ärende 4711] ",
            "Re: [Ärende 4711] ",
            "Automatiskt svar: Re: ",
            "Please confirm your message: ",
        ] {
            assert!(!subject(&format!("{prefix}{OURS}")).answers(OURS), "{prefix}");
        }
        assert!(!subject(&format!("Re: {OURS} [Ticket#2026112810000012]")).answers(OURS));
    }

    #[test]
    fn programs_are_known_by_how_their_subjects_begin() {
        for automatic in [
            "Frånvaro: nya regler",
            "Out of office: new policy",
            "Ej på kontoret: Sv: x",
            "Ej på kontoret till den 5",
            "AUTO: Eva Ek är inte på kontoret",
            "Semester",
            "Läst: x",
            "Poissa: x",
            "Afwezig: x",
            "Absence : x",
            "Återkalla: x",
            "Recall: x",
            "Delivered: x",
            "Not read: x",
            "[EXT] Automatic reply: x",
            "Automatic reply from Eva",
        ] {
            assert!(subject(automatic).is_automatic, "{automatic}");
        }
        for own in [
            "Re: Automatic reply: x",
            "Semestertider i sommar",
            "Semester för alla",
            "Read this",
            "Readers: a survey",
            "Ferien in Schweden",
            "Frånvaron ökar",
        ] {
            assert!(!subject(own).is_automatic, "{own}");
        }
    }
}
