//! From a request to the function of its page, and from its answer to a response.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Response};
use http_body_util::{BodyExt as _, Limited};
use keyfob_client::Client;

use crate::fields::Fields;
use crate::reply::Reply;
use crate::routes::{Asks, Found, Route, find};
use crate::session::{cookie, kept::Kept, origin, sign_in};
use crate::shared::{Shared, origin_of};
use crate::shell::{assets, headers, page};
use crate::trouble::Trouble;
use crate::visit::{Viewer, Visit};

/// The maximum length of a form in bytes.
const MAX_FORM_BYTES: usize = 256 * 1024;

/// Answers a request for a page, or for a script or a style.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(asset) = assets::at(parts.uri.path()) {
        return assets::answer(asset);
    }
    let outcome = match find(&parts.method, parts.uri.path()) {
        Found::Nothing => Err(Trouble::NotFound),
        Found::OtherMethod => Err(Trouble::WrongMethod),
        Found::Page(route, named) => {
            return show(shared, route, named, parts, body).await;
        }
    };
    render(outcome, None)
}

async fn show(
    shared: Arc<Shared>,
    route: &Route,
    named: std::collections::BTreeMap<&'static str, String>,
    parts: Parts,
    body: Body,
) -> Response<Body> {
    let mut kept = Kept::of(&parts);
    let visit = prepare(shared, route, named, parts, body, &mut kept).await;
    let (outcome, viewer) = match visit {
        Ok(visit) => {
            let viewer = visit.viewer.clone();
            ((route.handler)(visit).await, viewer)
        }
        Err(trouble) => (Err(trouble), None),
    };
    match outcome {
        Err(Trouble::SignedOut) => render(Ok(sign_in::page(kept, None)), None),
        outcome => render(outcome, viewer.as_ref()),
    }
}

/// Checks where a request comes from, reads its form, and asks the API who looks.
async fn prepare(
    shared: Arc<Shared>,
    route: &Route,
    named: std::collections::BTreeMap<&'static str, String>,
    parts: Parts,
    body: Body,
    kept: &mut Kept,
) -> Result<Visit, Trouble> {
    let mut form = Fields::default();
    if route.method != Method::GET {
        if !origin::is_own(&parts) {
            return Err(Trouble::ForeignOrigin);
        }
        form = read_form(&parts, body).await?;
        kept.remember(&form);
    }
    let bearer = cookie::bearer(&parts.headers);
    let api = client(&shared, &parts, bearer.as_deref().filter(|_| route.asks == Asks::Session))?;
    let viewer = match (route.asks, bearer) {
        (Asks::Nothing, _) => None,
        (Asks::Session, None) => return Err(Trouble::SignedOut),
        (Asks::Session, Some(_)) => Some(Viewer(api.caller().await?)),
    };
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let now = shared.now();
    Ok(Visit {
        shared,
        named,
        query,
        form,
        headers: parts.headers,
        extensions: parts.extensions,
        api,
        viewer,
        now,
    })
}

async fn read_form(parts: &Parts, body: Body) -> Result<Fields, Trouble> {
    let given = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Trouble::BadForm("The console takes forms only."));
    }
    match Limited::new(body, MAX_FORM_BYTES).collect().await {
        Ok(form) => Ok(Fields::parse(&form.to_bytes())),
        Err(_) => Err(Trouble::BadForm("The form is too long, or did not arrive.")),
    }
}

/// Returns a client of the API that speaks for a request, with these credentials.
fn client(shared: &Shared, parts: &Parts, bearer: Option<&str>) -> Result<Client, Trouble> {
    Ok(shared.client(origin_of(&parts.headers, &parts.extensions), bearer)?)
}

fn render(outcome: Result<Reply, Trouble>, viewer: Option<&Viewer>) -> Response<Body> {
    let mut response = match outcome {
        Ok(Reply::Page(content)) => {
            let status = content.status;
            page::response(status, page::whole(content, viewer))
        }
        Ok(Reply::Stream(content, rest)) => {
            let status = content.status;
            page::streamed(status, page::whole(content, viewer), rest)
        }
        Ok(Reply::Bare { title, status, body }) => page::response(status, page::bare(title, body)),
        Ok(Reply::SeeOther(path)) => page::see_other(&path),
        Ok(Reply::Whole(response)) => response,
        Err(trouble) => page::response(trouble.status(), page::trouble(&trouble, viewer)),
    };
    headers::add_missing(response.headers_mut());
    response
}
