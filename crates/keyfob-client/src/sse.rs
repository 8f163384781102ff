//! Server-sent events, as the HTML standard has them (section 9.2.6), as far as this API uses them.

use crate::lines::{LineTooLong, Lines};

/// One event of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Reads events out of pieces of a body.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    lines: Lines,
    message: Message,
    has_data: bool,
}

impl Parser {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.lines.push(piece);
    }

    /// Returns the next whole event.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, LineTooLong> {
        while let Some(line) = self.lines.next()? {
            let line = String::from_utf8_lossy(&line);
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(message));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.message.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.message.event),
                "data" => {
                    if self.has_data {
                        self.message.data.push('\n');
                    }
                    self.message.data.push_str(value);
                    self.has_data = true;
                }
                // A comment, which keeps the connection, or a field that is not used.
                _ => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_pieces() {
        let text = ": hi\n\nid: 7\nevent: a\ndata: {\"x\":\ndata:1}\n\nevent: no data\n\ndata\n\n";
        let message = |id: Option<&str>, event: &str, data: &str| Message {
            id: id.map(str::to_owned),
            event: event.to_owned(),
            data: data.to_owned(),
        };
        for size in 1..text.len() {
            let (mut parser, mut read) = (Parser::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                parser.push(piece);
                while let Some(message) = parser.next().unwrap() {
                    read.push(message);
                }
            }
            let expected = [message(Some("7"), "a", "{\"x\":\n1}"), message(None, "", "")];
            assert_eq!(read, expected, "pieces of {size}");
        }
    }
}
