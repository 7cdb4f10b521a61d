//! Detects the encoding of a file and converts its bytes to UTF-8, as a stream.
//!
//! A byte order mark decides, then `--encoding`. Otherwise the file is UTF-8 if its text is valid; if not, the encoding
//! is guessed from the letters. The guess is made at the first character that is not ASCII, from the following 64 KiB,
//! so no more of the file is ever held in memory. UTF-8 is passed through unchanged; the reader of records validates it
//! line by line.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::record::FormatError;

/// Bytes read before a byte order mark or a workbook is ruled out.
const START: usize = 4096;
/// Bytes read, from the first character that is not ASCII, before the encoding is decided.
const WINDOW: usize = 64 * 1024;
/// The upper half of IBM code page 850, which Excel writes as "CSV (MS-DOS)" in Western Europe.
const IBM850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
                      ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";
/// Letters of Nordic texts that are not ASCII. They distinguish the single-byte encodings.
const NORDIC: &str = "åäöÅÄÖéÉüÜæøÆØ";

/// A text encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Defined by the WHATWG Encoding Standard.
    Standard(&'static encoding_rs::Encoding),
    Ibm850,
}

impl Encoding {
    /// UTF-8.
    pub(crate) const UTF_8: Self = Self(Kind::Standard(UTF_8));

    /// The encoding with a common name, e.g. `windows-1252`, `latin1`, `utf-16`, `mac`, `dos`.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let squashed: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let kind = match squashed.as_str() {
            "ibm850" | "cp850" | "850" | "dos" | "msdos" => Kind::Ibm850,
            "ansi" | "win1252" | "1252" => Kind::Standard(WINDOWS_1252),
            "macroman" | "macosroman" => Kind::Standard(MACINTOSH),
            "unicode" => Kind::Standard(UTF_16LE),
            _ => Kind::Standard(encoding_rs::Encoding::for_label_no_replacement(name.as_bytes())?),
        };
        Some(Self(kind))
    }

    /// The name of the encoding.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Kind::Standard(encoding) => encoding.name(),
            Kind::Ibm850 => "IBM850",
        }
    }

    /// Encodes text. Characters missing in the encoding become `?`; text decoded from it is restored exactly.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        let encoding = match self.0 {
            Kind::Standard(standard) if standard == UTF_8 => return Cow::Borrowed(text.as_bytes()),
            Kind::Standard(standard) if standard == UTF_16LE => {
                return text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            }
            Kind::Standard(standard) if standard == UTF_16BE => {
                return text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            }
            Kind::Ibm850 => return text.chars().map(|c| ibm850_byte(c).unwrap_or(b'?')).collect(),
            Kind::Standard(encoding) => encoding,
        };
        let mut encoder = encoding.new_encoder();
        let mut bytes = Vec::with_capacity(text.len() + 16);
        let mut rest = text;
        loop {
            let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
            rest = &rest[read..];
            match result {
                encoding_rs::EncoderResult::InputEmpty => return Cow::Owned(bytes),
                encoding_rs::EncoderResult::OutputFull => bytes.reserve(rest.len() * 2 + 16),
                encoding_rs::EncoderResult::Unmappable(_) => bytes.push(b'?'),
            }
        }
    }
}

fn ibm850_byte(c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(c).ok();
    }
    let at = IBM850.chars().position(|one| one == c)?;
    u8::try_from(at + 128).ok()
}

/// How the encoding of a file was determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// By its byte order mark.
    Mark,
    /// Stated by a user.
    Said,
    /// All bytes read so far are valid UTF-8 (or ASCII).
    Valid,
    /// Guessed from its letters.
    Guessed,
}

/// Converts the bytes of a file to UTF-8.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    said: Option<Encoding>,
}

#[derive(Debug)]
enum State {
    /// Undecided: the first bytes of the file.
    Start(Vec<u8>),
    /// Only ASCII so far; the last byte.
    Ascii(u8),
    /// The byte before the first character that is not ASCII, and the bytes from there on.
    Deciding(u8, Vec<u8>),
    Decided(Encoding, Known, Working),
}

enum Working {
    Untouched,
    Standard(Box<encoding_rs::Decoder>),
    Ibm850,
}

impl std::fmt::Debug for Working {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Working")
    }
}

impl Decoder {
    /// A decoder at the beginning of a file; `said` is the encoding that a user stated.
    pub(crate) fn new(said: Option<Encoding>) -> Self {
        Self { state: State::Start(Vec::new()), said }
    }

    /// The encoding as known so far; a file that is all ASCII is reported as UTF-8.
    pub(crate) fn encoding(&self) -> (Encoding, Known) {
        match &self.state {
            State::Decided(encoding, known, _) => (*encoding, *known),
            _ => (Encoding::UTF_8, Known::Valid),
        }
    }

