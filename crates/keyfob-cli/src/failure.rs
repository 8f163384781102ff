//! The failures of a command, with their messages, hints and exit codes.
//!
//! | exit | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | refused, or not found |
//! | 2 | the arguments or the input are not valid |
//! | 3 | the store is unavailable, or is not a store |
//! | 130 | interrupted |

use std::io::{self, Write};

use std::process::ExitCode;

use keyfob::filter::FilterError;
use keyfob::limit::LimitError;
use keyfob::seal::KeyError;
use keyfob::store::StoreError;
use keyfob::{ClientId, Error, ErrorClass, InvalidValue, TokenId};
use keyfob_api::{InvalidGrantSpec, RefusalBody};
use keyfob_server::config::ConfigErrors;
use keyfob_server::listen::ListenAddress;
use keyfob_server::listen::tls::CertificateError;
use serde::Serialize;

use crate::store_url::InvalidStoreUrl;
use crate::visible::visible;

/// The exit status of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Done,
    Refused,
    Usage,
    Unavailable,
    Interrupted,
}

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command has already reported the failure on stdout.
    #[error("the command did not succeed")]
    AlreadyReported(Exit),
    #[error("{message}")]
    Usage { code: &'static str, message: String, details: String },
    #[error("a bearer was given as an argument, where other users of this machine can read it")]
    BearerInArgument { id: Option<TokenId> },
    #[error(transparent)]
    InvalidStoreUrl(#[from] InvalidStoreUrl),
    #[error("{error}")]
    Filter { error: FilterError, text: String },
    #[error(transparent)]
    Keyfob(#[from] Error),
    /// A server answered with an error, or not at all.
    #[error(transparent)]
    Server(#[from] keyfob_client::Error),
    /// A bearer is refused.
    #[error("{}", .0.message)]
    Refused(RefusalBody),
    /// A bearer that is malformed, with what is likely wrong.
    #[error("{failure}")]
    MalformedBearer { failure: Box<Failure>, hint: String },
    #[error("this command works on a store, and not through a server: {why}")]
    NeedsStore { why: &'static str },
    #[error("this command works through a server, and not on a store: {why}")]
    NeedsServer { why: &'static str },
    #[error("{what} cannot be read: {error}")]
    Input { what: String, error: io::Error },
    #[error("{refused} of {total} lines were refused")]
    Lines { refused: u64, total: u64 },
    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("the metrics cannot be written to {file}: {error}")]
    Metrics { file: String, error: io::Error },
    /// A bearer that could not be written. Its token is not revoked.
    #[error("the bearer of {id} could not be written ({error}) and is lost")]
    BearerLost { id: TokenId, error: io::Error, hint: String },
    /// Tokens that were stored without their bearers being written, and those of them that are not
    /// revoked.
    #[error("{} could not be written ({error}). {}", bearers_of(lost), outcome_of(lost, unrevoked))]
    BearersLost { lost: Vec<TokenId>, unrevoked: Vec<TokenId>, error: io::Error },
    #[error("the runtime cannot be started: {0}")]
    Start(#[source] io::Error),
    #[error("the data directory of this user is unknown")]
    NoDataDirectory,
    #[error("{message}. This store does not keep a guarantee of keyfob")]
    BrokenPromise { message: String },
    #[error("the address {address} cannot be listened on: {error}")]
    Listen { address: ListenAddress, error: io::Error },
    #[error("{}", in_one_line(.0))]
    Configuration(ConfigErrors),
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error("{cut} connections were cut: their requests took longer than http.drain_timeout")]
    CutRequests { cut: usize },
    #[error("the store has an active admin key")]
    HasAdminKey,
    #[error("the client {client} has no active key")]
    NoClientKey { client: ClientId },
    #[error("not confirmed. Nothing was changed")]
    NotConfirmed,
    #[error("interrupted. The change in progress may have been made")]
    Interrupted,
}

impl Exit {
    /// The exit code of the process.
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

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Keyfob(error.into())
    }
}

impl From<InvalidGrantSpec> for Failure {
    fn from(invalid: InvalidGrantSpec) -> Self {
        match invalid {
            InvalidGrantSpec::Invalid(invalid) => invalid.into(),
            other => Self::Usage {
                code: "invalid_value",
                message: other.to_string(),
                details: String::new(),
            },
        }
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
            Self::AlreadyReported(_) => "already_reported",
            Self::Usage { code, .. } => code,
            Self::BearerInArgument { .. } => "bearer_in_argument",
            Self::InvalidStoreUrl(_) => "invalid_store_url",
            Self::Filter { error, .. } => error.code(),
            Self::Keyfob(error) => error.code(),
            Self::Server(error) => error.code(),
            Self::Refused(refusal) => &refusal.code,
            Self::MalformedBearer { failure, .. } => failure.code(),
            Self::NeedsStore { .. } => "needs_store",
            Self::NeedsServer { .. } => "needs_server",
            Self::Input { .. } => "input_unreadable",
            Self::Lines { .. } => "lines_refused",
            Self::Output(_) => "output_failed",
            Self::Metrics { .. } => "metrics_unwritten",
            Self::BearerLost { .. } | Self::BearersLost { .. } => "bearer_lost",
            Self::Start(_) => "cannot_start",
            Self::NoDataDirectory => "no_data_directory",
            Self::BrokenPromise { .. } => "broken_promise",
            Self::Listen { .. } => "cannot_listen",
            Self::Configuration(_) => "invalid_configuration",
            Self::Certificates(_) => "invalid_certificates",
            Self::CutRequests { .. } => "requests_cut",
            Self::HasAdminKey => "has_admin_key",
            Self::NoClientKey { .. } => "client_not_found",
            Self::NotConfirmed => "not_confirmed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::AlreadyReported(exit) => *exit,
            Self::Usage { .. }
            | Self::BearerInArgument { .. }
            | Self::InvalidStoreUrl(_)
            | Self::Filter { .. }
            | Self::Input { .. }
            | Self::Lines { .. }
            | Self::Listen { .. }
            | Self::NeedsStore { .. }
            | Self::NeedsServer { .. }
            | Self::Configuration(_)
            | Self::Certificates(_)
            | Self::NoDataDirectory => Exit::Usage,
            Self::Keyfob(error) => exit_of(error),
            Self::Server(error) => exit_of_server(error),
            Self::MalformedBearer { failure, .. } => failure.exit(),
            // The reader of a pipe closed it: it needs no more output.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_)
            | Self::Metrics { .. }
            | Self::BearerLost { .. }
            | Self::BearersLost { .. }
            | Self::BrokenPromise { .. }
            | Self::Refused(_)
            | Self::CutRequests { .. }
            | Self::HasAdminKey
            | Self::NoClientKey { .. }
            | Self::NotConfirmed => Exit::Refused,
            Self::Start(_) => Exit::Unavailable,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// What to do next, if the message does not say it.
    fn hint(&self) -> Option<String> {
        match self {
            Self::BearerInArgument { id: Some(id) } => Some(format!(
                "treat it as compromised: run keyfob revoke {id}. Pass bearers on stdin or with \
                 --bearer-file"
            )),
            Self::BearerInArgument { id: None } => Some(
                "treat it as compromised and revoke its token. Pass bearers on stdin or with \
                 --bearer-file"
                    .into(),
            ),
            Self::MalformedBearer { hint, .. } => Some(hint.clone()),
            Self::Keyfob(Error::NotFound { .. }) => Some(SEE_TOKENS.into()),
            Self::Server(error) => hint_of_server(error).map(str::to_owned),
            Self::NeedsServer { .. } => {
                Some("name the server with --server, and its API key in KEYFOB_TOKEN".into())
            }
            Self::NeedsStore { .. } => Some(
                "leave out --server and KEYFOB_SERVER, and name the store with --store".into(),
            ),
            Self::Keyfob(Error::Store(StoreError::NotAStore { .. })) => Some(
                "check --store or KEYFOB_STORE, or run keyfob issue to create a new store".into(),
            ),
            Self::Keyfob(Error::Store(StoreError::NamespaceLost { .. })) => {
                Some("run keyfob doctor to see what the store holds; it creates no namespace".into())
            }
            Self::Keyfob(Error::Store(StoreError::Sealed { .. })) => {
                Some("pass the key ring with --keys or KEYFOB_KEYS".into())
            }
            Self::Keyfob(Error::Keys(KeyError::StillHolds { .. })) => {
                Some("run keyfob keys reseal to move them to the active key".into())
            }
            Self::Keyfob(Error::Store(StoreError::PartlyApplied { .. })) => Some(
                "do not repeat it: a node of the service, or the next keyfob command, finishes it when the \
                 servers are back. keyfob doctor names them"
                    .into(),
            ),
            Self::Keyfob(Error::Store(StoreError::InUse { .. })) => {
                Some("if a service keeps the file, ask the service, or stop it first".into())
            }
            Self::Keyfob(Error::Store(StoreError::Unavailable { .. })) => {
                Some("run keyfob doctor to see the state of the store, then try again".into())
            }
            Self::Filter { error, .. } if error.is_not_bound() => Some(
                "bind a value with --bind NAME=VALUE, or quote the text for the shell and the filter: \
                 'subject:\"$text\"'"
                    .into(),
            ),
            Self::Lines { .. } => Some("fix those lines and run again with only them".into()),
            Self::BearerLost { hint, .. } => Some(hint.clone()),
            Self::BearersLost { unrevoked, .. } if !unrevoked.is_empty() => {
                Some(format!("run keyfob revoke for each of: {}", listed(unrevoked)))
            }
            Self::Listen { .. } => Some("choose another address, port or path with --listen".into()),
            Self::NoClientKey { .. } => Some("run keyfob client list --all to see all clients".into()),
            Self::HasAdminKey => Some(
                "issue other keys with it, or pass --another to make one more".into(),
            ),
            Self::NoDataDirectory => {
                Some("set HOME or XDG_DATA_HOME, or pass a store with --store".into())
            }
            _ => None,
        }
    }

    /// The lines below the message, safe to show. The pointer of a filter is safe already.
    fn details(&self) -> String {
        match self {
            Self::Usage { details, .. } => {
                details.lines().map(visible).collect::<Vec<_>>().join("\n")
            }
            Self::InvalidStoreUrl(_) => InvalidStoreUrl::FORMS.into(),
            Self::Configuration(errors) if errors.iter().len() > 1 => {
                let lines = errors.iter().map(|error| format!("  {}", visible(&error.to_string())));
                lines.collect::<Vec<_>>().join("\n")
            }
            Self::Filter { error, text } => {
                let pointer = error.pointer(text);
                pointer.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }

    /// Writes the failure to stderr. Returns the exit code of the process.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let exit = self.exit();
        if exit != Exit::Done && !matches!(self, Self::AlreadyReported(_)) {
            let text = if json { self.as_json() } else { self.as_text() };
            // Ignored: without stderr the error cannot be shown.
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
            text.push_str(line);
        }
        if let Some(hint) = self.hint() {
            text.push_str("\nhint: ");
            text.push_str(&visible(&hint));
        }
        text
    }

    pub(crate) fn as_json(&self) -> String {
        error_as_json(self.code(), self.in_full(), self.hint())
    }

    /// The message with all its lines.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Self::Configuration(errors) => errors.to_string(),
            other => other.to_string(),
        }
    }
}

/// What is wrong with a configuration, in one line.
fn in_one_line(errors: &ConfigErrors) -> String {
    match errors.iter().as_slice() {
        [one] => one.to_string(),
        many => format!("{} settings are not valid", many.len()),
    }
}

/// Formats an error as JSON. Every error has this shape.
pub(crate) fn error_as_json(code: &str, message: String, hint: Option<String>) -> String {
    #[derive(Serialize)]
    struct ErrorLine<'a> {
        error: ErrorBody<'a>,
    }
    #[derive(Serialize)]
    struct ErrorBody<'a> {
        code: &'a str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
    serde_json::to_string(&ErrorLine { error: ErrorBody { code, message, hint } })
        .unwrap_or_default()
}

fn listed(ids: &[TokenId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The bearers that are lost.
fn bearers_of(lost: &[TokenId]) -> String {
    match lost {
        [one] => format!("the bearer of {one}"),
        many => format!("the bearers of {} tokens", many.len()),
    }
}

/// What became of tokens whose bearers are lost.
fn outcome_of(lost: &[TokenId], unrevoked: &[TokenId]) -> String {
    match (lost, unrevoked) {
        ([_], []) => return "The token was revoked".to_owned(),
        ([_], [_]) => return "The token could not be revoked".to_owned(),
        _ => {}
    }
    let revoked: Vec<_> = lost.iter().filter(|id| !unrevoked.contains(id)).copied().collect();
    match (revoked.is_empty(), unrevoked.is_empty()) {
        (false, true) => format!("They were revoked: {}", listed(&revoked)),
        (true, _) => format!("They could not be revoked: {}", listed(unrevoked)),
        (false, false) => {
            format!("Revoked: {}. Not revoked: {}", listed(&revoked), listed(unrevoked))
        }
    }
}

/// The hint for a token that is not there.
const SEE_TOKENS: &str = "run keyfob list to see the tokens of this store";

fn hint_of_server(error: &keyfob_client::Error) -> Option<&'static str> {
    match error.code() {
        "token_not_found" => Some(SEE_TOKENS),
        "invalid_client" | "unauthenticated" => Some(
            "check the key in KEYFOB_TOKEN or in the file of --token-file: is it an active API key of \
             this server?",
        ),
        "insufficient_scope" => Some("use a key that has this scope, or keyfob:admin"),
        "server_unreachable" => Some("check --server or KEYFOB_SERVER, and that the server runs"),
        "no_answer" => Some("find out whether it was done before you repeat it"),
        _ => None,
    }
}

/// The same exit status as for the error of a store.
fn exit_of_server(error: &keyfob_client::Error) -> Exit {
    match (error, error.class()) {
        (keyfob_client::Error::Credentials(_), _) => Exit::Usage,
        (_, ErrorClass::InvalidRequest | ErrorClass::InvalidScope | ErrorClass::InvalidTarget) => {
            Exit::Usage
        }
        (_, ErrorClass::Unavailable | ErrorClass::Internal) => Exit::Unavailable,
        _ => Exit::Refused,
    }
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
