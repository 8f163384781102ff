//! Passes events of the API on to the script of the page: a stream of server-sent events, and pages of
//! observations.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;

use crate::fields::link;
use crate::reply::{Answer, Reply};
use crate::session::cookie;
use crate::shared::origin_of;
use crate::trouble::Trouble;
use crate::visit::Visit;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Answers with events as they happen. A browser that connects again says which one it saw last, so
/// there is no gap.
pub(crate) async fn stream(visit: Visit) -> Answer {
    pass_on(&visit, &["type", "after"], "", "text/event-stream").await
}

/// Answers with one page of observations: the JSON of the API.
pub(crate) async fn observations(visit: Visit) -> Answer {
    pass_on(&visit, &["after", "limit"], "true", "application/json").await
}

async fn pass_on(
    visit: &Visit,
    parameters: &[&str],
    observations: &str,
    accept: &'static str,
) -> Answer {
    let mut query: Vec<_> =
        parameters.iter().map(|name| (*name, visit.query.text(name).unwrap_or_default())).collect();
    query.push(("observations", observations));
    let mut request = Request::get(link("/v1/events", &query))
        .header(ACCEPT, accept)
        .body(Full::<Bytes>::default())
        .map_err(|_| Trouble::NotFound)?;
    let bearer = cookie::bearer(&visit.headers).ok_or(Trouble::SignedOut)?;
    let mut authorization =
        HeaderValue::try_from(format!("Bearer {bearer}")).map_err(|_| Trouble::SignedOut)?;
    authorization.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, authorization);
    if let Some(last) = visit.headers.get(&LAST_EVENT_ID) {
        request.headers_mut().insert(LAST_EVENT_ID, last.clone());
    }
    let origin = origin_of(&visit.headers, &visit.extensions);
    Ok(Reply::Whole(visit.shared.pass_on(origin, request).await))
}
