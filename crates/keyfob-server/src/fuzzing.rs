//! The properties of the parsers of requests for any input. Fuzz targets and tests run them. Each
//! panics if a property is violated, and returns whether the parser accepted the input.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use keyfob::manager::PageCursor;
use keyfob::store::Cursor;
use keyfob::token::ClientKey;
use keyfob::{InvalidValue, Timestamp, Ttl};
use keyfob_api::signals::{
    ChangeStreamBody, CreateStreamBody, PollBody, StreamStatusBody, StreamSubjectBody,
    VerifyStreamBody,
};
use keyfob_api::webhook::{CreateWebhookBody, RotateWebhookBody, UpdateWebhookBody};
use keyfob_api::{
    DeriveBody, ExplainBody, GithubLeak, GrantSpec, IntrospectBody, LeaksBody, OneOrMany,
    RevokeBody, RotateBody, UpdateBody, ValidateBody, json,
};
use keyfob_tower::{CertificateHeader, TrustedProxies};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::credentials::Credentials;
use crate::form::Form;
use crate::leaks::GithubKeys;
use crate::query::Query;
use crate::v1::input::query_filter;
use crate::v1::parameters::{BIND, CURSOR, FILTER, MAX_TIME, ORDER, PAGE_LIMIT};

/// A form that is written again is read as the same form.
pub fn form(bytes: &[u8]) -> bool {
    let Ok(form) = Form::parse(bytes) else { return false };
    let mut written = form_urlencoded::Serializer::new(String::new());
    // A parameter that may be repeated has its name there once for each value.
    let names: BTreeSet<_> = form.names().collect();
    for name in &names {
        for value in form.get_all(name) {
            written.append_pair(name, value);
        }
    }
    let again = Form::parse(written.finish().as_bytes()).expect("a written form is valid");
    for name in names {
        assert!(form.get_all(name).eq(again.get_all(name)), "a value has changed");
    }
    true
}

/// Credentials are read from one or more headers and a form, which lines separate: the last line is
/// the form. Their debug text has no secret.
pub fn credentials(bytes: &[u8]) -> bool {
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let Some(Ok(form)) = lines.pop().map(Form::parse) else { return false };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line) else { return false };
        headers.append(AUTHORIZATION, value);
    }
    // Where there is no form, the header alone counts.
    let by_header = Credentials::read(&headers, None);
    let Ok(Some(credentials)) = Credentials::read(&headers, Some(&form)) else { return false };
    match &credentials {
        Credentials::Form { .. } | Credentials::ClientId(_) | Credentials::Assertion { .. } => {
            assert!(matches!(by_header, Ok(None)), "a header was ignored");
            let ways = ["client_secret", "client_assertion"].map(|name| form.get(name).is_some());
            assert_ne!(ways, [true; 2], "two ways to authenticate were accepted");
        }
        Credentials::Basic { .. } | Credentials::Bearer(_) => {
            assert!(by_header == Ok(Some(credentials.clone())), "the form has changed the header");
            for name in ["client_secret", "client_assertion"] {
                assert_eq!(form.get(name), None, "two ways to authenticate were accepted");
            }
        }
    }
    assert!(format!("{credentials:?}").len() <= "Assertion".len(), "the debug text has a value");
    true
}

/// The parameters of a query are in their bounds, and no other parameter is accepted.
pub fn query(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let known = &[FILTER, BIND, PAGE_LIMIT, MAX_TIME, CURSOR, ORDER];
    let Ok(query) = Query::parse(text, known) else { return false };
    let limit = query.number(&PAGE_LIMIT);
    assert!(limit.as_ref().is_ok_and(|limit| (1..=1_000).contains(limit)) || limit.is_err());
    let cursor = query.value::<PageCursor>(&CURSOR);
    let max_time = query.value::<Ttl>(&MAX_TIME);
    let filter = query_filter(&query, Timestamp::from_millis(1_800_000_000_000));
    let is_paged = limit.is_ok() && cursor.is_ok() && max_time.is_ok();
    is_paged && query.word(&ORDER).is_ok() && filter.is_ok()
}

/// A body of any route that is written again is read as the same body.
pub fn body(bytes: &[u8]) -> bool {
    let accepted = [
        is_kept::<OneOrMany<GrantSpec>>(bytes),
        is_kept::<OneOrMany<ValidateBody>>(bytes),
        is_kept::<UpdateBody>(bytes),
        is_kept::<DeriveBody>(bytes),
        is_kept::<RotateBody>(bytes),
        is_kept::<ExplainBody>(bytes),
        is_kept::<IntrospectBody>(bytes),
        is_kept::<RevokeBody>(bytes),
        is_kept::<PollBody>(bytes),
        is_kept::<CreateStreamBody>(bytes),
        is_kept::<ChangeStreamBody>(bytes),
        is_kept::<StreamStatusBody>(bytes),
        is_kept::<VerifyStreamBody>(bytes),
        is_kept::<StreamSubjectBody>(bytes),
        is_kept::<CreateWebhookBody>(bytes),
        is_kept::<UpdateWebhookBody>(bytes),
        is_kept::<RotateWebhookBody>(bytes),
        is_kept::<LeaksBody>(bytes),
        json::parse::<Vec<GithubLeak>>(bytes).is_ok(),
    ];
    accepted.contains(&true)
}

/// What a proxy says of a certificate counts if the proxy is trusted, and names one certificate.
pub fn certificate(bytes: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return false };
    let proxy = IpAddr::from([127, 0, 0, 1]);
    let trusted = TrustedProxies::x_forwarded_for(["127.0.0.1"]).expect("a network");
    let mut is_read = false;
    for (header, name) in [
        (CertificateHeader::ClientCert, "client-cert"),
        (CertificateHeader::XForwardedClientCert, "x-forwarded-client-cert"),
        (CertificateHeader::SslClientCert, "ssl-client-cert"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.clone());
        let read = |proxies: &TrustedProxies, headers: &HeaderMap| {
            proxies.client_certificate(Some(proxy), None, Some(header), headers)
        };
        let Some(found) = read(&trusted, &headers) else { continue };
        is_read = true;
        assert_eq!(found.thumbprint().as_str().len(), 43, "a SHA-256 digest in base64url");
        assert_eq!(read(&TrustedProxies::none(), &headers), None, "anyone writes a header");
        headers.append(name, value.clone());
        assert_eq!(read(&trusted, &headers), None, "a client has one certificate");
    }
    is_read
}

/// A key of a client is the same when it is written again; and any bytes are read as the keys of GitHub.
pub fn keys(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let is_list = GithubKeys::parse(&text).is_ok();
    let Ok(key) = ClientKey::from_json(&text) else { return is_list };
    assert_eq!(ClientKey::from_json(&key.to_json()).as_ref(), Ok(&key));
    true
}

fn is_kept<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(body) = json::parse::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&body).expect("a body can be written");
    let again: T = json::parse(&written).expect("a written body is valid");
    assert_eq!(serde_json::to_vec(&again).expect("a body can be written"), written);
    true
}

/// A cursor or a resume token that is written again is the same.
pub fn cursor(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    is_same::<PageCursor>(text) | is_same::<Cursor>(text)
}

fn is_same<T: FromStr<Err = InvalidValue> + Display>(text: &str) -> bool {
    let Ok(cursor) = text.parse::<T>() else { return false };
    let written = cursor.to_string();
    let again = written.parse::<T>().map(|again| again.to_string());
    assert_eq!(again, Ok(written), "a written cursor is valid");
    true
}
