//! Where in a file a setting is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};

/// A file that is TOML.
#[derive(Debug)]
pub(super) struct ParsedFile<'a> {
    name: &'a str,
    text: &'a str,
    table: Spanned<DeTable<'a>>,
}

impl<'a> ParsedFile<'a> {
    /// Parses a file. The error does not repeat the line, which may have a password.
    pub(super) fn parse(name: &'a str, text: &'a str) -> Result<Self, ConfigError> {
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { name, text, table }),
            Err(error) => Err(ConfigError {
                place: place(name, text, error.span().map_or(0, |span| span.start)),
                setting: String::new(),
                message: format!("this is not TOML: {}", error.message()),
            }),
        }
    }

    /// Returns the settings.
    pub(super) fn table(&self) -> &DeTable<'a> {
        self.table.get_ref()
    }

    /// Returns the place of a span.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        place(self.name, self.text, span.start)
    }

    /// Returns the place of a setting, or of the section around it; `None` if neither is in the file.
    pub(super) fn find(&self, path: &[String]) -> Option<Place> {
        let mut table = self.table.get_ref();
        let mut found = None;
        for name in path {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
                break;
            };
            // A table is where its name is.
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            found = Some(if is_table { key.span() } else { value.span() });
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        found.map(|span| self.place(&span))
    }

    /// Returns whether the file has a setting.
    pub(super) fn has(&self, path: &[String]) -> bool {
        let Some((last, sections)) = path.split_last() else { return true };
        let mut table = self.table.get_ref();
        for name in sections {
            match table.get(name.as_str()).map(Spanned::get_ref) {
                Some(DeValue::Table(inner)) => table = inner,
                _ => return false,
            }
        }
        table.contains_key(last.as_str())
    }
}

fn place(name: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place::File {
        name: name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
