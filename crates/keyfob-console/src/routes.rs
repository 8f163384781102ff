//! The list of all pages.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::reply::Answer;
use crate::shared::PREFIX;
use crate::visit::Visit;
use crate::{
    bearer_page, clients, keys_page, live, overview, revoke_many, session, subject_page,
    token_list, token_page, webhooks,
};

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One page.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path below the console, with names of its open parts in braces.
    path: &'static str,
    pub(crate) asks: Asks,
    pub(crate) handler: fn(Visit) -> Answering,
}

/// Who may ask for a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    /// Everybody.
    Nothing,
    /// A person who has signed in.
    Session,
}

macro_rules! page {
    ($method:ident $path:literal => $($handler:ident)::+) => {
        page!($method $path, Session => $($handler)::+)
    };
    ($method:ident $path:literal, $asks:ident => $($handler:ident)::+) => {
        Route {
            method: Method::$method,
            path: $path,
            asks: Asks::$asks,
            handler: |visit| Box::pin($($handler)::+(visit)),
        }
    };
}

/// All pages. Scripts and styles are beside them: see `shell::assets`.
pub(crate) const ROUTES: &[Route] = &[
    page!(GET "/sign-in", Nothing => session::sign_in::show),
    page!(POST "/sign-in", Nothing => session::sign_in::submit),
    page!(POST "/sign-out" => session::sign_out::submit),
    page!(GET "" => overview::show),
    page!(GET "/tokens" => token_list::show),
    page!(GET "/tokens.csv" => token_list::csv),
    page!(GET "/tokens.jsonl" => token_list::json_lines),
    page!(GET "/bearer" => bearer_page::show),
    page!(POST "/bearer" => bearer_page::submit),
    page!(GET "/keys" => keys_page::show),
    page!(POST "/keys/reseal" => keys_page::reseal),
    page!(GET "/webhooks" => webhooks::list),
    page!(GET "/webhooks/{webhook}" => webhooks::one),
    page!(POST "/webhooks/{webhook}/test" => webhooks::test),
    page!(POST "/webhooks/{webhook}/enable" => webhooks::enable),
    page!(POST "/webhooks/{webhook}/disable" => webhooks::disable),
    page!(POST "/webhooks/{webhook}/dead-letters/{letter}/send" => webhooks::send_letter),
    page!(POST "/webhooks/{webhook}/dead-letters/{letter}/drop" => webhooks::drop_letter),
    page!(GET "/live" => live::show),
    page!(GET "/live/stream" => live::stream),
    page!(GET "/live/observations" => live::observations),
    page!(GET "/tokens/{id}" => token_page::show),
    page!(GET "/tokens/{id}/explain" => token_page::explain),
    page!(POST "/tokens/{id}/metadata" => token_page::change_metadata),
    page!(GET "/tokens/{id}/rotate" => token_page::confirm_rotation),
    page!(POST "/tokens/{id}/rotate" => token_page::rotate),
    page!(GET "/tokens/{id}/revoke" => token_page::confirm_revocation),
    page!(POST "/tokens/{id}/revoke" => token_page::revoke),
    page!(GET "/find" => subject_page::find),
    page!(GET "/subjects/{subject}" => subject_page::show),
    page!(GET "/clients" => clients::list),
    page!(GET "/find/client" => clients::find),
    page!(GET "/clients/{client}" => clients::one),
    page!(GET "/revoke" => revoke_many::show),
    page!(POST "/revoke" => revoke_many::submit),
    page!(GET "/revoke/done" => revoke_many::done),
];

/// What is at a path.
pub(crate) enum Found {
    /// A page, with the open parts of its path.
    Page(&'static Route, BTreeMap<&'static str, String>),
    /// Pages for other methods.
    OtherMethod,
    Nothing,
}

/// Returns what is at a path of the server. `HEAD` is answered as `GET`.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let Some(path) = path.strip_prefix(PREFIX) else { return Found::Nothing };
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut found = Found::Nothing;
    for route in ROUTES {
        let Some(named) = matched(route.path, path) else { continue };
        if route.method == *method {
            return Found::Page(route, named);
        }
        found = Found::OtherMethod;
    }
    found
}

/// Returns the open parts of a path, decoded, if it has this form.
fn matched(form: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut form, mut path) = (form.split('/'), path.split('/'));
    let mut named = BTreeMap::new();
    loop {
        match (form.next(), path.next()) {
            (None, None) => return Some(named),
            (Some(known), Some(part)) => {
                match known.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => {
                        let text = percent_decode_str(part).decode_utf8().ok()?;
                        named.insert(name, text.into_owned());
                    }
                    None if known == part => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_parts_of_a_path_are_decoded() {
        let named = matched("/subjects/{subject}/revoke", "/subjects/a%2Fb%20c/revoke").unwrap();
        assert_eq!(named["subject"], "a/b c");
        assert!(matched("/subjects/{subject}", "/subjects").is_none());
        assert!(matched("/subjects/{subject}", "/subjects/a/b").is_none());
        assert!(matched("/tokens", "/tokens/").is_some());
        assert!(matched("/subjects/{subject}", "/subjects/%ff").is_none());
    }

    #[test]
    fn each_page_is_there_once() {
        let all: std::collections::BTreeSet<_> =
            ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
        assert_eq!(all.len(), ROUTES.len());
    }

    #[test]
    fn only_signing_in_asks_for_no_session() {
        for route in ROUTES {
            assert_eq!(route.asks == Asks::Nothing, route.path == "/sign-in", "{}", route.path);
        }
    }
}
