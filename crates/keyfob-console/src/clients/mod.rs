//! Clients: all of them, and one with its keys, its limits and all that was issued to it.

mod keys;
mod limits;
mod list;
mod one;
mod read;

pub(crate) use list::show as list;
pub(crate) use one::{find, show as one};
