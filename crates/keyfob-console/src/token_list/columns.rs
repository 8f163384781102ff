//! The columns of the list.

use keyfob_api::TokenBody;
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::conditions::conditions;
use crate::widget::{owner, text, time, token};

/// A column of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    State,
    Kind,
    Id,
    Subject,
    Client,
    Device,
    App,
    Scopes,
    Labels,
    Issued,
    LastUsed,
    Expires,
}

/// How many characters of a text a cell shows.
const CELL_CHARS: usize = 40;

impl Column {
    pub(crate) const ALL: [Self; 12] = [
        Self::State,
        Self::Kind,
        Self::Subject,
        Self::Id,
        Self::Client,
        Self::Device,
        Self::App,
        Self::Scopes,
        Self::Labels,
        Self::Issued,
        Self::LastUsed,
        Self::Expires,
    ];

    const DEFAULT: [Self; 8] = [
        Self::State,
        Self::Kind,
        Self::Subject,
        Self::Id,
        Self::Client,
        Self::Device,
        Self::LastUsed,
        Self::Expires,
    ];

    /// Returns the columns that a list has if nobody chooses others. A filter that names labels or tags shows
    /// them.
    pub(crate) fn usual(filter: &str) -> Vec<Self> {
        let is_labelled = names_labels(filter);
        let is_usual = |column: &Self| {
            Self::DEFAULT.contains(column) || (*column == Self::Labels && is_labelled)
        };
        Self::ALL.into_iter().filter(is_usual).collect()
    }

    /// Returns the columns with these names, in their usual order; `None` if there is no such name.
    pub(crate) fn chosen<'a>(names: impl Iterator<Item = &'a str>) -> Option<Vec<Self>> {
        let names: Vec<_> = names.collect();
        let chosen = Self::ALL.into_iter().filter(|column| names.contains(&column.name()));
        let chosen: Vec<_> = chosen.collect();
        (!chosen.is_empty()).then_some(chosen)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Kind => "kind",
            Self::Id => "id",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Device => "device",
            Self::App => "app",
            Self::Scopes => "scopes",
            Self::Labels => "labels",
            Self::Issued => "issued",
            Self::LastUsed => "last-used",
            Self::Expires => "expires",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::State => "State",
            Self::Kind => "Kind",
            Self::Id => "Token",
            Self::Subject => "Subject",
            Self::Client => "Client",
            Self::Device => "Device",
            Self::App => "App",
            Self::Scopes => "Scopes",
            Self::Labels => "Labels and tags",
            Self::Issued => "Issued",
            Self::LastUsed => "Last used",
            Self::Expires => "Expires",
        }
    }

    /// Returns the cell of a token.
    pub(crate) fn cell(self, token: &TokenBody, now: Timestamp) -> Markup {
        let metadata = &token.metadata;
        match self {
            Self::State => token::state(token.state),
            Self::Kind => token::kind(token.kind),
            Self::Id => token::id(token.id),
            Self::Subject => token
                .subject
                .as_ref()
                .map_or_else(none, |it| owner::subject(it.as_str(), CELL_CHARS)),
            Self::Client => {
                token.client.as_ref().map_or_else(none, |it| owner::client(it.as_str(), CELL_CHARS))
            }
            Self::Device => cut(metadata.device.id.as_ref().map(|it| it.as_str())),
            Self::App => cut(metadata.app.as_ref().map(|it| it.as_str())),
            Self::Scopes => {
                cut(Some(token.scopes.to_string().as_str()).filter(|it| !it.is_empty()))
            }
            Self::Labels => labels(token),
            Self::Issued => time::ago(token.issued_at, now),
            Self::LastUsed => time::ago_or(token.last_used, now, "–"),
            Self::Expires => time::ago_or(token.expires_at, now, "never"),
        }
    }
}

/// Returns whether a filter has a condition on labels or tags.
pub(crate) fn names_labels(filter: &str) -> bool {
    let keys = ["label:", "tag:", "any-tag:"];
    conditions(filter).iter().any(|it| keys.iter().any(|key| it.starts_with(key)))
}

fn cut(value: Option<&str>) -> Markup {
    value.map_or_else(none, |value| text::short(value, CELL_CHARS))
}

fn none() -> Markup {
    html! { span.quiet { "–" } }
}

fn labels(token: &TokenBody) -> Markup {
    let labels = token.metadata.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let tags = token.metadata.tags.iter().map(ToString::to_string);
    html! {
        @for label in labels.chain(tags) { span.tag { (text::short(&label, CELL_CHARS)) } " " }
    }
}