    /// Decodes bytes and appends UTF-8 to `out`; with `last`, everything that is left.
    ///
    /// # Errors
    /// [`FormatError`] if the file is not text.
    pub(crate) fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match &mut self.state {
            State::Start(start) => {
                start.extend_from_slice(bytes);
                if start.len() < START && !last {
                    return Ok(());
                }
                let start = std::mem::take(start);
                self.begin(&start)?;
                self.decode(&start, last, out)
            }
            State::Ascii(before) => {
                let plain = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
                out.extend_from_slice(&bytes[..plain]);
                *before = bytes[..plain].last().copied().unwrap_or(*before);
                if plain < bytes.len() {
                    self.state = State::Deciding(*before, Vec::new());
                    return self.decode(&bytes[plain..], last, out);
                }
                Ok(())
            }
            State::Deciding(before, window) => {
                window.extend_from_slice(bytes);
                if window.len() < WINDOW && !last {
                    return Ok(());
                }
                let (before, window) = (char::from(*before), std::mem::take(window));
                let (encoding, known) = decide(before, &window, last);
                self.take(encoding, known);
                self.decode(&window, last, out)
            }
            State::Decided(_, _, working) => {
                match working {
                    Working::Untouched => out.extend_from_slice(bytes),
                    Working::Ibm850 => {
                        let text: String = bytes.iter().map(|byte| ibm850(*byte)).collect();
                        out.extend_from_slice(text.as_bytes());
                    }
                    Working::Standard(decoder) => standard(decoder, bytes, last, out),
                }
                Ok(())
            }
        }
    }

    fn take(&mut self, encoding: Encoding, known: Known) {
        let working = match encoding.0 {
            Kind::Standard(standard) if standard == UTF_8 => Working::Untouched,
            // The reader of records removes the mark itself.
            Kind::Standard(standard) => Working::Standard(Box::new(standard.new_decoder_without_bom_handling())),
            Kind::Ibm850 => Working::Ibm850,
        };
        self.state = State::Decided(encoding, known, working);
    }

    /// Decides from the first bytes, if they are enough.
    fn begin(&mut self, start: &[u8]) -> Result<(), FormatError> {
        // A ZIP archive (xlsx, ods) or an OLE file (xls).
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(FormatError::NotText);
        }
        let utf16 = |encoding| Encoding(Kind::Standard(encoding));
        let zeros = |from: usize| start.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
        let many = start.len() / 4;
        let (encoding, known) = match start {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::UTF_8, Known::Mark),
            [0xff, 0xfe, ..] => (utf16(UTF_16LE), Known::Mark),
            [0xfe, 0xff, ..] => (utf16(UTF_16BE), Known::Mark),
            _ => match self.said {
                Some(said) => (said, Known::Said),
                None if zeros(1) > many && zeros(0) <= zeros(1) / 4 => (utf16(UTF_16LE), Known::Guessed),
                None if zeros(0) > many && zeros(1) <= zeros(0) / 4 => (utf16(UTF_16BE), Known::Guessed),
                None if zeros(0) + zeros(1) > many => return Err(FormatError::NotText),
                None => {
                    self.state = State::Ascii(b' ');
                    return Ok(());
                }
            },
        };
        self.take(encoding, known);
        Ok(())
    }
}

fn ibm850(byte: u8) -> char {
    match byte.checked_sub(128) {
        None => char::from(byte),
        Some(at) => IBM850.chars().nth(usize::from(at)).unwrap_or('\u{fffd}'),
    }
}

