//! The encoding of text that is read: UTF-8, with or without a byte order mark, and never UTF-16.

use std::io;

/// The byte order mark that some editors write in front of UTF-8.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whether the bytes start a text in UTF-16: with its byte order mark, or with an ASCII character.
pub(crate) fn is_utf_16(start: &[u8]) -> bool {
    matches!(
        start,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0x01..=0x7f, ..] | [0x01..=0x7f, 0, ..]
    )
}

/// The error for a text in UTF-16.
pub(crate) fn utf_16() -> io::Error {
    let message = "it is UTF-16 text. Convert it to UTF-8, such as with iconv -f UTF-16 -t UTF-8";
    io::Error::new(io::ErrorKind::InvalidData, message)
}
