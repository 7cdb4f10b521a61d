//! What the sender of a mail wrote: without what they quote, without signature and disclaimer. So that no program takes
//! a quoted sentence for a wish. What introduces a quotation or a signature is data (`own_words.toml`).

use serde::Deserialize;

/// Octets of a text that are looked at.
const MOST_OCTETS: usize = 64 * 1024;
/// Lines that are looked at.
const MOST_LINES: usize = 400;
/// Octets of one line that are kept.
const LONGEST_LINE: usize = 1000;
/// Within so many lines a quoted header block has its second field.
const BLOCK: usize = 5;
/// Lines before its last that an attribution may have.
const FOLDED: usize = 2;

/// What introduces a quotation, a closing or a signature, in all languages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    divider: Vec<String>,
    wrote: Vec<String>,
    wrote_first: Vec<String>,
    from: Vec<String>,
    other_field: Vec<String>,
    closing: Vec<String>,
    closing_alone: Vec<String>,
    program: Vec<String>,
    disclaimer: Vec<String>,
}

/// Marks that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the marks of quotations and signatures are wrong: {0}")]
pub struct MarksError(pub(super) String);

impl Marks {
    /// The marks that come with Depesch.
    ///
    /// # Errors
    /// Never with the file as it is; a test sees to that.
    pub fn shipped() -> Result<Self, MarksError> {
        Self::parse(include_str!("own_words.toml"))
    }

    /// Reads marks written as in `own_words.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, MarksError> {
        toml::from_str(text).map_err(|error| MarksError(error.to_string()))
    }

    /// The lines that the sender wrote, trimmed, in order, empty ones too; at most the first 400.
    pub fn own_lines(&self, text: &str) -> Vec<String> {
        let text = &text[..text.floor_char_boundary(MOST_OCTETS)];
        let lines: Vec<&str> = text.lines().take(MOST_LINES).map(str::trim).collect();
        let mut own: Vec<String> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let line = &line[..line.floor_char_boundary(LONGEST_LINE)];
            // RFC 3676 §4.3 and §4.5: the signature separator, and quoted lines.
            if line == "--" {
                break;
            }
            if is_quoted(line) {
                continue;
            }
            let plain = plain(line);
            if self.attributes(&plain) {
                // The attribution may be folded: "On Monday Karin Ek", "<k@example.org> wrote:".
                for _ in 0..FOLDED {
                    if !plain.contains(|c: char| c.is_ascii_digit()) && own.last().is_some_and(|last| self.begins(last))
                    {
                        own.pop();
                    }
                }
                break;
            }
            let ends = self.divides(&plain)
                || self.heads_quotation(&plain, &lines[at + 1..])
                || self.closes(&plain)
                || self.disclaimer.iter().any(|phrase| plain.contains(phrase));
            if ends {
                break;
            }
            own.push(line.to_owned());
        }
        own
    }

    /// All that the sender wrote now, closing and signature too, and what stands between and below marked quotations;
    /// lines trimmed, joined by LF.
    pub fn reply_text(&self, text: &str) -> String {
        let text = &text[..text.floor_char_boundary(MOST_OCTETS)];
        let lines: Vec<&str> = text.lines().take(MOST_LINES).map(str::trim).collect();
        let (mut own, mut at) = (Vec::new(), 0);
        while let Some(line) = lines.get(at) {
            let line = &line[..line.floor_char_boundary(LONGEST_LINE)];
            let plain = plain(line);
            let ends = line == "--"
                || self.divides(&plain)
                || self.ends_program(&plain)
                || self.heads_quotation(&plain, &lines[at + 1..])
                || self.disclaimer.iter().any(|phrase| plain.contains(phrase));
            if ends {
                break;
            }
            if is_quoted(line) {
                at += 1;
            } else if let Some(length) = self.attribution(&lines[at..]) {
                at += length;
                // A quotation without marks has no end that could be seen.
                if !lines[at..].iter().find(|line| !line.is_empty()).is_some_and(|line| is_quoted(line)) {
                    break;
                }
            } else {
                own.push(line);
                at += 1;
            }
        }
        own.join("\n").trim().to_owned()
    }

    /// How many lines an attribution has that begins here.
    fn attribution(&self, lines: &[&str]) -> Option<usize> {
        (1..=FOLDED + 1).find(|length| {
            let Some(these) = lines.get(..*length) else { return false };
            let first = these.first().copied().unwrap_or_default();
            these.iter().all(|line| !line.is_empty() && line.len() <= LONGEST_LINE)
                && (*length == 1 || self.begins(first))
                && self.attributes(&plain(&these.join(" ")))
        })
    }

    fn ends_program(&self, plain: &str) -> bool {
        self.program.iter().any(|begin| begins_with_words(plain, begin))
    }

    fn divides(&self, plain: &str) -> bool {
        let ruled = plain.len() >= 10 && plain.bytes().all(|octet| matches!(octet, b'_' | b'-' | b'='));
        let words = plain.trim_matches(|c: char| matches!(c, '-' | '_' | ' '));
        ruled || self.divider.iter().any(|divider| words.starts_with(divider.as_str()))
    }

    fn closes(&self, plain: &str) -> bool {
        let alone = plain.trim_end_matches(|c: char| !c.is_alphanumeric());
        self.ends_program(plain)
            || self.closing.iter().any(|closing| begins_with_words(plain, closing))
            || self.closing_alone.iter().any(|closing| closing == alone)
    }

    /// "On 3 March Karin Ek <k@example.org> wrote:", "Den 3 mars skrev Karin Ek:".
    fn attributes(&self, plain: &str) -> bool {
        let Some(before) = plain.strip_suffix(':').map(str::trim_end) else { return false };
        let last = before.rsplit(' ').next().unwrap_or_default();
        let ends = self.wrote.iter().any(|word| word == last);
        let dated = before.contains('@') || before.contains(|c: char| c.is_ascii_digit());
        ends || (dated && before.split(' ').any(|word| self.wrote.iter().any(|wrote| wrote == word)))
    }

    /// Whether a line may be the beginning of a folded attribution: it has an address, or a date.
    fn begins(&self, line: &str) -> bool {
        let plain = plain(line);
        let dated = plain.contains(|c: char| c.is_ascii_digit());
        plain.contains('@') || (dated && self.wrote_first.iter().any(|word| begins_with_words(&plain, word)))
    }

    /// "Från: …" with "Skickat: …" soon after, as Outlook quotes.
    fn heads_quotation(&self, plain: &str, after: &[&str]) -> bool {
        let is_field = |line: &str, names: &[String]| {
            let name = line.split_once(':').map(|(name, _)| name.trim());
            name.is_some_and(|name| names.iter().any(|one| one == name))
        };
        is_field(plain, &self.from)
            && after.iter().take(BLOCK).any(|line| is_field(&self::plain(line), &self.other_field))
    }
}

