//! Writes to stdout, in the form that the reader needs. Nothing else writes to stdout.
//!
//! | form | when | content |
//! |---|---|---|
//! | JSON | `--json` | one object per line |
//! | table | stdout is a terminal | columns with headings, in the width of the terminal |
//! | plain | otherwise | fields separated by tabs, without headings |
//!
//! Notes go to stderr, so that a pipe receives only the output.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use keyfob::Timestamp;
use keyfob_api::TokenBody;
use serde::Serialize;

use crate::failure::{Failure, error_as_json};
use crate::relative_time::relative;
use crate::table::{self, Column};
use crate::terminal;
use crate::token_text::{TOKEN_COLUMNS, or_never, token_fields, token_row};
use crate::visible::visible;

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Json,
    Table {
        colour: bool,
        /// The width of the terminal. `None` if nothing may be cut.
        width: Option<usize>,
    },
    Plain,
}

/// Stdout, and the notes on stderr.
#[derive(Debug)]
pub(crate) struct Output {
    form: Form,
    out: BufWriter<Stdout>,
}

/// A note on stderr.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Note {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
}

impl Output {
    /// Creates the output of this process. With `wide`, tables may be wider than the terminal.
    pub(crate) fn new(json: bool, wide: bool) -> Self {
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => {
                let width = (!wide).then(terminal::width);
                Form::Table { colour: terminal::has_colours(), width }
            }
            (false, false) => Form::Plain,
        };
        Self { form, out: BufWriter::new(io::stdout()) }
    }

    /// The form.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whether the form is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Writes one line, unchanged.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(Failure::Output)
    }

    /// Writes bytes, unchanged, and flushes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(Failure::Output)?;
        self.flush()
    }

    /// Writes one object on a line.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, object)
            .map_err(|error| Failure::Output(error.into()))?;
        self.out.write_all(b"\n").map_err(Failure::Output)
    }

    /// Writes one name and value per line.
    pub(crate) fn fields(&mut self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let width = fields.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
        for (name, value) in fields {
            self.line(format_args!("{:width$} {}", format!("{name}:"), visible(value)))?;
        }
        Ok(())
    }

    /// Writes rows: as a table with headings, or separated by tabs.
    pub(crate) fn rows(&mut self, columns: &[Column], rows: &[Vec<String>]) -> Result<(), Failure> {
        match self.form {
            Form::Table { colour, width } => self.line(table::render(columns, rows, width, colour)),
            Form::Plain | Form::Json => rows.iter().try_for_each(|row| {
                let cells: Vec<_> = row.iter().map(|cell| visible(cell)).collect();
                self.line(cells.join("\t"))
            }),
        }
    }

    /// The text of a time in a row: without milliseconds in a table that may be cut.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        match self.form {
            Form::Table { width: Some(_), .. } => {
                Timestamp::from_millis(at.as_secs() * 1_000).to_string()
            }
            _ => at.to_string(),
        }
    }

    /// The text of an expiry in a row: relative to now in a table that may be cut.
    fn expiry(&self, at: Option<Timestamp>, now: Timestamp) -> String {
        match (self.form, at) {
            (Form::Table { width: Some(_), .. }, Some(at)) => relative(at, now),
            _ => or_never(at),
        }
    }

    /// Writes tokens as a list.
    pub(crate) fn tokens(&mut self, tokens: &[TokenBody], now: Timestamp) -> Result<(), Failure> {
        if self.is_json() {
            return tokens.iter().try_for_each(|token| self.object(token));
        }
        if tokens.is_empty() {
            return Ok(());
        }
        let row = |token: &TokenBody| token_row(token, self.expiry(token.expires_at, now));
        let rows: Vec<_> = tokens.iter().map(row).collect();
        self.rows(&TOKEN_COLUMNS, &rows)
    }

    /// Writes one token in full.
    pub(crate) fn token(&mut self, token: &TokenBody) -> Result<(), Failure> {
        if self.is_json() {
            return self.object(token);
        }
        self.fields(&token_fields(token))
    }

    /// Flushes the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }

    /// Writes a note to stderr.
    pub(crate) fn note(&self, code: &'static str, message: impl Into<String>) {
        self.write_note(Note { code, message: message.into(), cursor: None });
    }

    /// Writes a note with a cursor to stderr.
    pub(crate) fn note_cursor(
        &self,
        code: &'static str,
        message: impl Into<String>,
        cursor: impl Display,
    ) {
        self.write_note(Note { code, message: message.into(), cursor: Some(cursor.to_string()) });
    }

    fn write_note(&self, note: Note) {
        #[derive(Serialize)]
        struct NoteLine {
            note: Note,
        }
        let text = if self.is_json() {
            serde_json::to_string(&NoteLine { note }).unwrap_or_default()
        } else {
            format!("note: {}", visible(&note.message))
        };
        // Ignored: without stderr the note cannot be shown.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Writes an error to stderr that does not end the command.
    pub(crate) fn error_line(&self, what: &str, code: &str, message: &str) {
        let message = format!("{what}: {message}");
        let text = if self.is_json() {
            error_as_json(code, message, None)
        } else {
            format!("error: {} ({code})", visible(&message))
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Quotes a text as one word of a POSIX shell. Invisible characters are written as bash, zsh and ksh
/// read them in `$'…'`, so that the word can be copied from a terminal.
pub(crate) fn shell_quoted(text: &str) -> String {
    if matches!(visible(text), std::borrow::Cow::Owned(_)) {
        let mut quoted = "$'".to_owned();
        for c in text.chars() {
            match c {
                '\\' | '\'' => quoted.extend(['\\', c]),
                c if *visible(c.encode_utf8(&mut [0; 4])) != *c.encode_utf8(&mut [0; 4]) => {
                    quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
                }
                c => quoted.push(c),
            }
        }
        return quoted + "'";
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
