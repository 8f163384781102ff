//! The `RateLimit` and `RateLimit-Policy` fields of the IETF draft
//! (draft-ietf-httpapi-ratelimit-headers).

use http::{HeaderMap, HeaderName, HeaderValue};
use keyfob::{LimitVerdict, Ttl};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Adds how each limit of a request stands to the headers of its response.
///
/// A policy is `"name";q=100;w=60`: the permits of the rate and its period in seconds. `burst` is
/// added where the limit admits another number at the same time. A limit is `"name";r=42;t=17`: the
/// permits that are left, and the seconds until all are available again. A policy with a name that
/// is not ASCII cannot be written and is left out (RFC 9651 section 3.3.3).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{LimitBy, LimitPolicy, LimitRequest, Limits, LocalLimits, MemoryStore, TokenManager};
///
/// let calls = LimitPolicy::new("calls", LimitBy::Ip, "100/1m".parse()?)?;
/// let manager = TokenManager::builder(std::sync::Arc::new(MemoryStore::new()?))
///     .limits(Limits::new(LocalLimits::new()).policy(calls)?)
///     .build();
/// let verdict = manager.admit(&LimitRequest::new().ip("192.0.2.1".parse()?)).await?;
///
/// let mut headers = http::HeaderMap::new();
/// keyfob_tower::write_rate_limit(&verdict, &mut headers);
/// assert_eq!(headers["ratelimit-policy"], r#""calls";q=100;w=60"#);
/// assert_eq!(headers["ratelimit"], r#""calls";r=99;t=1"#);
/// # Ok(())
/// # }
/// ```
pub fn write_rate_limit(verdict: &LimitVerdict, headers: &mut HeaderMap) {
    let (mut policies, mut limits) = (Vec::new(), Vec::new());
    for status in verdict.limit_status() {
        let Some(name) = sf_string(status.name().as_str()) else {
            continue;
        };
        let rate = status.policy().rate();
        let mut policy = format!("{name};q={};w={}", rate.permits(), seconds(rate.period()));
        if status.limit != rate.permits() {
            policy.push_str(&format!(";burst={}", status.limit));
        }
        policies.push(policy);
        let reset = status.reset_after.map_or(0, seconds);
        limits.push(format!("{name};r={};t={reset}", status.remaining));
    }
    for (field, members) in [(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, limits)] {
        if !members.is_empty()
            && let Ok(value) = HeaderValue::try_from(members.join(", "))
        {
            headers.insert(field, value);
        }
    }
}

/// Returns whole seconds, rounded up so that a client does not come back too early.
pub(crate) fn seconds(ttl: Ttl) -> u64 {
    ttl.as_millis().div_ceil(1_000)
}

/// Returns a string of structured fields (RFC 9651 section 3.3.3).
fn sf_string(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_or_left_out() {
        assert_eq!(sf_string(r#"a "b" \"#).unwrap(), r#""a \"b\" \\""#);
        assert_eq!(sf_string("Größe"), None);
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(seconds(Ttl::from_secs(2)), 2);
        assert_eq!(Ttl::from_millis(1_001).map(seconds), Ok(2));
    }
}
