//! A verdict as a check response of Envoy.
//!
//! The identity is in headers for the service behind Envoy, and in dynamic metadata (namespace
//! `envoy.filters.http.ext_authz`) for other filters, routes and access logs. Envoy removes what a
//! client sends in the headers of an identity.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keyfob::cache::ActiveToken;
use keyfob_tower::write_rate_limit;
use tonic::Code;

use super::messages::{
    CheckResponse, DeniedHttpResponse, Field, HeaderAppendAction, HeaderValueOption, HttpResponse,
    HttpStatus, Kind, ListValue, OkHttpResponse, SetHeader, Status, Struct, Value,
};
use crate::gateway::identity::{self, NAMES};
use crate::gateway::verdict::{Allowed, Denial, Verdict};

/// The identity of a token, in the messages of Envoy.
#[derive(Debug)]
pub(super) struct Identity {
    headers: Vec<HeaderValueOption>,
    headers_to_remove: Vec<Bytes>,
    metadata: Struct,
}

impl Identity {
    /// Reads the identity where the token is.
    pub(super) fn of(token: &ActiveToken<'_>) -> Self {
        let (mut headers, mut headers_to_remove) = (Vec::with_capacity(NAMES.len()), Vec::new());
        for (name, value) in NAMES.into_iter().zip(identity::values(token)) {
            let name = Bytes::from_static(name.as_bytes());
            // Envoy removes after it has set: only what is not set may be removed.
            match value.is_empty() {
                true => headers_to_remove.push(name),
                false => headers.push(option(name, value)),
            }
        }
        Self { headers, headers_to_remove, metadata: metadata(token) }
    }
}

/// Returns the check response of a verdict, with the status that the client gets.
pub(super) fn render(verdict: Verdict<Identity>) -> (StatusCode, CheckResponse) {
    match verdict {
        Verdict::Allowed(allowed) => (StatusCode::OK, ok(allowed)),
        Verdict::Denied(denial) => denied(denial),
    }
}

fn ok(allowed: Allowed<Identity>) -> CheckResponse {
    let Allowed { identity: Identity { headers, headers_to_remove, metadata }, limits } = allowed;
    let mut limit_headers = HeaderMap::new();
    if let Some(verdict) = &limits {
        write_rate_limit(verdict, &mut limit_headers);
    }
    let response_headers_to_add = options(&limit_headers);
    let response = OkHttpResponse { headers, headers_to_remove, response_headers_to_add };
    CheckResponse {
        status: Some(status(Code::Ok)),
        dynamic_metadata: Some(metadata),
        http_response: Some(HttpResponse::Ok(response)),
    }
}

fn denied(denial: Denial) -> (StatusCode, CheckResponse) {
    let (parts, body) = denial.response().into_parts();
    let code = match parts.status.as_u16() {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        429 => Code::ResourceExhausted,
        500 => Code::Internal,
        503 => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: i32::from(parts.status.as_u16()) }),
        headers: options(&parts.headers),
        body,
    };
    let response = CheckResponse {
        status: Some(status(code)),
        dynamic_metadata: None,
        http_response: Some(HttpResponse::Denied(response)),
    };
    (parts.status, response)
}

fn status(code: Code) -> Status {
    Status { code: code.into() }
}

/// Returns headers that replace those of the same name.
fn options(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let shown = headers.iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    shown.map(|(name, value)| option(copy(name.as_str()), copy(value))).collect()
}

fn option(key: Bytes, value: Bytes) -> HeaderValueOption {
    let append_action = HeaderAppendAction::OverwriteIfExistsOrAdd.into();
    HeaderValueOption { header: Some(SetHeader { key, value }), append_action }
}

fn copy(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Returns the identity as a struct. Its values are not encoded.
fn metadata(token: &ActiveToken<'_>) -> Struct {
    let text = |text: &str| Kind::String(copy(text));
    let list = |names: &mut dyn Iterator<Item = &str>| {
        Kind::List(ListValue { values: names.map(|name| value(text(name))).collect() })
    };
    // In the order of their names.
    let fields = [
        ("audiences", Some(list(&mut token.audiences()))),
        ("client", token.client().map(text)),
        // A number of a struct is a double: exact for these seconds.
        ("expires_at", token.expires_at().map(|at| Kind::Number(at.as_secs() as f64))),
        ("issuer", token.issuer().map(text)),
        ("kind", Some(Kind::String(Bytes::from_static(token.kind().as_str().as_bytes())))),
        ("scopes", Some(list(&mut token.scopes()))),
        ("subject", token.subject().map(text)),
        ("token_id", Some(Kind::String(token.id().to_string().into()))),
    ];
    let field = |(name, kind): (&'static str, Option<Kind>)| {
        let key = Bytes::from_static(name.as_bytes());
        Some(Field { key, value: Some(value(kind?)) })
    };
    Struct { fields: fields.into_iter().filter_map(field).collect() }
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}
