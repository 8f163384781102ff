//! Lines of a body that is read piece by piece.

use bytes::{Buf as _, Bytes, BytesMut};

/// The maximum length of a line in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Cuts pieces of a body into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: BytesMut,
}

/// A line is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LineTooLong;

impl Lines {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Returns the next whole line, without its end: `\n` or `\r\n`.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            return if self.buffer.len() > MAX_LINE_BYTES { Err(LineTooLong) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(end);
        self.buffer.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_lines() {
        let mut lines = Lines::default();
        let mut read = Vec::new();
        for piece in ["a", "b\nc\r", "\n\nd"] {
            lines.push(piece.as_bytes());
            while let Some(line) = lines.next().unwrap() {
                read.push(line);
            }
        }
        assert_eq!(read, ["ab", "c", ""]);
        lines.push(&vec![b'x'; MAX_LINE_BYTES + 1]);
        assert_eq!(lines.next(), Err(LineTooLong));
    }
}
