//! The request that a task answers, for the lines of a log.
//!
//! A span for each request cost 6 % of a cached introspection, and most requests log nothing. So the request is
//! beside its task, and a log reads it when it writes a line.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;

use super::trace::TraceParent;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The request that the current task answers.
///
/// Give its [`fields`](RequestContext::fields) to each line that your log writes:
///
/// ```
/// use keyfob_server::RequestContext;
///
/// let line = RequestContext::with_current(|request| {
///     let fields = request.fields().map(|(name, value)| format!(" {name}={value}"));
///     fields.collect::<String>()
/// });
/// assert_eq!(line, None, "this is no request");
/// ```
#[derive(Debug)]
pub struct RequestContext {
    route: &'static str,
    ids: OnceLock<Ids>,
}

#[derive(Debug)]
struct Ids {
    request: Arc<str>,
    /// The ids of the trace and of the span of the caller.
    trace: Option<(String, String)>,
}

impl Ids {
    fn new(request: Arc<str>, headers: &HeaderMap) -> Self {
        let trace = TraceParent::of(headers)
            .map(|parent| (parent.trace_id.to_owned(), parent.parent_id.to_owned()));
        Self { request, trace }
    }
}

impl RequestContext {
    /// Returns the context of a request with this id, and with the trace that its headers name.
    pub(super) fn new(route: &'static str, id: Arc<str>, headers: &HeaderMap) -> Self {
        Self { route, ids: Ids::new(id, headers).into() }
    }

    /// Returns the context of a call of gRPC. Its ids are known once its message is read: see [`identify`].
    pub(super) fn of_call(route: &'static str) -> Self {
        Self { route, ids: OnceLock::new() }
    }

    /// Answers the request: what is logged meanwhile belongs to it.
    pub(super) fn scope<F: Future>(self, answering: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, answering)
    }

    /// Calls `read` with the request that the current task answers. Returns `None` if it answers none.
    pub fn with_current<T>(read: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(read).ok()
    }

    /// Returns what a line of a log about the request should have: `route`, which is the name of the operation;
    /// `request_id`; and if the request has a valid `traceparent`, `trace_id` and `parent_id`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ids = self.ids.get();
        let trace = ids.and_then(|ids| ids.trace.as_ref());
        let fields = [
            ("route", Some(self.route)),
            ("request_id", ids.map(|ids| &*ids.request)),
            ("trace_id", trace.map(|(trace, _)| trace.as_str())),
            ("parent_id", trace.map(|(_, parent)| parent.as_str())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Gives the call that this task answers its id, and the trace that its headers name. Only the first time
/// counts.
pub(crate) fn identify(id: Arc<str>, headers: &HeaderMap) {
    let _outside = RequestContext::with_current(|call| {
        let _first_counts = call.ids.set(Ids::new(id, headers));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::trace::TRACEPARENT;

    fn current() -> Option<Vec<(&'static str, String)>> {
        RequestContext::with_current(|request| {
            request.fields().map(|(name, value)| (name, value.to_owned())).collect()
        })
    }

    #[tokio::test]
    async fn a_task_knows_the_request_that_it_answers() {
        let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let value = format!("00-{trace}-{parent}-01").parse().unwrap();
        let headers = HeaderMap::from_iter([(TRACEPARENT, value)]);
        let seen =
            RequestContext::new("introspect", "r-1".into(), &headers).scope(async { current() });
        let expected = [
            ("route", "introspect"),
            ("request_id", "r-1"),
            ("trace_id", trace),
            ("parent_id", parent),
        ];
        assert_eq!(seen.await.unwrap(), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_call_is_identified_later() {
        let seen = RequestContext::of_call("check").scope(async {
            let before = current();
            identify("r-1".into(), &HeaderMap::new());
            identify("r-2".into(), &HeaderMap::new());
            (before, current())
        });
        let (before, after) = seen.await;
        assert_eq!(before.unwrap(), [("route", "check".to_owned())]);
        assert_eq!(after.unwrap()[1..], [("request_id", "r-1".to_owned())]);
    }
}
