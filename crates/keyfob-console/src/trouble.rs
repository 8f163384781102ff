//! Why a page cannot be shown.

use keyfob_client::{BuildError, Error};

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing is at this path.
    NotFound,
    /// The page does not take the method.
    WrongMethod,
    /// There is no session, or it has ended.
    SignedOut,
    /// What changes something was not sent by a page of this console.
    ForeignOrigin,
    /// The form cannot be read.
    BadForm(&'static str),
    /// Too many attempts to sign in. Try again after this many seconds.
    TooManyAttempts { seconds: u64 },
    /// The API has refused, or does not answer.
    Api(Error),
    /// The request cannot be passed to the API.
    Client(BuildError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        // Other refusals are about a token that the request names.
        match error.code() {
            "invalid_client" | "unauthenticated" => Self::SignedOut,
            _ => Self::Api(error),
        }
    }
}

impl From<BuildError> for Trouble {
    fn from(error: BuildError) -> Self {
        match error {
            // A cookie that is no bearer.
            BuildError::Key => Self::SignedOut,
            error => Self::Client(error),
        }
    }
}

impl Trouble {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::WrongMethod => 405,
            Self::SignedOut => 401,
            Self::ForeignOrigin => 403,
            Self::BadForm(_) => 400,
            Self::TooManyAttempts { .. } => 429,
            Self::Api(error) => error.api().map_or(502, |answer| answer.status().as_u16()),
            Self::Client(_) => 500,
        }
    }

    /// Returns what is wrong, for the heading of a page.
    pub(crate) fn title(&self) -> &'static str {
        match self.status() {
            400 => "That did not work",
            401 => "You are signed out",
            403 => "You may not do this",
            404 => "There is nothing here",
            405 => "This page takes no such request",
            409 => "Something has changed meanwhile",
            429 => "Too many attempts",
            503 => "The store does not answer",
            _ => "Something went wrong",
        }
    }

    /// Returns what is wrong, and what to do.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::NotFound => "No page of the console has this address.".to_owned(),
            Self::WrongMethod => "Go back, and use the buttons of the page.".to_owned(),
            Self::SignedOut => "The session has ended. Sign in to continue.".to_owned(),
            Self::ForeignOrigin => "The request did not come from a page of this console, so nothing \
                                    was changed. If you are behind a proxy, make it pass on the headers \
                                    Host and Origin."
                .to_owned(),
            Self::BadForm(detail) => (*detail).to_owned(),
            Self::TooManyAttempts { seconds } => {
                format!("Wait {seconds} seconds before you try to sign in again.")
            }
            Self::Api(error) => match error.api() {
                Some(answer) => answer.message().to_owned(),
                None => error.to_string(),
            },
            Self::Client(error) => error.to_string(),
        }
    }
}
