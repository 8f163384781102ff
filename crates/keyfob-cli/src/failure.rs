//! Everything that can go wrong, with the exit code that it ends in.
//!
//! | exit | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | refused, or not found |
//! | 2 | the arguments or the input are wrong |
//! | 3 | the store is unavailable, or is none |
//! | 130 | interrupted |

use std::io::{self, Write};
use std::process::ExitCode;

use keyfob::seal::KeyError;
use keyfob::store::StoreError;
use keyfob::{Error, FilterError, InvalidValue, LimitError, TokenId};
use serde::Serialize;

use crate::open::WrongUrl;
use crate::visible::visible;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Done,
    Refused,
    Usage,
    Unavailable,
    Interrupted,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was told on stdout already.
    #[error("the command did not succeed")]
    Told(Exit),
    #[error("{message}")]
    Usage { code: &'static str, message: String, details: String },
    #[error("a bearer was given as an argument, where others on this machine can read it")]
    BearerInArgument { id: Option<TokenId> },
    #[error(transparent)]
    WrongUrl(#[from] WrongUrl),
    #[error("{error}")]
    Filter { error: FilterError, text: String },
    #[error(transparent)]
    Keyfob(#[from] Error),
    #[error("{what} cannot be read: {error}")]
    Input { what: String, error: io::Error },
    #[error("{refused} of {total} lines were refused")]
    Lines { refused: u64, total: u64 },
    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("the metrics cannot be written to {file}: {error}")]
    Metrics { file: String, error: io::Error },
    #[error("the bearer of {id} could not be written ({error}) and is lost")]
    BearerLost { id: TokenId, error: io::Error },
    #[error("the runtime cannot be started: {0}")]
    Start(#[source] io::Error),
    #[error("the data directory of this user is not known")]
    NoDataDirectory,
    #[error("{message}: a promise of keyfob does not hold on this store")]
    BrokenPromise { message: String },
    #[error("not confirmed: nothing was done")]
    NotConfirmed,
    #[error("interrupted: what was under way may have been done")]
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<InvalidValue> for Failure {
    fn from(invalid: InvalidValue) -> Self {
        Self::Keyfob(invalid.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Keyfob(error.into())
    }
}

impl Failure {
    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Told(_) => "told",
            Self::Usage { code, .. } => code,
            Self::BearerInArgument { .. } => "bearer_in_argument",
            Self::WrongUrl(_) => "invalid_store_url",
            Self::Filter { error, .. } => error.code(),
            Self::Keyfob(error) => error.code(),
            Self::Input { .. } => "input_unreadable",
            Self::Lines { .. } => "lines_refused",
            Self::Output(_) => "output_failed",
            Self::Metrics { .. } => "metrics_unwritten",
            Self::BearerLost { .. } => "bearer_lost",
            Self::Start(_) => "cannot_start",
            Self::NoDataDirectory => "no_data_directory",
            Self::BrokenPromise { .. } => "broken_promise",
            Self::NotConfirmed => "not_confirmed",
            Self::Interrupted => "interrupted",
        }
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Told(exit) => *exit,
            Self::Usage { .. }
            | Self::BearerInArgument { .. }
            | Self::WrongUrl(_)
            | Self::Filter { .. }
            | Self::Input { .. }
            | Self::Lines { .. }
            | Self::NoDataDirectory => Exit::Usage,
            Self::Keyfob(error) => exit_of(error),
            // Whoever reads the output had enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_)
            | Self::Metrics { .. }
            | Self::BearerLost { .. }
            | Self::BrokenPromise { .. }
            | Self::NotConfirmed => Exit::Refused,
            Self::Start(_) => Exit::Unavailable,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// What to do about it, where the message does not say.
    fn hint(&self) -> Option<String> {
        match self {
            Self::BearerInArgument { id: Some(id) } => Some(format!(
                "take it for known: keyfob revoke {id}. Give bearers on stdin or by --bearer-file"
            )),
            Self::BearerInArgument { id: None } => Some(
                "take it for known and revoke its token. Give bearers on stdin or by --bearer-file"
                    .into(),
            ),
            Self::Keyfob(Error::NotFound { .. }) => Some("keyfob list shows what there is".into()),
            Self::Keyfob(Error::Store(StoreError::NotAStore { .. })) => {
                Some("name a store by --store or KEYFOB_STORE; keyfob issue makes a new one".into())
            }
            Self::Keyfob(Error::Store(StoreError::Sealed { .. })) => {
                Some("name the key ring by --keys or KEYFOB_KEYS".into())
            }
            Self::Keyfob(Error::Keys(KeyError::StillHolds { .. })) => {
                Some("keyfob keys reseal moves them to the active key".into())
            }
            Self::Keyfob(Error::Store(StoreError::Unavailable { .. })) => {
                Some("see that it runs and can be reached, then try again".into())
            }
            Self::Lines { .. } => Some("mend those lines and issue them alone".into()),
            Self::BearerLost { id, .. } => {
                Some(format!("keyfob revoke {id}, and issue another in its place"))
            }
            Self::NoDataDirectory => {
                Some("set HOME or XDG_DATA_HOME, or name a store by --store".into())
            }
            _ => None,
        }
    }

    /// Lines to show below the message, on a terminal or in a log.
    fn details(&self) -> String {
        match self {
            Self::Usage { details, .. } => details.clone(),
            Self::WrongUrl(_) => WrongUrl::FORMS.into(),
            Self::Filter { error, text } => {
                let pointer = error.pointer(text);
                pointer.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }

    /// Tells it on stderr; the exit code is left for the process.
    pub(crate) fn tell(&self, json: bool) -> ExitCode {
        let exit = self.exit();
        if exit != Exit::Done && !matches!(self, Self::Told(_)) {
            let text = if json { self.as_json() } else { self.as_text() };
            // Without stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
        ExitCode::from(exit.number())
    }

    pub(crate) fn as_text(&self) -> String {
        let message = self.to_string();
        let mut text = format!("error: {} ({})", visible(&message), self.code());
        let details = self.details();
        for line in details.lines() {
            text.push('\n');
            text.push_str(&visible(line));
        }
        if let Some(hint) = self.hint() {
            text.push_str("\nhint: ");
            text.push_str(&visible(&hint));
        }
        text
    }

    pub(crate) fn as_json(&self) -> String {
        error_as_json(self.code(), self.to_string(), self.hint())
    }
}

/// An error in the one shape that it has in JSON.
pub(crate) fn error_as_json(code: &str, message: String, hint: Option<String>) -> String {
    #[derive(Serialize)]
    struct Told<'a> {
        error: Inner<'a>,
    }
    #[derive(Serialize)]
    struct Inner<'a> {
        code: &'a str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
    serde_json::to_string(&Told { error: Inner { code, message, hint } }).unwrap_or_default()
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Invalid(_) => Exit::Usage,
        Error::Store(
            StoreError::Misconfigured(_)
            | StoreError::TooLarge { .. }
            | StoreError::Sealed { .. }
            | StoreError::KeyRetired { .. },
        ) => Exit::Usage,
        Error::Keys(KeyError::StillHolds { .. } | KeyError::InUse { .. }) => Exit::Refused,
        Error::Keys(KeyError::OlderInUse { .. } | KeyError::Retired { .. }) => Exit::Refused,
        Error::Keys(_) => Exit::Usage,
        Error::Limit(LimitError::CostAboveBurst { .. }) => Exit::Usage,
        Error::Store(_) | Error::Limit(_) => Exit::Unavailable,
        _ => Exit::Refused,
    }
}
