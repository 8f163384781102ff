//! Percent-encoding, and the error for a URL that is not valid.

use keyfob_store::StoreError;

use crate::config::misconfigured;

const EXAMPLES: &str = "redis://:password@host:6379/0, rediss://user:password@host?ca=/etc/ca.pem, \
    redis+cluster://a:6379,b:6379, redis+sentinel://s1:26379,s2:26379/name, redis+unix:///run/redis.sock";

/// Decodes percent-encoding.
pub(super) fn decoded(text: &str) -> Result<String, StoreError> {
    let broken = || wrong("a % is not followed by two hexadecimal digits of UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let (high, low) = high.zip(low).ok_or_else(broken)?;
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

/// Returns the error for a URL, with examples.
pub(super) fn wrong(what: &str) -> StoreError {
    misconfigured(format!("the Redis URL is not valid: {what}. Valid URLs are {EXAMPLES}"))
}
