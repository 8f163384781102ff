//! `Idempotency-Key`: a request that creates may be sent again, to any server.

use keyfob::manager::IdempotencyKey;

use super::parameters::IDEMPOTENCY_KEY;
use crate::call::Call;
use crate::respond::failure::Failure;

/// Reads the key of a request. The content of the request is its path and its body.
pub(super) fn key(call: &Call) -> Result<Option<IdempotencyKey>, Failure> {
    let mut values = call.parts.headers.get_all(IDEMPOTENCY_KEY.name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let detail = "there is more than one Idempotency-Key header";
        return Err(Failure::bad("invalid_parameter", detail));
    }
    // A text that is not ASCII is refused as such.
    let text = value.to_str().unwrap_or("\u{fffd}");
    let request = [call.parts.uri.path().as_bytes(), b"\0", &call.body].concat();
    Ok(Some(IdempotencyKey::new(text, call.caller()?.bearer(), &request)?))
}
