//! The document around the content of a page.

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Section, assets};
use crate::progress;
use crate::reply::Page;
use crate::trouble::Trouble;
use crate::visit::Viewer;
use crate::widget::{call, text};

/// Returns a whole page.
pub(crate) fn whole(page: Page, viewer: Option<&Viewer>) -> Markup {
    let content = html! {
        (page.body)
        (call::all(&page.calls))
    };
    document(&page.title, page.section, viewer, content)
}

/// Returns a page without navigation.
pub(crate) fn bare(title: &str, body: Markup) -> Markup {
    document(title, None, None, body)
}

/// Returns the page that says why another one cannot be shown.
pub(crate) fn trouble(trouble: &Trouble, viewer: Option<&Viewer>) -> Markup {
    let content = html! {
        h1 { (trouble.title()) }
        p.wrong role="alert" { (text::visible(&trouble.detail())) }
        @if let Trouble::Api(error) = trouble {
            p.quiet {
                "Code " code { (text::visible(error.code())) }
                @if let Some(id) = error.request_id() { ", request " code { (text::visible(id)) } }
                ". The log of the server has the same id."
            }
        }
        p { a.button href="/console" { "Overview" } }
    };
    document(trouble.title(), None, viewer, content)
}

fn document(
    title: &str,
    section: Option<Section>,
    viewer: Option<&Viewer>,
    content: Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text::visible(title)) " – keyfob" }
                link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
                link rel="stylesheet" href=(assets::address("console.css"));
                script type="module" src=(assets::address("console.js")) {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.top {
                    a.brand href="/console" { "keyfob" }
                    @if let Some(viewer) = viewer { (navigation(section, viewer)) }
                }
                @if viewer.is_some() { (progress::unfinished()) }
                main #content tabindex="-1" { (content) }
                @if let Some(viewer) = viewer { (keys_dialog(viewer)) }
                div #status .visually-hidden role="status" aria-live="polite" {}
            }
        }
    }
}

fn sections(viewer: &Viewer) -> impl Iterator<Item = Section> {
    Section::ALL.into_iter().filter(|section| viewer.may(section.scope()))
}

fn navigation(here: Option<Section>, viewer: &Viewer) -> Markup {
    html! {
        nav aria-label="Main" {
            ul {
                @for section in sections(viewer) {
                    li {
                        a href=(section.path()) data-go=(section.key()) data-name=(section.name())
                            aria-current=[(here == Some(section)).then_some("page")] { (section.name()) }
                    }
                }
            }
        }
        @if viewer.may("keyfob:read") {
            form.find method="get" action="/console/find" role="search" aria-label="Find a person" {
                label.visually-hidden for="person" { "Person: the subject, the whole of it" }
                input #person type="text" name="subject" placeholder="Find a person: subject" required
                    autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="256";
                button.small type="submit" { "Go" }
            }
        }
        form.who method="post" action="/console/sign-out" {
            span.quiet title="The client of your key" { (text::visible(&viewer.name())) }
            button.small type="submit" { "Sign out" }
        }
    }
}

/// The keys that work on every page. A script opens it.
fn keys_dialog(viewer: &Viewer) -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            dl.facts {
                dt { kbd { "/" } } dd { "the filter" }
                @if viewer.may("keyfob:read") { dt { kbd { "p" } } dd { "find a person" } }
                dt { kbd { "?" } } dd { "this list" }
                dt { kbd { "Esc" } } dd { "close, or leave a field" }
                @for section in sections(viewer) {
                    dt { kbd { "g" } " " kbd { (section.key()) } } dd { (section.name()) }
                }
            }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}

/// Returns a response with a page.
pub(crate) fn response(status: u16, page: Markup) -> Response<Body> {
    let mut response = Response::new(Body::from(page.into_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// Marks the place in a page where pieces follow that are not there yet.
const REST: &str = "<!-- rest -->";

/// Marks the place in a page where the pieces of `Reply::Stream` go.
pub(crate) fn rest_here() -> Markup {
    PreEscaped(REST.to_owned())
}

/// Returns a response with a page whose pieces come one by one.
pub(crate) fn streamed(
    status: u16,
    page: Markup,
    rest: impl Stream<Item = Markup> + Send + 'static,
) -> Response<Body> {
    // A store in memory answers without a pause, so nothing would be sent before everything is there.
    let rest = stream::once(async move {
        tokio::task::yield_now().await;
        rest
    });
    let rest = rest.flatten();
    let page = page.into_string();
    let (before, after) = page.split_once(REST).unwrap_or((&page, ""));
    let pieces = stream::iter([before.to_owned()])
        .chain(rest.map(Markup::into_string))
        .chain(stream::iter([after.to_owned()]));
    let mut response = response(status, html! {});
    *response.body_mut() = Body::from_stream(
        pieces.map(|piece| Ok::<_, std::convert::Infallible>(Bytes::from(piece))),
    );
    response
}

/// Returns a response that leads to another page.
pub(crate) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/console"));
    response.headers_mut().insert(LOCATION, path);
    response
}
