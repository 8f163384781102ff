//! Whether events reach a receiver.

use keyfob_api::webhook::WebhookBody;
use maud::{Markup, html};

/// Whether events reach a receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Delivery {
    /// The last attempt was good, or there was none yet.
    Enabled,
    /// The last attempt failed. It is tried again.
    Failing,
    /// A person has disabled it.
    Disabled,
    /// The service has disabled it.
    Stopped,
}

impl Delivery {
    pub(super) fn of(webhook: &WebhookBody) -> Self {
        let state = &webhook.state;
        match (webhook.enabled, &webhook.disabled_because) {
            (false, Some(_)) => Self::Stopped,
            (false, None) => Self::Disabled,
            (true, _) if state.failed_at > state.delivered_at => Self::Failing,
            (true, _) => Self::Enabled,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
            Self::Stopped => "stopped",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Enabled => "●",
            Self::Failing => "◔",
            Self::Disabled => "○",
            Self::Stopped => "✕",
        }
    }

    /// Returns what the state means, as a sentence.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Enabled => "Events are sent as they happen.",
            Self::Failing => {
                "The last attempt failed. A delivery is tried again until it is a dead letter, and later events \
                 of its lane wait."
            }
            Self::Disabled => {
                "No events are sent. The position stays: enabled again, it continues there."
            }
            Self::Stopped => {
                "The service has disabled it. Enabled again, it continues at its position."
            }
        }
    }

    /// Shows the state: its sign and its name.
    pub(super) fn show(self) -> Markup {
        html! {
            span.state data-webhook=(self.name()) { span aria-hidden="true" { (self.sign()) } " " (self.name()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use keyfob_api::webhook::WebhookState;
    use keyfob_core::Timestamp;

    use super::*;

    #[test]
    fn a_failure_counts_until_a_delivery_succeeds() {
        let at = |secs| Some(Timestamp::from_secs(secs));
        let of = |enabled, why: Option<&str>, delivered_at, failed_at| {
            Delivery::of(&WebhookBody {
                id: "wh-0".into(),
                url: "https://shop.example".into(),
                method: keyfob_api::webhook::WebhookMethod::Push,
                owner: None,
                types: Vec::new(),
                filter: String::new(),
                description: String::new(),
                format: keyfob_api::webhook::WebhookFormat::default(),
                audience: None,
                enabled,
                disabled_because: why.map(str::to_owned),
                created: Timestamp::from_secs(1),
                secrets: 1,
                state: WebhookState { delivered_at, failed_at, ..WebhookState::default() },
            })
        };
        assert_eq!(of(true, None, None, None), Delivery::Enabled);
        assert_eq!(of(true, None, None, at(2)), Delivery::Failing);
        assert_eq!(of(true, None, at(3), at(2)), Delivery::Enabled);
        assert_eq!(of(false, None, at(3), at(2)), Delivery::Disabled);
        assert_eq!(of(false, Some("410"), None, at(2)), Delivery::Stopped);
    }
}
