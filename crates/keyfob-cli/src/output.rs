//! Stdout: the one way to it, in the form that its reader wants.
//!
//! | form | when | what |
//! |---|---|---|
//! | JSON | `--json` | one object per line |
//! | table | stdout is a terminal | columns for a person |
//! | plain | otherwise | fields separated by tabs, without a heading |
//!
//! Notes go to stderr, so that what is piped on is only what was asked for.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use keyfob::{Timestamp, Token};
use serde::Serialize;

use crate::failure::{Failure, error_as_json};
use crate::table;
use crate::visible::visible;

/// In what form the output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Json,
    Table { colour: bool },
    Plain,
}

/// Stdout, and the notes beside it.
#[derive(Debug)]
pub(crate) struct Output {
    form: Form,
    out: BufWriter<Stdout>,
}

/// Something that is said beside the output.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Note {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
}

/// Whether nobody has asked for output without colours (<https://no-color.org>).
pub(crate) fn colours_are_welcome() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

impl Output {
    /// The output of this process.
    pub(crate) fn new(json: bool) -> Self {
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Table { colour: colours_are_welcome() },
            (false, false) => Form::Plain,
        };
        Self { form, out: BufWriter::new(io::stdout()) }
    }

    /// Its form.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whether it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Writes one line as it is.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(Failure::Output)
    }

    /// Writes bytes as they are, at once.
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

    /// Writes names and values below each other.
    pub(crate) fn fields(&mut self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let width = fields.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
        for (name, value) in fields {
            self.line(format_args!("{:width$} {}", format!("{name}:"), visible(value)))?;
        }
        Ok(())
    }

    /// Writes rows: as a table with these headings, or separated by tabs.
    pub(crate) fn rows(&mut self, headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        match self.form {
            Form::Table { colour } => self.line(table::of(headings, rows, colour)),
            Form::Plain | Form::Json => rows.iter().try_for_each(|row| {
                let cells: Vec<_> = row.iter().map(|cell| visible(cell)).collect();
                self.line(cells.join("\t"))
            }),
        }
    }

    /// Writes tokens as a list.
    pub(crate) fn tokens(&mut self, tokens: &[Token], now: Timestamp) -> Result<(), Failure> {
        if self.is_json() {
            return tokens.iter().try_for_each(|token| self.object(&token.view(now)));
        }
        if tokens.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = tokens.iter().map(|token| table::token_row(token, now)).collect();
        self.rows(&table::TOKEN_HEADINGS, &rows)
    }

    /// Writes one token in full.
    pub(crate) fn token(&mut self, token: &Token, now: Timestamp) -> Result<(), Failure> {
        if self.is_json() {
            return self.object(&token.view(now));
        }
        self.fields(&table::token_fields(token, now))
    }

    /// Lets go of what is held back.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }

    /// Says something beside the output, on stderr.
    pub(crate) fn note(&self, code: &'static str, message: impl Into<String>) {
        self.say(Note { code, message: message.into(), cursor: None });
    }

    /// Says beside the output where to go on.
    pub(crate) fn note_cursor(
        &self,
        code: &'static str,
        message: impl Into<String>,
        cursor: impl Display,
    ) {
        self.say(Note { code, message: message.into(), cursor: Some(cursor.to_string()) });
    }

    fn say(&self, note: Note) {
        #[derive(Serialize)]
        struct Said {
            note: Note,
        }
        let text = if self.is_json() {
            serde_json::to_string(&Said { note }).unwrap_or_default()
        } else {
            format!("note: {}", visible(&note.message))
        };
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Says that something was refused while the command goes on, on stderr.
    pub(crate) fn refuse(&self, what: &str, code: &str, message: &str) {
        let message = format!("{what}: {message}");
        let text = if self.is_json() {
            error_as_json(code, message, None)
        } else {
            format!("error: {} ({code})", visible(&message))
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}
