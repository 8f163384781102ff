//! What an answer of a receiver means.

use keyfob_core::time::Ttl;

/// What an attempt to deliver came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// Try again, not before this time has passed if the receiver names one.
    Retry {
        /// What the receiver asks for.
        after: Option<Ttl>,
    },
    /// The receiver is gone: the subscription is disabled.
    Gone,
}

/// The maximum wait that a receiver may ask for.
pub const MAX_RETRY_AFTER: Ttl = Ttl::from_hours(1);

impl Verdict {
    /// Returns what a status means.
    ///
    /// A redirect is not followed: it would lead the content and its signature elsewhere. It is tried again, as an error of
    /// the receiver is, because both are repaired by a person.
    pub fn of(status: u16, retry_after: Option<&str>) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            429 | 503 => Self::Retry { after: retry_after.and_then(parse) },
            _ => Self::Retry { after: None },
        }
    }
}

impl Verdict {
    /// Returns what a status means that answers a security event token: only 202 says that the receiver has it
    /// (RFC 8935 section 2.2).
    pub fn of_set(status: u16, retry_after: Option<&str>) -> Self {
        match status {
            202 => Self::Delivered,
            200..=299 => Self::Retry { after: None },
            _ => Self::of(status, retry_after),
        }
    }
}

/// Reads `Retry-After`: a number of seconds. A date is passed over: clocks differ, and the schedule is near enough.
fn parse(text: &str) -> Option<Ttl> {
    let text = text.trim();
    if text.is_empty() || text.len() > 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = text.parse::<u64>().ok()?.saturating_mul(1_000);
    let asked = Ttl::from_millis(millis).ok().filter(|asked| *asked <= MAX_RETRY_AFTER);
    asked.or((millis > 0).then_some(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_do() {
        let of = |status, after| Verdict::of(status, after);
        let retry = |after| Verdict::Retry { after };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, None), Verdict::Delivered);
        }
        for status in [100, 301, 302, 307, 308, 400, 401, 404, 500, 502, 504] {
            assert_eq!(of(status, Some("7")), retry(None), "{status}");
        }
        assert_eq!(of(410, None), Verdict::Gone);
        for status in [429, 503] {
            assert_eq!(of(status, None), retry(None));
            assert_eq!(of(status, Some(" 7 ")), retry(Some(Ttl::from_secs(7))));
            assert_eq!(of(status, Some("999999")), retry(Some(MAX_RETRY_AFTER)));
            for odd in ["", "0", "-1", "1.5", "99999999999", "Fri, 31 Dec 1999 23:59:59 GMT"] {
                assert_eq!(of(status, Some(odd)), retry(None), "{odd}");
            }
        }
    }

    #[test]
    fn a_security_event_token_is_delivered_by_202_alone() {
        assert_eq!(Verdict::of_set(202, None), Verdict::Delivered);
        for status in [200, 201, 204, 302, 400, 500] {
            assert_eq!(Verdict::of_set(status, None), Verdict::Retry { after: None }, "{status}");
        }
        assert_eq!(Verdict::of_set(410, None), Verdict::Gone);
    }
}
