//! The fields for demands.

use keyfob_core::Kind;
use maud::{Markup, html};

use super::Demands;
use crate::widget::field::{self, Field};

/// Shows the fields for demands. What is empty demands nothing.
pub(crate) fn fields(demands: &Demands) -> Markup {
    let with = |name, label, hint| Field {
        name,
        label,
        hint,
        value: demands.text(name),
        wrong: demands.wrong(name),
        is_required: false,
    };
    html! {
        div.split {
            div {
                (kinds(demands))
                (field::lines(with("audience", "Audience", "One on each line: the token has to be for one of them."), 2))
                (field::line(with("scopes", "All of these scopes", "Separated by spaces."), 4_096))
                (field::line(with("any_scopes", "One of these scopes", "Separated by spaces."), 4_096))
                (field::lines(with("issuer", "Issuer", "One on each line: any of them."), 2))
            }
            div {
                (field::line(with("device_id", "Device", "The token has to be bound to the device that presents it."), 128))
                (field::line(with("jkt", "DPoP key", "The thumbprint of the key that the client has proved."), 256))
                (field::line(with("x5t_s256", "Certificate", "The thumbprint of the certificate that the client has shown."), 256))
                (field::line(with("max_age", "Issued within", "Such as 15m, 12h or 30d."), 32))
                (field::lines(with("claims", "Claims", "Names, one on each line: the token has to have all."), 2))
                (field::line(with("clock_skew", "Clocks may differ by", "Such as 30s."), 32))
                (field::line(with("chain", "Chain of the server", "The name of a chain in its configuration."), 128))
                label {
                    input type="checkbox" name="strong" value="1" checked[demands.body.strong];
                    " Ask the store, not a cache (strong)"
                }
            }
        }
    }
}

fn kinds(demands: &Demands) -> Markup {
    html! {
        fieldset.field {
            legend { "Kind" }
            div.row {
                @for kind in Kind::ALL {
                    label {
                        input type="checkbox" name="kind" value=(kind.as_str())
                            checked[demands.accepts_kind(kind)];
                        " " (kind.as_str())
                    }
                }
            }
            @if let Some(wrong) = demands.wrong("kind") { p.wrong { (wrong) } }
        }
    }
}
