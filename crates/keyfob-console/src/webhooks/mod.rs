//! Webhooks: where events are sent, how far each has come, and deliveries that were given up.

mod change;
mod letters;
mod list;
mod one;
mod state;

pub(crate) use change::{disable, drop_letter, enable, send_letter, test};
pub(crate) use list::show as list;
pub(crate) use one::show as one;

/// The path of the list.
const PATH: &str = "/console/webhooks";

/// Returns the address of the page of a webhook. Its id comes from the API, which has letters and digits in it.
fn address(id: &str) -> String {
    format!("{PATH}/{id}")
}
