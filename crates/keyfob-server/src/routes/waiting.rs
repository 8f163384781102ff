//! At an edge: which requests may wait for the central server, and how many.
//!
//! Servers that send requests to each other would send one around until it times out. So each adds its name to `Via`
//! (RFC 9110 section 7.6.3), and sends on no request that has its name, or too many of such names.

use std::hash::{BuildHasher as _, RandomState};

use http::header::VIA;
use http::{HeaderMap, HeaderValue, StatusCode};
use keyfob::metrics::HttpMetrics;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::respond::failure::Failure;

/// What a server that sends requests on keeps when its settings are replaced.
#[derive(Debug)]
pub(crate) struct Forwarding {
    places: Semaphore,
    /// What this server adds to `Via`: its name is random, because it is for this server alone.
    via: HeaderValue,
}

/// What the names of servers that send requests on begin with.
const NAME: &str = "keyfob-";

/// A request was sent on at most so often.
const MAX_HOPS: usize = 8;

/// The place of a request that waits for the central server, from before its body is read until the answer begins. A
/// stream that has begun holds none, as it holds none of all requests.
#[derive(Debug)]
pub(crate) struct Place<'a>(#[expect(dead_code, reason = "it is held")] SemaphorePermit<'a>);

impl Forwarding {
    /// A quarter of all requests may wait for the central server.
    pub(crate) fn new(max_requests: usize) -> Self {
        let places = Semaphore::new((max_requests / 4).clamp(1, Semaphore::MAX_PERMITS));
        let name = RandomState::new().hash_one(NAME);
        let via = HeaderValue::try_from(format!("1.1 {NAME}{name:016x}"));
        Self { places, via: via.unwrap_or_else(|_| HeaderValue::from_static("1.1 keyfob-")) }
    }

    /// Returns what a request that is sent on has to say of this server in `Via`.
    pub(crate) fn via(&self) -> &HeaderValue {
        &self.via
    }

    /// Takes a place for a request with these headers.
    ///
    /// # Errors
    /// If it was here before, or if all places are taken.
    pub(crate) fn place(
        &self,
        headers: &HeaderMap,
        metrics: &HttpMetrics,
    ) -> Result<Place<'_>, Failure> {
        if self.is_loop(headers) {
            let detail = "servers send this request to each other: look at edge.central of each";
            return Err(Failure {
                code: "forwarding_loop".into(),
                public_detail: detail,
                ..Failure::new(StatusCode::LOOP_DETECTED, "server_error", detail)
            });
        }
        self.places.try_acquire().map(Place).map_err(|_| {
            metrics.handles.requests_shed.increment(1);
            Failure {
                code: "overloaded".into(),
                retry_after: Some(keyfob::Ttl::from_secs(1)),
                ..Failure::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "too many requests wait for the central server: try again",
                )
            }
        })
    }

    fn is_loop(&self, headers: &HeaderMap) -> bool {
        let own = name_in(self.via.to_str().unwrap_or_default());
        let texts = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        let names = texts.flat_map(|text| text.split(',')).filter_map(name_in);
        let hops: Vec<_> = names.filter(|name| name.starts_with(NAME)).collect();
        hops.len() >= MAX_HOPS || hops.iter().any(|name| Some(*name) == own)
    }
}

/// Returns the name in one member of `Via`: it comes after the protocol.
fn name_in(member: &str) -> Option<&str> {
    member.split_ascii_whitespace().nth(1)
}
