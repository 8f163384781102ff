//! What `serve` is made of, beside the server itself.
//!
//! | module | content |
//! |---|---|
//! | `configuration` | the file, the environment and the flags, read together |
//! | `reload` | SIGHUP: configuration, keys and certificates, without a lost request |
//! | `sockets` | the addresses to listen on, opened here or by systemd |
//! | `supervisor` | tells systemd how the service is |
//! | `traces` | traces of requests, sent to a collector |

pub(crate) mod configuration;
pub(crate) mod reload;
pub(crate) mod sockets;
pub(crate) mod supervisor;
pub(crate) mod traces;
