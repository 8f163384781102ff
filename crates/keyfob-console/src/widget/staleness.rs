//! The max staleness: how long after a revocation a server may still accept a token.

use keyfob_core::Ttl;

/// Names the bound, as a part of a sentence. Not everybody may ask the server for it.
pub(crate) fn named(bound: Option<Ttl>) -> String {
    match bound {
        Some(bound) if bound.as_millis() >= 10_000 => super::time::length(bound.as_secs()),
        Some(bound) => format!("{} ms", bound.as_millis()),
        None => "250 ms, or another bound that this service has set,".to_owned(),
    }
}
