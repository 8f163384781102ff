//! The text form of a filter. Parsing it gives the same filter again.

use std::fmt::{self, Display, Write};

use super::Filter;
use super::key::Key;

impl Display for Filter {
    /// Writes the text form. A filter that [is not valid](Filter::check) shows its valid conditions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { to: f, separator: "" };
        for key in Key::ALL {
            match key {
                Key::Kind => line.list(key, self.kinds.iter())?,
                Key::State => line.list(key, self.states.iter())?,
                Key::Id => line.each(key, self.id.as_ref().map(|prefix| prefix.as_str()))?,
                Key::Family => line.each(key, self.family)?,
                Key::Subject => line.each(key, &self.subject)?,
                Key::Issuer => line.each(key, &self.issuer)?,
                Key::Audience => line.each(key, &self.audience)?,
                Key::Client => line.each(key, &self.client)?,
                Key::Device => line.each(key, &self.device)?,
                Key::App => line.each(key, &self.app)?,
                Key::Tag => line.each(key, &self.tags)?,
                Key::AnyTag => line.each(key, &self.any_tags)?,
                Key::Label => {
                    let pairs = self.labels.iter();
                    line.each(key, pairs.map(|(key, value)| format!("{key}={value}")))?;
                }
                Key::Scope => line.each(key, &self.scopes)?,
                Key::AnyScope => line.each(key, &self.any_scopes)?,
                Key::IssuedAfter => line.each(key, self.issued_after)?,
                Key::IssuedBefore => line.each(key, self.issued_before)?,
                Key::ExpiresAfter => line.each(key, self.expires_after)?,
                Key::ExpiresBefore => line.each(key, self.expires_before)?,
            }
        }
        Ok(())
    }
}

/// A writer of conditions.
struct Line<W> {
    to: W,
    separator: &'static str,
}

impl<W: Write> Line<W> {
    fn each(&mut self, key: Key, values: impl IntoIterator<Item: Display>) -> fmt::Result {
        for value in values {
            self.key(key)?;
            self.value(&value.to_string())?;
        }
        Ok(())
    }

    /// Writes one condition with commas, for values that need no quotes.
    fn list(&mut self, key: Key, values: impl Iterator<Item: Display>) -> fmt::Result {
        for (position, value) in values.enumerate() {
            match position {
                0 => self.key(key)?,
                _ => self.to.write_char(',')?,
            }
            write!(self.to, "{value}")?;
        }
        Ok(())
    }

    fn key(&mut self, key: Key) -> fmt::Result {
        write!(self.to, "{}{}:", self.separator, key.as_str())?;
        self.separator = " ";
        Ok(())
    }

    fn value(&mut self, value: &str) -> fmt::Result {
        // Without quotes, a value that starts with `$` is a name.
        let is_name = value.starts_with('$') || value.contains("=$");
        if !is_name && !value.contains(|c: char| c.is_whitespace() || c == '"') {
            return self.to.write_str(value);
        }
        self.to.write_char('"')?;
        for c in value.chars() {
            if matches!(c, '"' | '\\') {
                self.to.write_char('\\')?;
            }
            self.to.write_char(c)?;
        }
        self.to.write_char('"')
    }
}
