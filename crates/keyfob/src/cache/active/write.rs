//! Writes the bytes that an [`ActiveToken`](super::ActiveToken) reads.

use super::layout::{
    BOUND, BY_OLDER, CELLS, CLAIMS, DEVICE, HEAD, ISSUER, KIND, LANE, LONG, MAX_CELLS, MILLIS,
    OWN_EXPIRY, OWN_ISSUE, ROOT, TIME, TWO_SECRETS, USED,
};
use super::rest::{Older, Rest};
use keyfob_core::id::FamilyId;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Kind, SecretUsed, Token};
use keyfob_store::InvalidationSlot;

/// What is known of a secret other than the cached one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Other {
    None,
    /// The older secret, by half of its digest.
    Older {
        half: [u32; 4],
        until: Timestamp,
    },
    /// The newest secret, about which only the store may answer.
    NewestUnused,
}

/// Encodes a token for an entry that ends at `end`, with the slots that invalidate it and what is
/// known of its other secret.
pub(crate) fn write(
    token: &Token,
    end: Timestamp,
    cells: impl Iterator<Item = InvalidationSlot>,
    other: Other,
) -> Vec<u8> {
    let is_root =
        token.family == Some(FamilyId::from_root(token.id)) && token.ancestors == [token.id];
    let kind = Kind::ALL.iter().position(|kind| *kind == token.kind).unwrap_or_default() as u32;
    let device = token.metadata.device.id.as_ref().map(|id| id.as_str());
    let claims = Some(token.claims.private.as_json()).filter(|json| *json != "{}");
    let since_drawn = token.issued_at.as_millis().checked_sub(token.id.drawn_at().as_millis());
    let since_drawn = since_drawn.filter(|millis| *millis < 16);
    let has_own_expiry = token.expires_at != Some(end);
    // Most tokens need no more.
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.extend(cells.take(MAX_CELLS).flat_map(|cell| cell.number().to_le_bytes()));
    let cells = (bytes.len() - HEAD) as u32 / 2;
    let flag = |is: bool, flag| if is { flag } else { 0 };
    let head = kind & KIND
        | flag(is_root, ROOT)
        | flag(other != Other::None, TWO_SECRETS)
        | flag(token.secret != SecretUsed::Newest, BY_OLDER)
        | flag(token.issuer.is_some(), ISSUER)
        | flag(device.is_some(), DEVICE)
        | flag(claims.is_some(), CLAIMS)
        | flag(token.claims.registered.is_bound(), BOUND)
        | flag(token.last_used.is_some(), USED)
        | flag(has_own_expiry, OWN_EXPIRY)
        | flag(since_drawn.is_none(), OWN_ISSUE)
        | cells << CELLS
        | u32::from(token.id.lane().number()) << LANE
        | (since_drawn.unwrap_or_default() as u32) << MILLIS;
    bytes[..HEAD].copy_from_slice(&head.to_le_bytes());
    if since_drawn.is_none() {
        put_time(&mut bytes, token.issued_at);
    }
    if has_own_expiry {
        put_time(&mut bytes, token.expires_at.unwrap_or_default());
    }
    token.last_used.iter().for_each(|used| put_time(&mut bytes, *used));
    put(&mut bytes, token.subject.as_ref().map(|subject| subject.as_str()));
    put(&mut bytes, token.client.as_ref().map(|client| client.as_str()));
    token.issuer.iter().for_each(|issuer| put(&mut bytes, Some(issuer.as_str())));
    device.iter().for_each(|device| put(&mut bytes, Some(device)));
    put_length(&mut bytes, token.audiences.len());
    token.audiences.iter().for_each(|audience| put(&mut bytes, Some(audience.as_str())));
    put_length(&mut bytes, token.scopes.len());
    token.scopes.iter().for_each(|scope| put(&mut bytes, Some(scope.as_str())));
    claims.iter().for_each(|claims| put(&mut bytes, Some(claims)));
    let mut rest = Rest::of(token, is_root);
    if let Other::Older { half, until } = other {
        rest.older = Some(Older { half: Some(half), until });
    }
    if rest != Rest::default() {
        // Writing to memory cannot fail, and no value of ours has an encoding that can.
        let encoded = minicbor::encode(&rest, &mut bytes);
        debug_assert!(encoded.is_ok());
    }
    bytes
}

fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    bytes.extend_from_slice(&time.as_millis().to_le_bytes()[..TIME]);
}

fn put(bytes: &mut Vec<u8>, text: Option<&str>) {
    let text = text.unwrap_or_default();
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // The longest field is an application's claims, of 8 KiB.
    match u8::try_from(length) {
        Ok(short) if short < LONG => bytes.push(short),
        _ => {
            bytes.push(LONG);
            bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }
}
