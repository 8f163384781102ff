//! A verdict as a check response of Envoy.
//!
//! The identity is in headers for the service behind Envoy, and in dynamic metadata (namespace
//! `envoy.filters.http.ext_authz`) for other filters, routes and access logs. Envoy removes what a
//! client sends in the headers of an identity.

use http::{HeaderMap, StatusCode};
use keyfob::Token;
use keyfob_tower::write_rate_limit;
use tonic::Code;

use super::messages::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue, HeaderValueOption,
    HttpResponse, HttpStatus, Kind, ListValue, OkHttpResponse, Status, Struct, Value,
};
use super::unary::Answered;
use crate::gateway::identity;
use crate::gateway::verdict::{Allowed, Denial, Verdict};

/// Returns the check response of a verdict, with the status that the client gets.
pub(super) fn render(verdict: Verdict) -> (Answered, CheckResponse) {
    match verdict {
        Verdict::Allowed(allowed) => (Answered(StatusCode::OK), ok(&allowed)),
        Verdict::Denied(denial) => denied(denial),
    }
}

fn ok(allowed: &Allowed) -> CheckResponse {
    // Envoy removes after it has set: only what is not set may be removed.
    let (unset, headers): (HeaderMap, HeaderMap) =
        identity::headers(&allowed.token).partition(|(_, value)| value.is_empty());
    let mut limits = HeaderMap::new();
    if let Some(verdict) = &allowed.limits {
        write_rate_limit(verdict, &mut limits);
    }
    let response = OkHttpResponse {
        headers: options(&headers),
        headers_to_remove: unset.keys().map(ToString::to_string).collect(),
        response_headers_to_add: options(&limits),
    };
    CheckResponse {
        status: Some(status(Code::Ok)),
        dynamic_metadata: Some(metadata(&allowed.token)),
        http_response: Some(HttpResponse::Ok(response)),
    }
}

fn denied(denial: Denial) -> (Answered, CheckResponse) {
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
    (Answered(parts.status), response)
}

fn status(code: Code) -> Status {
    Status { code: code.into() }
}

/// Returns headers that replace those of the same name.
fn options(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let option = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = value.to_str().ok()?.to_owned();
        Some(HeaderValueOption {
            header: Some(HeaderValue { key: name.to_string(), value, ..HeaderValue::default() }),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        })
    };
    headers.iter().filter_map(option).collect()
}

/// Returns the identity as a struct. Its values are not encoded.
fn metadata(token: &Token) -> Struct {
    let text = |text: &str| Kind::String(text.to_owned());
    let list = |names: Vec<&str>| {
        let values = names.into_iter().map(|name| Value { kind: Some(text(name)) }).collect();
        Kind::List(ListValue { values })
    };
    let fields = [
        ("token_id", Some(text(&token.id.to_string()))),
        ("kind", Some(text(token.kind.as_str()))),
        ("subject", token.subject.as_ref().map(|subject| text(subject.as_str()))),
        ("client", token.client.as_ref().map(|client| text(client.as_str()))),
        ("issuer", token.issuer.as_ref().map(|issuer| text(issuer.as_str()))),
        ("scopes", Some(list(token.scopes.iter().map(|scope| scope.as_str()).collect()))),
        ("audiences", Some(list(token.audiences.iter().map(|name| name.as_str()).collect()))),
        // A number of a struct is a double: exact for these seconds.
        ("expires_at", token.expires_at.map(|at| Kind::Number(at.as_secs() as f64))),
    ];
    let present = fields.into_iter().filter_map(|(name, kind)| Some((name.to_owned(), kind?)));
    Struct { fields: present.map(|(name, kind)| (name, Value { kind: Some(kind) })).collect() }
}
