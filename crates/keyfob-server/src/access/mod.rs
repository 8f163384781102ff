//! Who calls, and what they may do.
//!
//! | module | content |
//! |---|---|
//! | `scope` | the scopes of this service's own interface |
//! | `demand` | what a route demands of its caller |
//! | `credentials` | where a request has the credentials of its caller |
//! | `assertion` | clients that sign with a key of their own (RFC 7523) |
//! | `caller` | from credentials to a caller |
//! | `known` | the tokens of callers that were seen before |
//! | `bounds` | what a caller may hand out to others |

pub(crate) mod assertion;
pub mod bounds;
pub mod caller;
pub(crate) mod credentials;
pub mod demand;
mod known;
pub mod scope;
