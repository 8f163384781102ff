//! Signing in and out.
//!
//! A person signs in with an API key. The API derives a session from it (`POST /v1/sessions`), and its
//! bearer is the cookie. So a session of the console is a token like others: it is listed, ends when it
//! is unused, is revoked with its key, and can be revoked.

pub(crate) mod cookie;
pub(crate) mod kept;
pub(crate) mod origin;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
mod throttle;

pub(crate) use throttle::Throttle;
