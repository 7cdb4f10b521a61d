//! Character references in HTML (HTML §13.5): numeric ones, and the names that occur in mail.

/// Maximum bytes of a reference, including ampersand and semicolon.
pub(super) const LONGEST: usize = 12;

/// The meaning of a reference.
pub(super) enum Decoded {
    Text(&'static str),
    Character(char),
}

/// The meaning of the reference with this name, or `#` and a number; `None` leaves it as written.
pub(super) fn decode(name: &str) -> Option<Decoded> {
    let Some(number) = name.strip_prefix('#') else {
        return NAMED.iter().find(|(one, _)| *one == name).map(|(_, text)| Decoded::Text(text));
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        None => number.parse().ok()?,
    };
    let character = char::from_u32(number)?;
    Some(Decoded::Character(if character.is_control() { ' ' } else { character }))
}

/// Known names; others stay as written.
const NAMED: [(&str, &str); 90] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ensp", " "),
    ("emsp", " "),
    ("thinsp", " "),
    ("shy", ""),
    ("zwnj", ""),
    ("zwj", ""),
    ("lrm", ""),
    ("rlm", ""),
    ("aring", "å"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("Aring", "Å"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("eacute", "é"),
    ("Eacute", "É"),
    ("egrave", "è"),
    ("Egrave", "È"),
    ("ecirc", "ê"),
    ("euml", "ë"),
    ("agrave", "à"),
    ("Agrave", "À"),
    ("aacute", "á"),
    ("Aacute", "Á"),
    ("acirc", "â"),
    ("atilde", "ã"),
    ("aelig", "æ"),
    ("AElig", "Æ"),
    ("ccedil", "ç"),
    ("Ccedil", "Ç"),
    ("igrave", "ì"),
    ("iacute", "í"),
    ("icirc", "î"),
    ("iuml", "ï"),
    ("ntilde", "ñ"),
    ("Ntilde", "Ñ"),
    ("ograve", "ò"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("otilde", "õ"),
    ("oslash", "ø"),
    ("Oslash", "Ø"),
    ("ugrave", "ù"),
    ("uacute", "ú"),
    ("ucirc", "û"),
    ("uuml", "ü"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("yacute", "ý"),
    ("thorn", "þ"),
    ("eth", "ð"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("sect", "§"),
    ("para", "¶"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("deg", "°"),
    ("plusmn", "±"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("sup2", "²"),
    ("acute", "´"),
    ("middot", "·"),
    ("bull", "•"),
    ("hellip", "…"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("minus", "−"),
    ("times", "×"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("lsaquo", "‹"),
    ("rsaquo", "›"),
    ("euro", "€"),
    ("pound", "£"),
    ("cent", "¢"),
];
