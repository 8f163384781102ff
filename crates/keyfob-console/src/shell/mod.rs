//! What surrounds every page: the document, the navigation, the headers, scripts and styles.

pub(crate) mod assets;
pub(crate) mod headers;
pub(crate) mod page;

/// A place in the navigation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Overview,
    Tokens,
    Clients,
    Live,
    Keys,
    Webhooks,
    Bearer,
}

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Overview,
        Self::Tokens,
        Self::Clients,
        Self::Live,
        Self::Keys,
        Self::Webhooks,
        Self::Bearer,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Tokens => "Tokens",
            Self::Clients => "Clients",
            Self::Live => "Live",
            Self::Keys => "Sealing keys",
            Self::Webhooks => "Webhooks",
            Self::Bearer => "Check a bearer",
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::Tokens => "/console/tokens",
            Self::Clients => "/console/clients",
            Self::Live => "/console/live",
            Self::Keys => "/console/keys",
            Self::Webhooks => "/console/webhooks",
            Self::Bearer => "/console/bearer",
        }
    }

    /// Returns the key that leads there, after `g`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Overview => "o",
            Self::Tokens => "t",
            Self::Clients => "c",
            Self::Live => "l",
            Self::Keys => "k",
            Self::Webhooks => "w",
            Self::Bearer => "b",
        }
    }

    /// Returns the scope without which the page would be empty.
    pub(crate) const fn scope(self) -> &'static str {
        match self {
            Self::Overview | Self::Tokens | Self::Clients | Self::Bearer => "keyfob:read",
            Self::Live => "keyfob:events",
            Self::Keys => "keyfob:keys",
            Self::Webhooks => "keyfob:admin",
        }
    }
}