/// Lower case, without the marks of bold and cursive text.
fn plain(line: &str) -> String {
    let line = &line[..line.floor_char_boundary(LONGEST_LINE)];
    line.chars().filter(|c| !matches!(c, '*' | '\u{200b}' | '\u{feff}')).flat_map(char::to_lowercase).collect()
}

fn is_quoted(line: &str) -> bool {
    line.starts_with(['>', '|'])
}

fn begins_with_words(line: &str, words: &str) -> bool {
    line.strip_prefix(words).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> String {
        let lines = Marks::shipped().unwrap().own_lines(text);
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
    }

    #[test]
    fn quotations_of_every_kind_are_left_out() {
        for quoted in [
            "> avsluta",
            "Den 3 mars 2026 kl. 10.12 skrev Press <press@lists.example.org>:\navsluta",
            "Den tis 3 mars 2026 10:12Press, media <press@lists.example.org>\nskrev:\n\n> avsluta",
            "On Tue, Mar 3, 2026 at 10:12 AM Press <press@lists.example.org> wrote:\nstop",
            "-----Ursprungligt meddelande-----\navsluta",
            "-----Original Message-----\nFrom: a\nunsubscribe",
            "________________________________\navsluta",
            "Från: Press <press@lists.example.org>\nSkickat: den 3 mars 2026 10:12\nTill: Karin\nÄmne: x\n\navsluta",
            "*From:* Press\n*Sent:* Tuesday\nstop",
            "Begin forwarded message:\nstop",
            "-- \nKarin Ek\nstop",
            "Med vänlig hälsning\nKarin\nstop",
            "Sent from my iPhone\nstop",
        ] {
            assert_eq!(own(&format!("Ja gärna\n\n{quoted}\n")), "Ja gärna", "{quoted}");
        }
    }

    #[test]
    fn a_reply_keeps_its_signature_and_what_stands_below_a_marked_quotation() {
        let marks = Marks::shipped().unwrap();
        let own = "Jag kan tyvärr inte.\n\nMvh\nKarin";
        for quoted in [
            "Den tors 4 mars 2027 kl 09:12 skrev Press <press@example.org>:\n> Välkommen! Jag kommer.",
            "Den tors 4 mars 2027 kl 09:12 skrev Press <\npress@example.org>:\n\n> Jag kommer.",
            "On Thu, 4 Mar 2027 at 09:12, Press <press@example.org>\nwrote:\n\nI will attend.",
            "-----Ursprungligt meddelande-----\nFrån: Press\nJag kommer.",
            "Från: Press <press@example.org>\nSkickat: den 4 mars 2027 09:12\nJag kommer.",
            "________________________________\nJag kommer.",
            "-- \nJag kommer alltid",
            "Skickat från min iPhone\n\nJag kommer.",
        ] {
            assert_eq!(marks.reply_text(&format!("{own}\r\n\r\n{quoted}\r\n")), own, "{quoted}");
        }
        let below = "On 4 March 2027, Press <press@example.org> wrote:\n> Tell us.\n\nYes.\n> Deadline\nThanks";
        assert_eq!(marks.reply_text(below), "Yes.\nThanks");
    }

    #[test]
    fn own_words_stay() {
        assert_eq!(
            own("Hej,\r\n\r\nFrån: början till slut\r\nDenna vecka"),
            "Hej, / Från: början till slut / Denna vecka"
        );
        assert_eq!(own("språk: svenska\nämnen: skola, vård"), "språk: svenska / ämnen: skola, vård");
        assert_eq!(own("Vänligen avsluta min prenumeration."), "Vänligen avsluta min prenumeration.");
        assert_eq!(own("Besta lösningen"), "Besta lösningen");
    }
}
