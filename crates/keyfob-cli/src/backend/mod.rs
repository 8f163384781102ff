//! Where the tokens of a command are: in a store that this process opens, or behind a server.
//!
//! | module | content |
//! |---|---|
//! | `either` | the one or the other |
//! | `store` | a store, by the manager of this process |
//! | `server` | a server, by its HTTP API |
//! | `issue` | issuing many tokens at either |
//! | `sweep` | revoking by a filter at either |
//! | `events` | reading events at either |
//! | `values` | what both give and take |
//!
//! Both give the same values, the bodies of the API, so that a command writes the same for both.

mod either;
mod events;
mod issue;
mod server;
mod store;
mod sweep;
mod values;

pub(crate) use either::Backend;
pub(crate) use events::{EventLine, Feed};
pub(crate) use issue::{CheckedGrant, NotIssued};
pub(crate) use store::issued_body;
pub(crate) use values::{PageRequest, RevokeNote, Revoked};
