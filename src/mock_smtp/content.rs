//! Line ends and dots in commands and messages, without any I/O.

use memchr::memmem;

/// RFC 5321 §2.3.8: whether there is a CR or LF without the other.
pub(super) fn has_bare_line_ends(content: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', content).any(|at| match content[at] {
        b'\r' => content.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || content[at - 1] != b'\r',
    })
}

/// RFC 5321 §4.5.2: removes a dot at the beginning of a line.
pub(super) fn without_stuffing(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(content.len());
    let mut from = usize::from(content.starts_with(b"."));
    for at in memmem::find_iter(content, b"\r\n.") {
        plain.extend_from_slice(&content[from..at + 2]);
        from = at + 3;
    }
    plain.extend_from_slice(&content[from..]);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_dots_away_only_where_lines_begin() {
        assert_eq!(without_stuffing(b"..a\r\nb.\r\n...c\r\n..\r\n"), b".a\r\nb.\r\n..c\r\n.\r\n");
        assert_eq!(without_stuffing(b""), b"");
    }

    #[test]
    fn sees_bare_line_ends() {
        assert!(!has_bare_line_ends(b"a\r\nb\r\n"));
        for bare in [&b"a\nb"[..], b"\n", b"a\rb", b"a\r", b"\r\r\n", b"a\r\n\n"] {
            assert!(has_bare_line_ends(bare), "{bare:?}");
        }
    }
}