fn standard(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut piece = [0u8; 4096];
    loop {
        let (result, read, written, _) = decoder.decode_to_utf8(bytes, &mut piece, last);
        out.extend_from_slice(&piece[..written]);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// Decides the encoding from text that starts with a character that is not ASCII.
fn decide(before: char, window: &[u8], last: bool) -> (Encoding, Known) {
    let (mut good, mut bad) = (0usize, 0usize);
    let mut chunks = window.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        // A character cut off by the end of the window is not an error.
        let cut = chunks.peek().is_none() && !last && chunk.invalid().len() < 4;
        bad += usize::from(!chunk.invalid().is_empty() && !cut);
    }
    // A few lines in another encoding do not change that of the file: they are rejected individually.
    if bad == 0 || good > 8 * bad {
        return (Encoding::UTF_8, Known::Valid);
    }
    let standard = |encoding| Encoding(Kind::Standard(encoding));
    for candidate in [standard(WINDOWS_1252), standard(MACINTOSH), Encoding(Kind::Ibm850)] {
        if is_nordic(candidate, before, window) {
            return (candidate, Known::Guessed);
        }
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(window, last);
    (standard(detector.guess(None, Utf8Detection::Deny)), Known::Guessed)
}

/// Whether nearly all non-ASCII letters are Nordic if the text is decoded in this encoding. Punctuation does not count;
/// a capital letter inside a word shows another encoding: "JÅrgen". `before` is the character before the text.
fn is_nordic(encoding: Encoding, mut before: char, window: &[u8]) -> bool {
    let text: String = match encoding.0 {
        Kind::Standard(encoding) => encoding.decode_without_bom_handling(window).0.into_owned(),
        Kind::Ibm850 => window.iter().map(|byte| ibm850(*byte)).collect(),
    };
    let (mut all, mut nordic) = (0usize, 0usize);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if !c.is_ascii() && !"\u{a0}\u{201c}\u{201d}\u{2019}\u{2013}\u{2014}§°´".contains(c) {
            all += 1;
            let small = before.is_lowercase() || characters.peek().is_some_and(|next| next.is_lowercase());
            let astray = c.is_uppercase() && before.is_alphabetic() && small;
            nordic += usize::from(NORDIC.contains(c) && !astray);
        }
        before = c;
    }
    nordic > 0 && nordic * 10 >= all * 9
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "e-post;namn;ort\r\nake@press.example;Åke Öberg;Malmö\r\nbjorn@press.example;Björn Näs;Luleå\r\n";

    fn check(file: &[u8], said: Option<&str>, name: &str, known: Known, text: &str) {
        for piece in [1, 5, usize::MAX] {
            let mut decoder = Decoder::new(said.map(|name| Encoding::named(name).unwrap()));
            let mut out = Vec::new();
            file.chunks(piece.min(file.len())).for_each(|piece| decoder.decode(piece, false, &mut out).unwrap());
            decoder.decode(&[], true, &mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out).trim_start_matches('\u{feff}'), text);
            let (encoding, how) = decoder.encoding();
            assert_eq!((encoding.name(), how), (name, known));
        }
    }

    #[test]
    fn a_file_is_read_in_the_encoding_that_its_letters_are_of() {
        for (name, known) in [
            ("UTF-8", Known::Valid),
            ("windows-1252", Known::Guessed),
            ("macintosh", Known::Guessed),
            ("IBM850", Known::Guessed),
            ("UTF-16LE", Known::Guessed),
            ("UTF-16BE", Known::Guessed),
        ] {
            let encoding = Encoding::named(name).unwrap();
            check(&encoding.encode(TEXT), None, name, known, TEXT);
            check(&encoding.encode(TEXT), Some(name), name, Known::Said, TEXT);
        }
        for name in ["UTF-8", "UTF-16LE", "UTF-16BE"] {
            let file = Encoding::named(name).unwrap().encode(&format!("\u{feff}{TEXT}")).into_owned();
            check(&file, None, name, Known::Mark, TEXT);
        }
        check(b"email\na@press.example\n", None, "UTF-8", Known::Valid, "email\na@press.example\n");
    }

    #[test]
    fn other_languages_are_guessed_from_their_letters() {
        let polish = "e-mail;imię\nzofia@press.example;Zofia Wiśniewska\njozef@press.example;Józef Łąkowski\n\
                      bozena@press.example;Bożena Źdźbło\n";
        let (bytes, _, _) = encoding_rs::WINDOWS_1250.encode(polish);
        check(&bytes, None, "windows-1250", Known::Guessed, polish);
        let russian = "email;имя\nivan@press.example;Иван Петров\nanna@press.example;Анна Иванова\n";
        let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(russian);
        check(&bytes, None, "windows-1251", Known::Guessed, russian);
    }

    #[test]
    fn one_letter_is_enough_for_a_nordic_file() {
        for name in ["windows-1252", "macintosh", "IBM850"] {
            for person in ["Björn", "Åsa", "Jürgen", "André", "Søren"] {
                let text = format!("e-post;namn\r\nbo@press.example;{person}\r\n");
                let file = Encoding::named(name).unwrap().encode(&text).into_owned();
                check(&file, None, name, Known::Guessed, &text);
            }
        }
        let text = "e-post;namn\r\nbo@press.example;Bo \u{201c}Bosse\u{201d} Ek \u{2013} redaktör\r\n";
        check(&Encoding::named("ansi").unwrap().encode(text), None, "windows-1252", Known::Guessed, text);
    }

    #[test]
    fn the_first_letter_may_come_late() {
        let text = format!("email;name\n{}ake@press.example;Åke\n", "a@press.example;A\n".repeat(10_000));
        check(&Encoding::named("latin1").unwrap().encode(&text), None, "windows-1252", Known::Guessed, &text);
        check(text.as_bytes(), None, "UTF-8", Known::Valid, &text);
    }

    #[test]
    fn some_broken_lines_do_not_make_another_file_of_it() {
        let mut file = TEXT.repeat(20).into_bytes();
        file.extend_from_slice(b"eva@press.example;Eva \xd6rn\n");
        let mut decoder = Decoder::new(None);
        decoder.decode(&file, true, &mut Vec::new()).unwrap();
        assert_eq!(decoder.encoding(), (Encoding::UTF_8, Known::Valid));
    }

    #[test]
    fn what_an_encoding_has_no_character_for_is_a_question_mark() {
        assert_eq!(Encoding::named("latin1").unwrap().encode("å漢b").as_ref(), b"\xe5?b");
        assert_eq!(Encoding::named("dos").unwrap().encode("åöÅ漢").as_ref(), b"\x86\x94\x8f?");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for file in [&b"PK\x03\x04\x14\x00"[..], b"\xd0\xcf\x11\xe0\xa1", &[0u8; 64]] {
            assert_eq!(Decoder::new(None).decode(file, true, &mut Vec::new()), Err(FormatError::NotText));
        }
    }
}
