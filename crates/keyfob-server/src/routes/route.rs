//! One route as data.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::Method;

use crate::access::demand::Demand;
use crate::call::Call;
use crate::respond::json::Answer;
use crate::respond::render::ErrorForm;

/// The future of a handler.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One route: what it is for, what it demands, and what it takes.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The name of the operation: the label of metrics, and `operationId` of the OpenAPI document.
    pub operation: &'static str,
    /// What it demands of the caller.
    pub demand: Demand,
    /// The form of its failures.
    pub errors: ErrorForm,
    /// The body that it takes.
    pub takes: Takes,
    pub(crate) handler: fn(Call) -> Answering,
}

/// The body that a route takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// None. A body is not read.
    Nothing,
    /// A form.
    Form,
    /// JSON of at most this number of bytes.
    Json {
        /// The maximum length in bytes.
        max_bytes: usize,
    },
}

/// The maximum length of a form in bytes.
const MAX_FORM_BYTES: usize = 32 * 1024;

impl Takes {
    /// Returns the maximum length of the body in bytes.
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Form => MAX_FORM_BYTES,
            Self::Json { max_bytes } => max_bytes,
        }
    }

    /// Returns the type that the body has to have.
    pub const fn content_type(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Form => Some("application/x-www-form-urlencoded"),
            Self::Json { .. } => Some("application/json"),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} demands {:?}", self.method, self.path, self.demand)
    }
}
