//! The segments of a JPEG file: whether its end is there, and its caption data (IPTC), which no encoder copies.
//!
//! ITU-T T.81 §B.1.1: a marker is FF and a code; segments other than those without parameters have a length of two bytes,
//! which counts itself.

/// The code of the segment that holds IPTC data, in the form of Photoshop's resources (APP13).
const CAPTIONS: u8 = 0xED;
/// How the content of that segment begins.
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// Start of scan: compressed data follows.
const SCAN: u8 = 0xDA;
/// Maximum bytes of caption data that are kept; larger data is not caption data.
const MOST_CAPTIONS: usize = 256 * 1024;

/// The segments up to the first compressed data: code, and the whole segment with marker and length.
fn segments(file: &[u8]) -> impl Iterator<Item = (u8, usize, &[u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        // Fill bytes before a marker are allowed (§B.1.1.2).
        while file.get(at..at + 2) == Some(&[0xFF, 0xFF]) {
            at += 1;
        }
        let [0xFF, code, high, low] = *file.get(at..at + 4)?.first_chunk()? else { return None };
        let (from, length) = (at, usize::from(u16::from_be_bytes([high, low])));
        let whole = file.get(from..from + 2 + length).filter(|_| length >= 2)?;
        at = from + whole.len();
        Some((code, from, whole))
    })
}

/// Whether the end of the picture is missing. Decoders fill up what is missing with grey, without an error. Files may have
/// more data behind the end, and a small picture of their own before the compressed data.
pub(super) fn is_cut_off(file: &[u8]) -> bool {
    let Some((_, at, _)) = segments(file).find(|(code, ..)| *code == SCAN) else { return true };
    // FF D9 ends a picture; within compressed data FF is always followed by 00 or a restart marker (§B.1.1.5).
    !file[at..].windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// The segments with caption data, as they are in the file; empty if it has none.
pub(super) fn captions(file: &[u8]) -> Vec<u8> {
    let before_scan = segments(file).take_while(|(code, ..)| *code != SCAN);
    let is_captions = |code: u8, whole: &[u8]| code == CAPTIONS && whole[4..].starts_with(PHOTOSHOP);
    let found = before_scan.filter(|(code, _, whole)| is_captions(*code, whole));
    let found: Vec<u8> = found.flat_map(|(_, _, whole)| whole.iter().copied()).collect();
    if found.len() > MOST_CAPTIONS { Vec::new() } else { found }
}

/// Inserts segments behind those that the encoder wrote first (APP0 to APP2): readers expect JFIF at the very beginning.
pub(super) fn with_captions(file: Vec<u8>, captions: &[u8]) -> Vec<u8> {
    if captions.is_empty() {
        return file;
    }
    let Some((_, at, _)) = segments(&file).find(|(code, ..)| !(0xE0..=0xE2).contains(code)) else { return file };
    [&file[..at], captions, &file[at..]].concat()
}
