//! What a page answers.

use std::pin::Pin;

use axum::body::Body;
use futures_util::{FutureExt as _, Stream, stream};
use http::Response;
use maud::Markup;

use crate::shell::Section;
use crate::trouble::Trouble;
use crate::widget::alert;
use crate::widget::call::ApiCall;

/// What a page answers, or why it cannot.
pub(crate) type Answer = Result<Reply, Trouble>;

/// What a page answers.
pub(crate) enum Reply {
    /// A page.
    Page(Page),
    /// A page whose content has a place where more follows, piece by piece: see `shell::page::rest_here`.
    Stream(Page, Pin<Box<dyn Stream<Item = Markup> + Send>>),
    /// Another page shows the result of a change.
    SeeOther(String),
    /// A page without the surroundings of the others: signing in.
    Bare { title: &'static str, status: u16, body: Markup },
    /// An answer that is complete.
    Whole(Response<Body>),
}

/// The content of a page, and what its surroundings have to know.
pub(crate) struct Page {
    pub(crate) title: String,
    /// Where it is in the navigation.
    pub(crate) section: Option<Section>,
    /// The calls of the API that do the same.
    pub(crate) calls: Vec<ApiCall>,
    pub(crate) status: u16,
    pub(crate) body: Markup,
}

impl Page {
    /// Creates a page. The title may not have a secret: browsers keep it.
    pub(crate) fn new(section: Section, title: impl Into<String>, body: Markup) -> Self {
        let (title, section) = (title.into(), Some(section));
        Self { title, section, calls: Vec::new(), status: 200, body }
    }

    /// Adds a call of the API that does the same.
    pub(crate) fn call(mut self, call: ApiCall) -> Self {
        self.calls.push(call);
        self
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

impl Reply {
    /// Returns a page whose rest follows when it is known, at the place that `shell::page::rest_here` marks. If
    /// it cannot be had, the page says why.
    pub(crate) fn with_rest(
        page: Page,
        rest: impl Future<Output = Result<Markup, Trouble>> + Send + 'static,
    ) -> Self {
        let rest = rest.map(|rest| rest.unwrap_or_else(|trouble| alert::trouble(&trouble)));
        Self::Stream(page, Box::pin(stream::once(rest)))
    }
}

impl From<Page> for Reply {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}
