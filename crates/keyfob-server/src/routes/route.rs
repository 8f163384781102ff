//! One route as data.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::Method;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::reply::{Content, FormBody, JsonBody, Reply};
use crate::access::demand::Demand;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::parameter::{Parameter, schema_of};
use crate::respond::json::Answer;
use crate::respond::render::ErrorForm;

/// The future of a handler.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The function that answers the requests of a route.
pub(crate) type Handler = fn(Call) -> Answering;

/// One route: what it is for, what it demands, what it takes and what it answers.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The name of the operation: the label of metrics, and `operationId` of the OpenAPI document.
    pub operation: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// The group that it belongs to.
    pub tag: Tag,
    /// What it demands of the caller.
    pub demand: Demand,
    /// The form of its failures.
    pub errors: ErrorForm,
    /// The body that it takes.
    pub takes: Takes,
    /// The parameters of the query.
    pub(crate) query: &'static [Parameter],
    /// Whether a query with another parameter is refused before the handler runs.
    pub(crate) is_query_checked: bool,
    /// The headers that it reads, besides those of every request.
    pub(crate) headers: &'static [Parameter],
    /// The body of JSON that it takes.
    pub(crate) json: Option<JsonBody>,
    /// The forms that it takes: a request sends one of them.
    pub(crate) forms: &'static [FormBody],
    /// What it answers.
    pub(crate) replies: Vec<Reply>,
    /// The statuses of its failures, besides those that follow from the rest of the row.
    pub(crate) failures: &'static [u16],
    pub(crate) handler: Handler,
}

/// A group of routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// The endpoints of OAuth.
    OAuth,
    /// The life of tokens.
    Tokens,
    /// Verdicts on bearer tokens.
    Validation,
    /// Revocation of many tokens.
    Revocation,
    /// What happened.
    Events,
    /// Streams of security event tokens.
    Signals,
    /// What an edge asks.
    Edge,
    /// What operators read.
    Operations,
    /// Health, metrics, and the description of the service.
    Service,
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

impl Tag {
    /// All of them, in the order of the document.
    pub const ALL: [Self; 9] = [
        Self::OAuth,
        Self::Tokens,
        Self::Validation,
        Self::Revocation,
        Self::Events,
        Self::Signals,
        Self::Edge,
        Self::Operations,
        Self::Service,
    ];

    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Tokens => "tokens",
            Self::Validation => "validation",
            Self::Revocation => "revocation",
            Self::Events => "events",
            Self::Signals => "signals",
            Self::Edge => "edge",
            Self::Operations => "operations",
            Self::Service => "service",
        }
    }

    /// Returns what the routes of the group are for.
    pub const fn about(self) -> &'static str {
        match self {
            Self::OAuth => "The endpoints of OAuth, for clients and resource servers.",
            Self::Tokens => "The life of tokens: issue, read, change, rotate, derive, revoke.",
            Self::Validation => "Verdicts on bearer tokens, for gateways and services.",
            Self::Revocation => "Revocation by everything that names tokens.",
            Self::Events => "What happened, by page or as a stream.",
            Self::Signals => {
                "Shared Signals: security event tokens for other services, pushed or polled."
            }
            Self::Edge => "What an edge asks: a server that validates by itself, and has no store.",
            Self::Operations => "What operators read: statistics, limits, keys, findings.",
            Self::Service => "Health, readiness, metrics, and this description.",
        }
    }
}

/// Building a row of the table.
impl Route {
    /// Returns a route that everybody may ask, that takes nothing and whose failures are problem
    /// documents.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        operation: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path,
            operation,
            summary: "",
            tag: Tag::Service,
            demand: Demand::Public,
            errors: ErrorForm::Problem,
            takes: Takes::Nothing,
            query: &[],
            is_query_checked: false,
            headers: &[],
            json: None,
            forms: &[],
            replies: Vec::new(),
            failures: &[],
            handler,
        }
    }

    pub(super) fn about(self, tag: Tag, summary: &'static str) -> Self {
        Self { tag, summary, ..self }
    }

    pub(super) fn demands(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    pub(super) fn scope(self, scope: ManagementScope) -> Self {
        self.demands(Demand::Scope(scope))
    }

    /// The query may have these parameters and no others.
    pub(super) fn query(self, parameters: &'static [Parameter]) -> Self {
        Self { query: parameters, is_query_checked: true, ..self }
    }

    /// The query may have these parameters, and the handler reads it.
    pub(super) fn describes_query(self, parameters: &'static [Parameter]) -> Self {
        Self { query: parameters, ..self }
    }

    pub(super) fn headers(self, headers: &'static [Parameter]) -> Self {
        Self { headers, ..self }
    }

    /// The failures have the form of OAuth.
    pub(super) fn takes_forms(self, forms: &'static [FormBody]) -> Self {
        Self { forms, takes: Takes::Form, errors: ErrorForm::OAuth, ..self }
    }

    pub(super) fn takes_json<T: JsonSchema + DeserializeOwned>(
        self,
        max_bytes: usize,
        example: &'static str,
    ) -> Self {
        let json = Some(JsonBody::of::<T>(example));
        Self { takes: Takes::Json { max_bytes }, json, ..self }
    }

    /// Answers with JSON of the type `T`.
    pub(super) fn answers<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.reply(Reply { status, about, content: Content::Json(schema_of::<T>), headers: &[] })
    }

    pub(super) fn reply(mut self, reply: Reply) -> Self {
        self.replies.push(reply);
        self
    }

    pub(super) fn may_fail(self, failures: &'static [u16]) -> Self {
        Self { failures, ..self }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} demands {:?}", self.method, self.path, self.demand)
    }
}
