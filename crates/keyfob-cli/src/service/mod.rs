//! What `serve` is made of, beside the server itself.
//!
//! | module | content |
//! |---|---|
//! | `configuration` | the file, the environment and the flags, read together |
//! | `forwarding` | an edge sends on what it does not answer |
//! | `reload` | SIGHUP: configuration, keys and certificates, without a lost request |
//! | `sockets` | the addresses to listen on, opened here or by systemd |
//! | `supervisor` | tells systemd how the service is |
//! | `traces` | traces of requests, sent to a collector |

pub(crate) mod configuration;
mod forwarding;
pub(crate) mod reload;
pub(crate) mod sockets;
pub(crate) mod supervisor;
pub(crate) mod traces;
