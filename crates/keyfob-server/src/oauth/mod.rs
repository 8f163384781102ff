//! The endpoints of OAuth.
//!
//! | module | content |
//! |---|---|
//! | `introspect` | introspection (RFC 7662) |
//! | `revoke` | revocation (RFC 7009) |
//! | `token` | the token endpoint (RFC 6749 section 3.2, RFC 8693) |
//! | `grant_type` | the grant types |
//! | `metadata` | the metadata of the server (RFC 8414) |
//! | `forms` | the forms of the endpoints, and their parameters |
//! | `claims_view` | a token as introspection shows it |

pub(crate) mod claims_view;
pub(crate) mod forms;
mod grant_type;
pub(crate) mod introspect;
pub(crate) mod metadata;
pub(crate) mod revoke;
pub(crate) mod token;
